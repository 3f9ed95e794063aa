package scenarios

import (
	"encoding/binary"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// frames that a host with a policy could send, and what the oracle says of them.
func TestWireOracleJudgesFrames(t *testing.T) {
	s, err := spec.ParseFS(Catalogue(), "app_sql_as_corrected.yaml")
	require.NoError(t, err)
	l, err := build(s, Options{}, nil, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.close()) }()
	sql := l.hosts["sql"]
	ip := func(src string, proto layers.IPProtocol, offset uint16, more bool) *layers.IPv4 {
		p := &layers.IPv4{
			Version: 4, TTL: 64, Id: 7, Protocol: proto, SrcIP: net.ParseIP(src).To4(), DstIP: net.IP{10, 2, 0, 10}, FragOffset: offset,
		}
		if more {
			p.Flags = layers.IPv4MoreFragments
		}
		return p
	}
	frame := func(etherType layers.EthernetType, ls ...gopacket.SerializableLayer) []byte {
		b := gopacket.NewSerializeBuffer()
		eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: etherType}
		err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, append([]gopacket.SerializableLayer{eth}, ls...)...)
		require.NoError(t, err)
		return append([]byte(nil), b.Bytes()...)
	}
	// A fragment of options, and what stands behind them: RFC 8200, Sections 4.5 and 4.6.
	fragment6 := func(offset uint16, data gopacket.Payload) []gopacket.SerializableLayer {
		head := gopacket.Payload{60, 0, byte(offset >> 5), byte(offset<<3) | 1, 0, 0, 0, 7}
		return []gopacket.SerializableLayer{
			&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolIPv6Fragment, SrcIP: net.ParseIP("2001:db8::20"), DstIP: net.ParseIP("2001:db8::10")}, head, data,
		}
	}
	const mine = "10.2.0.20"
	udp := func(src, dst uint16, data ...byte) []byte {
		head := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, src), dst)
		head = binary.BigEndian.AppendUint16(head, uint16(8+len(data)))
		return frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolUDP, 0, false), gopacket.Payload(append(append(head, 0, 0), data...)))
	}
	for _, dst := range []string{"10.2.0.10", "2001:db8::10"} {
		l.oracle.spis[outboundSPI{"sql", dst, ipsec.ESP.String(), 0x01020304}] = true
	}
	answer := gopacket.Payload{0x05, 0x99, 0x04, 0x01, 0, 0, 0, 0} // from port 1433
	for _, c := range []struct {
		name  string
		frame []byte
		why   string // "": innocent
	}{
		{"ARP", frame(layers.EthernetTypeARP, gopacket.Payload(make([]byte, 28))), ""},
		{"IKE", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolUDP, 0, false), gopacket.Payload{1, 0xf4, 1, 0xf4, 0, 8, 0, 0}), ""},
		{"IKE behind the marker", udp(4500, 4500, 0, 0, 0, 0, 1, 2, 3, 4), ""},
		{"a keep-alive", udp(4500, 4500, 0xff), ""},
		{"ESP in UDP under an SA", udp(4500, 1024, 1, 2, 3, 4, 0, 0, 0, 1), ""},
		{"the same behind the older marker", udp(500, 500, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 1), ""},
		{"clear data that call themselves ESP in UDP", udp(4500, 4500, 'c', 'l', 'e', 'a', 'r', '!', '!', '!'), "no SA of the host has the SPI 0x636c6561"},
		{"on the older port", udp(500, 500, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0, 1), "no SA of the host has the SPI 0x09090909"},
		{"an application's datagram to that port", udp(1433, 4500, 'd', 'a', 't', 'a'), "its action is block"},
		{"the application's answer in the clear", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolTCP, 0, false), answer), "its action is negotiate"},
		{"what the policy blocks", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolICMPv4, 0, false), gopacket.Payload{8, 0, 0, 0}), "its action is block"},
		{"another's source address", frame(layers.EthernetTypeIPv4, ip("10.2.0.99", layers.IPProtocolICMPv4, 0, false), gopacket.Payload{8, 0, 0, 0}), "its action is block"},
		{"a fragment without its first", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolTCP, 100, false), gopacket.Payload("data")), "its action is"},
		{"the clear under the name of ESP", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolESP, 0, false), gopacket.Payload("plain text")), "no SA of the host has the SPI"},
		{"the clear under the name of AH", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolAH, 0, false), gopacket.Payload("0000plain text")), "no SA of the host has the SPI"},
		{"the clear as a fragment of ESP", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolESP, 100, false), gopacket.Payload("plain text")), "no first one"},
		{"the clear as a fragment of AH", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolAH, 100, false), gopacket.Payload("plain text")), "no first one"},
		{"the first fragment of ESP", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolESP, 0, true), gopacket.Payload{1, 2, 3, 4, 0, 0, 0, 1}), ""},
		{"another of it", frame(layers.EthernetTypeIPv4, ip(mine, layers.IPProtocolESP, 1, false), gopacket.Payload("ciphertext")), ""},
		{"the first fragment of ESP over IPv6, behind options", frame(layers.EthernetTypeIPv6, fragment6(0, gopacket.Payload{50, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 1})...), ""},
		{"another of that", frame(layers.EthernetTypeIPv6, fragment6(2, gopacket.Payload("ciphertext"))...), ""},
		{"a VLAN tag before the packet", frame(layers.EthernetTypeDot1Q, gopacket.Payload{0, 1, 8, 0, 0x45}), "cannot be read"},
		{"IPv6", frame(layers.EthernetTypeIPv6, gopacket.Payload(make([]byte, 40))), "cannot be read"},
	} {
		before := len(l.oracle.violations)
		sql.Interfaces()[0].Send(c.frame, "")
		if c.why == "" {
			require.Len(t, l.oracle.violations, before, c.name)
			continue
		}
		require.Len(t, l.oracle.violations, before+1, c.name)
		require.Contains(t, l.oracle.violations[before].Why, c.why, c.name)
	}
}
