package reports

import (
	"encoding/binary"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// packet6 is packet over IPv6.
func packet6(t testing.TB, src, dst string, proto layers.IPProtocol, body ...gopacket.SerializableLayer) []byte {
	ip := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: proto, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
	for _, l := range body {
		if tl, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			require.NoError(t, tl.SetNetworkLayerForChecksum(ip))
		}
	}
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append([]gopacket.SerializableLayer{ip}, body...)...))
	return b.Bytes()
}

func TestDecodeIPv6(t *testing.T) {
	const a, b = "2001:db8::1", "2001:db8::2"
	target := net.ParseIP(b)
	tcp := packet6(t, a, b, layers.IPProtocolTCP, &layers.TCP{SrcPort: 1025, DstPort: 80, SYN: true, Seq: 5}, gopacket.Payload("data"))
	esp := packet6(t, a, b, layers.IPProtocolESP, gopacket.Payload("\x00\x00\x10\x01\x00\x00\x00\x09ciphertext......"))
	isakmp := packet6(t, a, b, layers.IPProtocolUDP, &layers.UDP{SrcPort: 500, DstPort: 500},
		gopacket.Payload("initiateresponse\x05\x10\x02\x01\x00\x00\x00\x00\x00\x00\x00\x1c"))
	fragment := func(offset, field uint16) []byte {
		h := make([]byte, 8)
		h[0] = byte(layers.IPProtocolESP)
		binary.BigEndian.PutUint16(h[2:], offset|field)
		return packet6(t, a, b, layers.IPProtocolIPv6Fragment, gopacket.Payload(append(h, "\x00\x00\x10\x01\x00\x00\x00\x09ciphertext......"...)))
	}
	solicitation := packet6(t, a, "ff02::1:ff00:2", layers.IPProtocolICMPv6,
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(135, 0)}, &layers.ICMPv6NeighborSolicitation{TargetAddress: target})
	advertisement := packet6(t, b, a, layers.IPProtocolICMPv6,
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(136, 0)}, &layers.ICMPv6NeighborAdvertisement{TargetAddress: target})
	tooBig := packet6(t, b, a, layers.IPProtocolICMPv6,
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(2, 0)}, gopacket.Payload("\x00\x00\x05\x14a quoted packet"))
	echo := packet6(t, a, b, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}, gopacket.Payload("\x00\x07\x00\x01data"))
	for _, c := range []struct {
		name           string
		packet         []byte
		class, summary string
	}{
		{"tcp", tcp, classClear, "tcp [2001:db8::1]:1025 → [2001:db8::2]:80 [SYN] seq 5 ack 0, 4 bytes of data"},
		{"esp", esp, classESP, "esp 2001:db8::1 → 2001:db8::2, SPI 0x00001001, sequence 9, 64 bytes"},
		{"main mode", isakmp, classIKE, "IKE [2001:db8::1]:500 → [2001:db8::2]:500, main mode, message id 0x00000000, 28 bytes, encrypted"},
		{"first fragment of esp", fragment(0, 1), classESP, "esp 2001:db8::1 → 2001:db8::2, SPI 0x00001001, sequence 9, 72 bytes, fragment: 24 bytes at 0, more follow"},
		{"last fragment of esp", fragment(1232, 0), classESP, "esp 2001:db8::1 → 2001:db8::2, 72 bytes, fragment: 24 bytes at 1232"},
		{"neighbour solicitation", solicitation, classND, "who has 2001:db8::2? tell 2001:db8::1"},
		{"neighbour advertisement", advertisement, classND, "2001:db8::2 is at "},
		{"packet too big", tooBig, classClear, "icmpv6 2001:db8::2 → 2001:db8::1, packet too big, next MTU 1300"},
		{"echo", echo, classClear, "icmpv6 2001:db8::1 → 2001:db8::2, echo request 7/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd}, c.packet...)
			for link, b := range map[pcapng.LinkType][]byte{pcapng.LinkRaw: c.packet, pcapng.LinkEthernet: frame} {
				d := decodeFrame(b, link)
				require.Equal(t, c.class, d.class)
				require.Contains(t, d.summary, c.summary)
				for n := range b { // every proper prefix: something is said, nothing panics
					require.NotEmpty(t, decodeFrame(b[:n], link).summary)
				}
			}
		})
	}
}
