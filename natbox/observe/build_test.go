package observe_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// What packets of the tests are made of: gopacket's layers, as an independent writer.

func serialize(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	for i, l := range all {
		if i == 0 {
			continue
		}
		if under, ok := all[i-1].(gopacket.NetworkLayer); ok {
			switch l := l.(type) {
			case *layers.TCP:
				require.NoError(t, l.SetNetworkLayerForChecksum(under))
			case *layers.UDP:
				require.NoError(t, l.SetNetworkLayerForChecksum(under))
			}
		}
	}
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return b.Bytes()
}

func ip4(src, dst string, proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
}

func ip6(src, dst string, proto layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
}

func udp(src, dst layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: src, DstPort: dst} }

func tcp(src, dst layers.TCPPort, seq uint32, flags string) *layers.TCP {
	l := &layers.TCP{SrcPort: src, DstPort: dst, Seq: seq, Window: 1000}
	for _, f := range flags {
		switch f {
		case 'S':
			l.SYN = true
		case 'A':
			l.ACK = true
		case 'R':
			l.RST = true
		case 'F':
			l.FIN = true
		}
	}
	return l
}

const (
	alice, bob   = "10.0.0.1", "10.0.9.9"
	alice6, bob6 = "2001:db8::1", "2001:db8:9::9"
)

// family writes packets of one version of IP from alice to bob.
type family struct{ v6 bool }

func (f family) String() string { return map[bool]string{false: "IPv4", true: "IPv6"}[f.v6] }

func (f family) packet(t testing.TB, proto layers.IPProtocol, upper ...gopacket.SerializableLayer) []byte {
	t.Helper()
	var l gopacket.SerializableLayer = ip4(alice, bob, proto)
	if f.v6 {
		l = ip6(alice6, bob6, proto)
	}
	return serialize(t, append([]gopacket.SerializableLayer{l}, upper...)...)
}

func (f family) udp(t testing.TB, src, dst layers.UDPPort, data string) []byte {
	t.Helper()
	return f.packet(t, layers.IPProtocolUDP, udp(src, dst), gopacket.Payload(data))
}

func (f family) tcp(t testing.TB, l *layers.TCP, data string) []byte {
	t.Helper()
	return f.packet(t, layers.IPProtocolTCP, l, gopacket.Payload(data))
}

func (f family) echo(t testing.TB, seq uint16, data string) []byte {
	t.Helper()
	if !f.v6 {
		return f.packet(t, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 512, Seq: seq}, gopacket.Payload(data))
	}
	six := ip6(alice6, bob6, layers.IPProtocolICMPv6)
	l := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
	require.NoError(t, l.SetNetworkLayerForChecksum(six))
	return serialize(t, six, l, &layers.ICMPv6Echo{Identifier: 512, SeqNumber: seq}, gopacket.Payload(data))
}

// addrs are the addresses of alice and bob.
func (f family) addrs() (a, b netip.Addr) {
	if f.v6 {
		return netip.MustParseAddr(alice6), netip.MustParseAddr(bob6)
	}
	return netip.MustParseAddr(alice), netip.MustParseAddr(bob)
}

var families = []family{{}, {v6: true}}
