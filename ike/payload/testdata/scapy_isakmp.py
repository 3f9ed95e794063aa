"""Messages of IKEv1 as scapy builds them, one line each: a name and the bytes in hexadecimal."""
from scapy.layers.isakmp import (
    ISAKMP, ISAKMP_payload, ISAKMP_payload_Hash, ISAKMP_payload_ID, ISAKMP_payload_KE, ISAKMP_payload_Nonce,
    ISAKMP_payload_Proposal, ISAKMP_payload_SA, ISAKMP_payload_Transform, ISAKMP_payload_VendorID)
from scapy.packet import raw


def header(**fields):
    return ISAKMP(init_cookie=b"initiate", resp_cookie=b"responds", exch_type=2, **fields)


transforms = (
    ISAKMP_payload_Transform(next_payload=3, num=1, transforms=[
        ("Encryption", "AES-CBC"), ("KeyLength", 256), ("Hash", "SHA2-512"), ("Authentication", "RSA Sig"),
        ("GroupDesc", "2048MODPgr"), ("LifeType", "Seconds"), ("LifeDuration", 86400)])
    / ISAKMP_payload_Transform(next_payload=0, num=2, transforms=[
        ("Encryption", "3DES-CBC"), ("Hash", "MD5"), ("Authentication", "XAUTHRespRSARevisedEncryptio"), ("GroupDesc", "1024MODPgr"),
        ("GroupType", "EC2N"), ("LifeType", "Kilobytes"), ("LifeDuration", 3600), ("PRF", 3), ("FieldSize", 155)]))
# scapy 2.5 forgets the SPI in the length of a proposal.
proposal = ISAKMP_payload_Proposal(
    next_payload=0, trans_nb=2, SPI=b"ignored!", length=16 + len(raw(transforms)), trans=transforms)
print("offer", raw(
    header(next_payload=1)
    / ISAKMP_payload_SA(next_payload=13, prop=proposal)
    / ISAKMP_payload_VendorID(next_payload=13, load=bytes.fromhex("1e2b516905991c7d7c96fcbfb587e46100000004"))
    / ISAKMP_payload_VendorID(next_payload=0, load=bytes.fromhex("4048b7d56ebce88525e7de7f00d6c2d3"))).hex())
print("exchange", raw(
    header(next_payload=4, flags="commit", id=0xcafebabe)
    / ISAKMP_payload_KE(next_payload=10, load=bytes(range(128)))
    / ISAKMP_payload_Nonce(next_payload=130, load=bytes(range(20)))
    / ISAKMP_payload(next_payload=0, load=bytes(20))).hex())
print("proof", raw(
    header(next_payload=5)
    / ISAKMP_payload_ID(next_payload=8, IDtype=1, ProtoID=17, Port=500, load=bytes([10, 0, 0, 1]))
    / ISAKMP_payload_Hash(next_payload=0, load=bytes(range(16)))).hex())
