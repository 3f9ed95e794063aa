# Seals and opens packets with scapy, for scapy_test.go.
# Reads one JSON object per line and answers each with one line of hexadecimal.
import hashlib
import json
import struct
import sys

from scapy.config import conf

conf.verb = 0
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.compat import raw
from scapy.layers.ipsec import AH, AUTH_ALGOS, CRYPT_ALGOS, ESP, AuthAlgo, CryptAlgo, IPSecIntegrityError, SecurityAssociation, zero_mutable_fields
from scapy.packet import bind_layers, split_layers

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

# What scapy does not know, made of OpenSSL's primitives.


def aes_gcm(key, nonce, tag=None):
    mode = modes.GCM(nonce) if tag is None else modes.GCM(nonce, tag, len(tag))
    return Cipher(algorithms.AES(key), mode, default_backend())


class Combined(CryptAlgo):
    """AES-GCM with a tag cut short (RFC 4106), or AES-GMAC (RFC 4543, Section 3)."""

    def __init__(self, name, tag, encrypts):
        # The mode is for scapy to see that there is none to call: encrypt and decrypt are below.
        super().__init__(name, cipher=None, mode=None, block_size=1, iv_size=8, salt_size=4, icv_size=tag)
        self.is_aead, self.encrypts = True, encrypts

    def work(self, encryptor, head, iv, data):
        if self.encrypts:
            encryptor.authenticate_additional_data(head)
            return encryptor.update(data) + encryptor.finalize()
        encryptor.authenticate_additional_data(head + iv + data)
        encryptor.finalize()
        return data

    @staticmethod
    def head(esp, esn_en, esn):
        return struct.pack("!LLL", esp.spi, esn, esp.seq) if esn_en else struct.pack("!LL", esp.spi, esp.seq)

    def encrypt(self, sa, esp, key, icv_size=None, esn_en=False, esn=0):
        encryptor = aes_gcm(key, sa.crypt_salt + esp.iv).encryptor()
        out = self.work(encryptor, self.head(esp, esn_en, esn), esp.iv, esp.data_for_encryption())
        return ESP(spi=esp.spi, seq=esp.seq, data=esp.iv + out + encryptor.tag[: self.icv_size])

    def decrypt(self, sa, esp, key, icv_size=None, esn_en=False, esn=0):
        iv, data, tag = esp.data[:8], esp.data[8 : -self.icv_size], esp.data[-self.icv_size :]
        try:
            plain = self.work(aes_gcm(key, sa.crypt_salt + iv, tag).decryptor(), self.head(esp, esn_en, esn), iv, data)
        except InvalidTag as e:
            raise IPSecIntegrityError(e)
        return type("Plain", (), {"data": plain[: -2 - plain[-2]], "nh": plain[-1]})


class XCBC:
    """RFC 3566, Section 4."""

    def __init__(self, key):
        self.data = b""
        self.k1, self.k2, self.k3 = (self.ecb(key, bytes([n]) * 16) for n in (1, 2, 3))

    @staticmethod
    def ecb(key, block):
        e = Cipher(algorithms.AES(key), modes.ECB(), default_backend()).encryptor()
        return e.update(block) + e.finalize()

    def update(self, data):
        self.data += data

    def finalize(self):
        xor = lambda a, b: bytes(x ^ y for x, y in zip(a, b))
        blocks = [self.data[i : i + 16] for i in range(0, len(self.data), 16)] or [b""]
        e = bytes(16)
        for b in blocks[:-1]:
            e = self.ecb(self.k1, xor(e, b))
        last = blocks[-1]
        last = xor(last, self.k2) if len(last) == 16 else xor((last + b"\x80").ljust(16, b"\0"), self.k3)
        return self.ecb(self.k1, xor(e, last))


