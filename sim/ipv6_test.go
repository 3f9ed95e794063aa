package sim

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// frame6 is an IPv6 frame that gopacket makes.
func frame6(t testing.TB, dst, src macAddr, proto layers.IPProtocol, from, to string, more ...gopacket.SerializableLayer) []byte {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: src[:], DstMAC: dst[:], EthernetType: layers.EthernetTypeIPv6}
	ip := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: proto, SrcIP: net.ParseIP(from), DstIP: net.ParseIP(to)}
	for _, l := range more {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			require.NoError(t, l.SetNetworkLayerForChecksum(ip))
		}
	}
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		append([]gopacket.SerializableLayer{eth, ip}, more...)...))
	return b.Bytes()
}

// solicit is a neighbour solicitation for an address, sent to its group.
func solicit(t testing.TB, src macAddr, from, target string) []byte {
	a := netip.MustParseAddr(target).As16()
	group := netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]})
	return frame6(t, macAddr{0x33, 0x33, 0xff, a[13], a[14], a[15]}, src, layers.IPProtocolICMPv6, from, group.String(),
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(135, 0)}, &layers.ICMPv6NeighborSolicitation{TargetAddress: a[:]})
}

// A solicitation reaches the port that has the address, and all others only when
// none has it or it looks for a duplicate.
func TestNeighbourSolicitationsDoNotFlood(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a, b, c := attach(t, s, "a", "2001:db8::1"), attach(t, s, "b", "fe80::2", "2001:db8::2"), attach(t, s, "c", "10.0.0.3")
	for _, tt := range []struct {
		name          string
		from, target  string
		atB, atC, atA int
	}{
		{"for an address of b", "2001:db8::1", "2001:db8::2", 1, 0, 0},
		{"for its link-local address", "fe80::1", "fe80::2", 1, 0, 0},
		{"for an address that nobody has", "2001:db8::1", "2001:db8::9", 1, 1, 0},
		{"for the sender's own", "2001:db8::1", "2001:db8::1", 1, 1, 0},
		{"duplicate address detection", "::", "2001:db8::2", 1, 1, 0},
	} {
		a.got, b.got, c.got = nil, nil, nil
		a.Send(solicit(t, a.MAC(), tt.from, tt.target), "")
		run(t, w, 0)
		require.Equal(t, []int{tt.atB, tt.atC, tt.atA}, []int{len(b.got), len(c.got), len(a.got)}, tt.name)
	}
	b.got, c.got = nil, nil
	a.Send(frame6(t, macAddr{0x33, 0x33, 0, 0, 0, 1}, a.MAC(), layers.IPProtocolICMPv6, "fe80::1", "ff02::1",
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(136, 0)}, &layers.ICMPv6NeighborAdvertisement{TargetAddress: net.ParseIP("2001:db8::2")}), "")
	run(t, w, 0)
	require.Equal(t, []int{1, 1}, []int{len(b.got), len(c.got)}, "an advertisement to all nodes is for all")
}

func TestFilterReadsIPv6(t *testing.T) {
	prefix := netip.MustParsePrefix
	one, two := macAddr{2, 1}, macAddr{2, 2}
	const from, to = "2001:db8:1::1", "2001:db8:2::2"
	udp := frame6(t, one, two, layers.IPProtocolUDP, from, to, &layers.UDP{SrcPort: 500, DstPort: 4500}, gopacket.Payload("x"))
	ping := frame6(t, one, two, layers.IPProtocolICMPv6, from, to, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}, gopacket.Payload("xxxx"))
	// Hop-by-hop and destination options before TCP.
	tcp := frame6(t, one, two, layers.IPProtocolIPv6HopByHop, from, to,
		gopacket.Payload("\x3c\x00\x01\x04\x00\x00\x00\x00"+"\x06\x00\x01\x04\x00\x00\x00\x00"+"\x04\x01\x00\x50"+"0123456789abcdef"))
	fragment := func(offset uint16) []byte {
		h := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{17, 0}, offset|1), 7)
		return frame6(t, one, two, layers.IPProtocolIPv6Fragment, from, to, gopacket.Payload(append(h, "\x01\xf4\x11\x94\x00\x10\x00\x00payload!"...)))
	}
	for _, tt := range []struct {
		filter Filter
		frame  []byte
		want   bool
	}{
		{Filter{}, udp, true},
		{Filter{EtherType: 0x86dd}, udp, true},
		{Filter{EtherType: 0x0800}, udp, false},
		{Filter{EtherType: 0x86dd, Protocol: 17}, udp, true},
		{Filter{Protocol: 17}, udp, true},
		{Filter{Protocol: 58}, udp, false},
		{Filter{Protocol: 58}, ping, true},
		{Filter{Protocol: 1}, ping, false},
		{Filter{Protocol: 6}, tcp, true},
		{Filter{Protocol: 0, DestinationPort: 80}, tcp, true},
		{Filter{Protocol: 6, SourcePort: 1025}, tcp, true},
		{Filter{Port: 81}, tcp, false},
		{Filter{Protocol: 17, Port: 500}, fragment(0), true},
		{Filter{Protocol: 17, Port: 500}, fragment(1232), false},
		{Filter{Protocol: 17}, fragment(1232), true},
		{Filter{Fragments: true}, fragment(1232), true},
		{Filter{Fragments: true}, fragment(0), true},
		{Filter{Fragments: true}, udp, false},
		{Filter{Source: prefix("2001:db8:1::/48")}, udp, true},
		{Filter{Source: prefix("2001:db8:2::/48")}, udp, false},
		{Filter{Destination: prefix("2001:db8:2::2/128"), Port: 4500}, udp, true},
		{Filter{Destination: prefix("10.0.0.0/8")}, udp, false},
		{Filter{Destination: prefix("::/0")}, udp, true},
	} {
		require.NoError(t, tt.filter.check())
		require.Equal(t, tt.want, tt.filter.Matches(tt.frame), "%s: %x", &tt.filter, tt.frame)
		require.Equal(t, tt.want && tt.filter.EtherType == 0 || tt.want && tt.filter.EtherType == 0x86dd,
			tt.filter.matches(PointToPoint, tt.frame[etherHeader:]), "%s, without the Ethernet header", &tt.filter)
	}
	f := Filter{Protocol: 6, Port: 80}
	for n := range len(tcp) {
		require.Equal(t, n >= etherHeader+40+16+4, f.Matches(tcp[:n]), "the first %d bytes", n)
	}
	require.Equal(t, "icmpv6 from 2001:db8::/32", (&Filter{Protocol: 58, Source: prefix("2001:db8::/32")}).String())
}
