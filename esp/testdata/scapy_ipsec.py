# Seals and opens packets with scapy, for scapy_test.go.
# Reads one JSON object per line and answers each with one line of hexadecimal.
import json
import sys

from scapy.config import conf

conf.verb = 0
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP, SecurityAssociation
from scapy.packet import bind_layers, split_layers

CIPHERS = {"null": "NULL", "des-cbc": "DES", "3des-cbc": "3DES", "cbc": "AES-CBC", "gcm16": "AES-GCM"}
AUTHS = {
    "": None,
    "hmac-md5-96": "HMAC-MD5-96",
    "hmac-sha1-96": "HMAC-SHA1-96",
    "hmac-sha256-128": "SHA2-256-128",
    "hmac-sha384-192": "SHA2-384-192",
    "hmac-sha512-256": "SHA2-512-256",
}


def datagram(data):
    return IPv6(data) if data[0] >> 4 == 6 else IP(data)


def association(layer, tunnel):
    extra = {"auth_algo": AUTHS[layer["auth"]], "auth_key": bytes.fromhex(layer["auth_key"]) or None}
    if tunnel:
        extra["tunnel_header"] = datagram(bytes.fromhex(tunnel))
    if layer["protocol"] == "AH":
        return SecurityAssociation(AH, spi=layer["spi"], **extra)
    name = layer["cipher"]
    return SecurityAssociation(
        ESP,
        spi=layer["spi"],
        crypt_algo=CIPHERS.get(name) or CIPHERS[name.split("-")[1]],
        crypt_key=bytes.fromhex(layer["cipher_key"]) or None,
        **extra
    )


def run(layer, packet, operation):
    """One layer. While AH is at work ESP stays raw, or scapy would take the ICV for that of the ESP inside."""
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
    # Innermost first; the innermost makes the tunnel.
    layers = [(l, association(l, job["tunnel"] if i == 0 else "")) for i, l in enumerate(job["layers"])]
    if job["do"] == "seal":
        for layer, sa in layers:
            iv = {"iv": bytes.fromhex(layer["iv"])} if layer["protocol"] == "ESP" else {}
            packet = run(layer, packet, lambda p: sa.encrypt(p, seq_num=layer["seq"], **iv))
    else:
        for layer, sa in reversed(layers):
            packet = run(layer, packet, sa.decrypt)
    print(packet.hex(), flush=True)