class WithESN(AuthAlgo):
    """Scapy leaves out the upper half of an extended sequence number under ESP."""

    upper = b""

    def __init__(self, of):
        super().__init__(of.name, of.mac, of.digestmod, of.icv_size, of.key_size)

    def new_mac(self, key):
        return XCBC(key) if self.mac is XCBC else super().new_mac(key)

    def value(self, key, data):
        mac = self.new_mac(key)
        mac.update(data + self.upper)
        return mac.finalize()[: self.icv_size]

    def sign(self, pkt, key, esn_en=False, esn=0):
        if not pkt.haslayer(ESP):
            return super().sign(pkt, key, esn_en, esn)
        pkt[ESP].data += self.value(key, raw(pkt[ESP]))
        return pkt

    def verify(self, pkt, key, esn_en=False, esn=0):
        if not isinstance(pkt, ESP):
            return super().verify(pkt, key, esn_en, esn)
        whole = raw(pkt)
        if self.value(key, whole[: -self.icv_size]) != whole[-self.icv_size :]:
            raise IPSecIntegrityError("ESP")


class GMACOfAH(AuthAlgo):
    """RFC 4543, Section 4: the ICV is IV and tag, and zero in the input."""

    def __init__(self):
        super().__init__("AES-GMAC", mac=True, digestmod=None, icv_size=24)

    def tag(self, pkt, key, iv, upper, sending):
        encryptor = aes_gcm(key[:-4], key[-4:] + iv).encryptor()
        encryptor.authenticate_additional_data(raw(zero_mutable_fields(pkt.copy(), sending=sending)) + upper)
        encryptor.finalize()
        return encryptor.tag

    def sign(self, pkt, key, esn_en=False, esn=0):
        pkt[AH].icv = self.iv + self.tag(pkt, key, self.iv, struct.pack("!L", esn) if esn_en else b"", True)
        return pkt

    def verify(self, pkt, key, esn_en=False, esn=0):
        pkt[AH].padding, pkt[AH].icv = pkt[AH].icv[24:], pkt[AH].icv[:24]
        iv, tag = pkt[AH].icv[:8], pkt[AH].icv[8:]
        if self.tag(pkt, key, iv, struct.pack("!L", esn) if esn_en else b"", False) != tag:
            raise IPSecIntegrityError("AH")


for tag in (8, 12):
    CRYPT_ALGOS["GCM-%d" % tag] = Combined("GCM-%d" % tag, tag, True)
CRYPT_ALGOS["GMAC"] = Combined("GMAC", 16, False)
AUTH_ALGOS["AES-XCBC-96"] = AuthAlgo("AES-XCBC-96", XCBC, None, 12)
for name, algo in list(AUTH_ALGOS.items()):
    if algo.mac:
        AUTH_ALGOS[name] = WithESN(algo)
AUTH_ALGOS["GMAC"] = GMACOfAH()

CIPHERS = {
    "null": "NULL",
    "des-cbc": "DES",
    "3des-cbc": "3DES",
    "chacha20-poly1305": "CHACHA20-POLY1305",
    "cbc": "AES-CBC",
    "ctr": "AES-CTR",
    "gcm8": "GCM-8",
    "gcm12": "GCM-12",
    "gcm16": "AES-GCM",
    "ccm8": "AES-CCM",
    "ccm12": "AES-CCM",
    "ccm16": "AES-CCM",
    "gmac": "GMAC",
}
AUTHS = {
    "": None,
    "hmac-md5-96": "HMAC-MD5-96",
    "hmac-sha1-96": "HMAC-SHA1-96",
    "hmac-sha256-128": "SHA2-256-128",
    "hmac-sha384-192": "SHA2-384-192",
    "hmac-sha512-256": "SHA2-512-256",
    "aes-xcbc-96": "AES-XCBC-96",
    "aes128-gmac": "GMAC",
    "aes192-gmac": "GMAC",
    "aes256-gmac": "GMAC",
}


def datagram(data):
    return IPv6(data) if data[0] >> 4 == 6 else IP(data)


