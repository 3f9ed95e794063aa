# Seals and opens ESP packets with scapy, for scapy_test.go.
# Reads one JSON object per line and answers each with one line of hexadecimal.
import json
import sys

from scapy.config import conf

conf.verb = 0
from scapy.layers.inet import IP
from scapy.layers.ipsec import ESP, SecurityAssociation

CIPHERS = {"3des-cbc": "3DES", "cbc": "AES-CBC", "gcm16": "AES-GCM"}
AUTHS = {"hmac-sha1-96": "HMAC-SHA1-96", "hmac-sha256-128": "SHA2-256-128", "": None}

for line in sys.stdin:
    job = json.loads(line)
    name = job["cipher"]
    key = bytes.fromhex(job["auth_key"])
    sa = SecurityAssociation(
        ESP,
        spi=job["spi"],
        crypt_algo=CIPHERS.get(name) or CIPHERS[name.split("-")[1]],
        crypt_key=bytes.fromhex(job["cipher_key"]),
        auth_algo=AUTHS[job["auth"]],
        auth_key=key or None,
    )
    packet = IP(bytes.fromhex(job["packet"]))
    if job["do"] == "seal":
        result = sa.encrypt(packet, seq_num=job["seq"], iv=bytes.fromhex(job["iv"]))
    else:
        result = sa.decrypt(packet)
    print(bytes(result).hex(), flush=True)
