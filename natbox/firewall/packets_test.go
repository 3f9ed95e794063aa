package firewall_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/firewall"
)

// Addresses of the tests: in is inside, out outside.
const (
	in, in2   = "10.0.0.5", "10.0.0.6"
	out, out2 = "192.0.2.9", "192.0.2.10"
	in6, out6 = "2001:db8:1::5", "2001:db8:2::9"
)

// wall is a firewall with the segment lan inside and net outside, at a time of its own.
type wall struct {
	*firewall.Firewall
	t   *testing.T
	now time.Duration
}

func newWall(t *testing.T, c firewall.Config) *wall {
	c.Inside = []string{"lan"}
	f, err := firewall.New(c)
	require.NoError(t, err)
	return &wall{Firewall: f, t: t}
}

// judge has a packet cross from the segment of its source to that of its destination,
// and gives the reason of the drop.
func (w *wall) judge(packet []byte) string {
	p, ok := firewall.Read(packet)
	require.True(w.t, ok)
	segment := func(a netip.Addr) string {
		if a == netip.MustParseAddr(in) || a == netip.MustParseAddr(in2) || a == netip.MustParseAddr(in6) {
			return "lan"
		}
		return "net"
	}
	return w.Judge(w.now, firewall.Crossing{Packet: packet, From: segment(p.Src), To: segment(p.Dst)}).Why
}

func (w *wall) passes(packet []byte, msg ...any) {
	w.t.Helper()
	require.Empty(w.t, w.judge(packet), msg...)
}

func (w *wall) drops(why string, packet []byte) {
	w.t.Helper()
	require.Equal(w.t, why, w.judge(packet))
}

// ip puts layers behind an IP header. A protocol that the layers do not name is proto.
func ip(src, dst string, proto layers.IPProtocol, upper ...gopacket.SerializableLayer) []byte {
	return ipWith(src, dst, proto, func(*layers.IPv4) {}, upper...)
}

func ipWith(src, dst string, proto layers.IPProtocol, change func(*layers.IPv4), upper ...gopacket.SerializableLayer) []byte {
	var header gopacket.SerializableLayer
	var network gopacket.NetworkLayer
	if a := netip.MustParseAddr(src); a.Is4() {
		v4 := &layers.IPv4{Version: 4, TTL: 64, Id: 7, Protocol: proto, SrcIP: net.ParseIP(src).To4(), DstIP: net.ParseIP(dst).To4()}
		change(v4)
		header, network = v4, v4
	} else {
		v6 := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
		header, network = v6, v6
	}
	for _, l := range upper {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := l.SetNetworkLayerForChecksum(network); err != nil {
				panic(err)
			}
		}
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		append([]gopacket.SerializableLayer{header}, upper...)...)
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

func udp(src, dst string, from, to int, payload ...byte) []byte {
	return ip(src, dst, layers.IPProtocolUDP, &layers.UDP{SrcPort: layers.UDPPort(from), DstPort: layers.UDPPort(to)}, gopacket.Payload(payload))
}

// tcp is a segment with flags: S, A, F, R.
func tcp(src, dst string, from, to int, flags string) []byte {
	t := &layers.TCP{SrcPort: layers.TCPPort(from), DstPort: layers.TCPPort(to), Window: 1000}
	for _, f := range flags {
		switch f {
		case 'S':
			t.SYN = true
		case 'A':
			t.ACK = true
		case 'F':
			t.FIN = true
		case 'R':
			t.RST = true
		}
	}
	return ip(src, dst, layers.IPProtocolTCP, t)
}

func esp(src, dst string) []byte {
	return ip(src, dst, layers.IPProtocolESP, gopacket.Payload([]byte{0, 0, 1, 2, 0, 0, 0, 1, 9, 9, 9, 9}))
}

func ah(src, dst string) []byte {
	return ip(src, dst, layers.IPProtocolAH, gopacket.Payload(make([]byte, 24)))
}

func icmp(src, dst string, typ, code uint8, id uint16, payload ...byte) []byte {
	return ip(src, dst, layers.IPProtocolICMPv4,
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, code), Id: id, Seq: 1}, gopacket.Payload(payload))
}

func icmp6(src, dst string, typ, code uint8, payload ...byte) []byte {
	return ip(src, dst, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, code)}, gopacket.Payload(payload))
}

// pieces are two fragments of a datagram of IPv4, cut behind n bytes of its payload.
func pieces(packet []byte, n int) (first, second []byte) {
	p := gopacket.NewPacket(packet, layers.LayerTypeIPv4, gopacket.Default).NetworkLayer().(*layers.IPv4)
	piece := func(at int, payload []byte, flags layers.IPv4Flag) []byte {
		return ipWith(p.SrcIP.String(), p.DstIP.String(), p.Protocol, func(h *layers.IPv4) {
			h.FragOffset, h.Flags = uint16(at/8), flags
		}, gopacket.Payload(payload))
	}
	return piece(0, p.Payload[:n], layers.IPv4MoreFragments), piece(n, p.Payload[n:], 0)
}