def association(layer, tunnel, udp):
    if layer["cipher"] in OLD or layer["auth"] in OLD:
        return None
    extra = {
        "auth_algo": AUTHS[layer["auth"]],
        "auth_key": bytes.fromhex(layer["auth_key"]) or None,
        "esn_en": layer["esn"],
        "esn": layer["seq"] >> 32,
    }
    if udp[0]:
        extra["nat_t_header"] = UDP(sport=udp[0], dport=udp[1])
    if tunnel:
        extra["tunnel_header"] = datagram(bytes.fromhex(tunnel))
    if layer["protocol"] == "AH":
        return SecurityAssociation(AH, spi=layer["spi"], **extra)
    name = layer["cipher"]
    if "-ccm" in name:
        extra["crypt_icv_size"] = int(name.split("-ccm")[1])
    return SecurityAssociation(
        ESP,
        spi=layer["spi"],
        crypt_algo=CIPHERS.get(name) or CIPHERS[name.split("-")[1]],
        crypt_key=bytes.fromhex(layer["cipher_key"]) or None,
        **extra
    )


OLD = ("keyed-md5", "des-iv32", "des-iv64")


def open_old(layer, packet):
    """AH of RFC 1828 and ESP of RFC 1829, in transport mode over IPv4, without scapy."""
    n = (packet[0] & 15) * 4
    header, body = bytearray(packet[:n]), packet[n:]
    if layer["auth"] == "keyed-md5":
        key, digest, kept = bytes.fromhex(layer["auth_key"]), body[8:24], bytes(header)
        header[6] &= 0x40
        header[7:9], header[10:12] = b"\0\0", b"\0\0"
        fill = b"\x80" + bytes((55 - len(key)) % 64) + struct.pack("<Q", 8 * len(key))
        if hashlib.md5(key + fill + bytes(header) + body[:8] + bytes(16) + body[24:] + key).digest() != digest:
            raise IPSecIntegrityError("AH")
        header, proto, body = bytearray(kept), body[0], body[24:]
    else:
        size = {"des-iv32": 4, "des-iv64": 8}[layer["cipher"]]
        iv, key = body[4 : 4 + size], bytes.fromhex(layer["cipher_key"])
        iv = iv if size == 8 else iv + bytes(255 - b for b in iv)
        d = Cipher(algorithms.TripleDES(key * 3), modes.CBC(iv), default_backend()).decryptor()
        plain = d.update(body[4 + size :]) + d.finalize()
        proto, body = plain[-1], plain[: -2 - plain[-2]]
    ip = IP(bytes(header) + body)
    ip.proto, ip.len = proto, n + len(body)
    del ip.chksum
    return bytes(ip)


def run(layer, packet, operation):
    """One layer, as associated. While AH is at work ESP stays raw, or scapy would take the ICV for that of the ESP inside."""
    WithESN.upper = struct.pack("!L", layer["seq"] >> 32) if layer["esn"] else b""
    GMACOfAH.iv = bytes.fromhex(layer["iv"])
    if layer["protocol"] != "AH":
        return bytes(operation(datagram(packet)))
    bindings = ((IP, {"proto": 50}), (IPv6, {"nh": 50}), (AH, {"nh": 50}))
    for lower, field in bindings:
        split_layers(lower, ESP, **field)
    try:
        return bytes(operation(datagram(packet)))
    finally:
        for lower, field in bindings:
            bind_layers(lower, ESP, **field)


for line in sys.stdin:
    job = json.loads(line)
    packet = bytes.fromhex(job["packet"])
    udp = job.get("udp", [0, 0])  # ports of ESP in UDP
    # Innermost first; the innermost makes the tunnel.
    layers = [(l, association(l, job["tunnel"] if i == 0 else "", udp)) for i, l in enumerate(job["layers"])]
    if job["do"] == "seal":
        for layer, sa in layers:
            iv = {"iv": bytes.fromhex(layer["iv"])} if layer["protocol"] == "ESP" else {}
            packet = run(layer, packet, lambda p: sa.encrypt(p, seq_num=layer["seq"] & 0xFFFFFFFF, **iv))
        if udp[0]:
            # Scapy works out the length of a UDP header that has nothing behind it yet.
            h = (packet[0] & 15) * 4
            packet = packet[: h + 4] + struct.pack("!H", len(packet) - h) + packet[h + 6 :]
    else:
        for layer, sa in reversed(layers):
            packet = run(layer, packet, sa.decrypt) if sa else open_old(layer, packet)
    print(packet.hex(), flush=True)
