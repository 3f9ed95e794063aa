package reports

import (
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/pcapng"
)

func ethernet(kind byte, rest []byte) []byte {
	return append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, kind}, rest...)
}

func TestDecode(t *testing.T) {
	const a, b = "10.0.0.1", "10.0.0.2"
	tcp := packet(t, a, b, layers.IPProtocolTCP, &layers.TCP{SrcPort: 1025, DstPort: 80, SYN: true, Seq: 5}, gopacket.Payload(nil))
	udp := packet(t, a, b, layers.IPProtocolUDP, &layers.UDP{SrcPort: 5, DstPort: 7}, gopacket.Payload("hello"))
	esp := packet(t, a, b, layers.IPProtocolESP, gopacket.Payload("\x00\x00\x10\x01\x00\x00\x00\x09ciphertext......"))
	more := func(p []byte) []byte {
		p = append([]byte{}, p...)
		p[6] |= 0x20
		return p
	}
	later := func(p []byte) []byte {
		p = append([]byte{}, p...)
		p[7] = 185 // 1480 bytes
		return p
	}
	needed := packet(t, a, b, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 4), Seq: 1300}, gopacket.Payload(make([]byte, 28)))
	isakmp := packet(t, a, b, layers.IPProtocolUDP, &layers.UDP{SrcPort: 500, DstPort: 500},
		gopacket.Payload("initiateresponse\x05\x10\x02\x01\x00\x00\x00\x00\x00\x00\x00\x1c"))
	udp4500 := func(data string) []byte {
		return packet(t, a, b, layers.IPProtocolUDP, &layers.UDP{SrcPort: 1024, DstPort: 4500}, gopacket.Payload(data))
	}
	udp500 := func(data string) []byte {
		return packet(t, a, b, layers.IPProtocolUDP, &layers.UDP{SrcPort: 500, DstPort: 500}, gopacket.Payload(data))
	}
	arp := []byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2}
	for _, c := range []struct {
		name           string
		frame          []byte
		class, summary string
	}{
		{"tcp", ethernet(0, tcp), classClear, "tcp 10.0.0.1:1025 → 10.0.0.2:80 [SYN] seq 5 ack 0, 0 bytes of data"},
		{"udp", ethernet(0, udp), classClear, "udp 10.0.0.1:5 → 10.0.0.2:7, 5 bytes of data"},
		{"esp", ethernet(0, esp), classESP, "esp 10.0.0.1 → 10.0.0.2, SPI 0x00001001, sequence 9, 44 bytes"},
		{"first fragment of esp", ethernet(0, more(esp)), classESP, "esp 10.0.0.1 → 10.0.0.2, SPI 0x00001001, sequence 9, 44 bytes, fragment: 24 bytes at 0, more follow"},
		{"last fragment of esp", ethernet(0, later(esp)), classESP, "esp 10.0.0.1 → 10.0.0.2, 44 bytes, fragment: 24 bytes at 1480"},
		{"first fragment of udp", ethernet(0, more(udp)), classClear, "udp 10.0.0.1:5 → 10.0.0.2:7, 5 bytes of data, fragment: 13 bytes at 0, more follow"},
		{"fragmentation needed", ethernet(0, needed), classClear, "icmp 10.0.0.1 → 10.0.0.2, fragmentation needed, next MTU 1300"},
		{"main mode", ethernet(0, isakmp), classIKE, "IKE 10.0.0.1:500 → 10.0.0.2:500, main mode, message id 0x00000000, 28 bytes, encrypted"},
		{"main mode on port 4500", ethernet(0, udp4500("\x00\x00\x00\x00initiateresponse\x05\x10\x02\x01\x00\x00\x00\x00\x00\x00\x00\x1c")), classIKE, "IKE 10.0.0.1:1024 → 10.0.0.2:4500, main mode, message id 0x00000000, 28 bytes, encrypted"},
		{"esp in udp", ethernet(0, udp4500("\x00\x00\x10\x01\x00\x00\x00\x09ciphertext......")), classESP, "esp in udp 10.0.0.1:1024 → 10.0.0.2:4500, SPI 0x00001001, sequence 9, 52 bytes"},
		{"esp in udp on port 500", ethernet(0, udp500("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x01\x00\x00\x00\x09ciphertext......")), classESP, "esp in udp 10.0.0.1:500 → 10.0.0.2:500, SPI 0x00001001, sequence 9, 60 bytes"},
		{"keep-alive", ethernet(0, udp4500("\xff")), classAlive, "NAT keep-alive 10.0.0.1:1024 → 10.0.0.2:4500"},
		{"arp", ethernet(6, arp), classARP, "who has 10.0.0.2? tell 10.0.0.1"},
		{"something else", ethernet(0x99, []byte{1, 2, 3}), classOther, "Ethernet type 0x0899, 17 bytes"},
		{"nothing", nil, classOther, "0 bytes, cannot be decoded: Ethernet packet too small"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decodeFrame(c.frame, pcapng.LinkEthernet)
			require.Equal(t, c.class, d.class)
			require.Equal(t, c.summary, d.summary)
			for n := range c.frame { // every proper prefix: something is said, nothing panics
				require.NotEmpty(t, decodeFrame(c.frame[:n], pcapng.LinkEthernet).summary)
			}
		})
	}
}

func TestInnerPacketsMayBeCut(t *testing.T) {
	whole := packet(t, "10.0.0.1", "10.0.0.2", layers.IPProtocolTCP, &layers.TCP{SrcPort: 1025, DstPort: 80, ACK: true, Seq: 5, Ack: 6}, gopacket.Payload(make([]byte, 1000)))
	require.Equal(t, "tcp 10.0.0.1:1025 → 10.0.0.2:80 [ACK] seq 5 ack 6, 1000 bytes of data", decodeInner(whole[:160]).summary)
}
