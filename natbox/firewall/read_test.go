package firewall_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/firewall"
)

// What is read of a packet is what gopacket reads of it.
func TestReadAgainstGopacket(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	for range 3000 {
		src, dst := pick(in, in2), pick(out, out2)
		if r.IntN(2) == 0 {
			src, dst = in6, out6
		}
		var packet []byte
		switch r.IntN(5) {
		case 0:
			packet = udp(src, dst, r.IntN(1<<16), r.IntN(1<<16), make([]byte, r.IntN(100))...)
		case 1:
			packet = tcp(src, dst, r.IntN(1<<16), r.IntN(1<<16), pick("S", "SA", "A", "FA", "R", "RA"))
		case 2:
			if packet = icmp(src, dst, uint8(r.IntN(256)), uint8(r.IntN(256)), 9); src == in6 {
				packet = icmp6(src, dst, uint8(r.IntN(256)), uint8(r.IntN(256)), 0, 9, 0, 0)
			}
		case 3:
			packet = ip(src, dst, layers.IPProtocol(61+r.IntN(40)), gopacket.Payload(make([]byte, r.IntN(20))))
		case 4:
			if packet = udp(src, dst, 1, 2, make([]byte, 200)...); src != in6 {
				packet, _ = pieces(packet, 8*(1+r.IntN(20)))
				if r.IntN(2) == 0 {
					_, packet = pieces(udp(src, dst, 1, 2, make([]byte, 200)...), 8*(1+r.IntN(20)))
				}
			}
		}
		requireRead(t, packet)
	}
}

func requireRead(t *testing.T, packet []byte) {
	t.Helper()
	p, ok := firewall.Read(packet)
	require.True(t, ok)
	first := layers.LayerTypeIPv4
	if packet[0]>>4 == 6 {
		first = layers.LayerTypeIPv6
	}
	g := gopacket.NewPacket(packet, first, gopacket.Default)
	ends := g.NetworkLayer().NetworkFlow()
	require.Equal(t, ends.Src().Raw(), p.Src.AsSlice())
	require.Equal(t, ends.Dst().Raw(), p.Dst.AsSlice())
	if v4, ok := g.NetworkLayer().(*layers.IPv4); ok {
		require.Equal(t, uint8(v4.Protocol), p.Proto)
		require.Equal(t, int(v4.FragOffset)*8, p.Offset)
		require.Equal(t, v4.FragOffset > 0, p.Later)
		require.Equal(t, v4.FragOffset > 0 || v4.Flags&layers.IPv4MoreFragments != 0, p.Fragment)
		require.Equal(t, uint32(v4.Id), p.ID)
	}
	if l, ok := g.Layer(layers.LayerTypeUDP).(*layers.UDP); ok && !p.Later {
		require.Equal(t, [2]uint16{uint16(l.SrcPort), uint16(l.DstPort)}, [2]uint16{p.SrcPort, p.DstPort})
	}
	if l, ok := g.Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
		require.Equal(t, [2]uint16{uint16(l.SrcPort), uint16(l.DstPort)}, [2]uint16{p.SrcPort, p.DstPort})
		require.Equal(t, [4]bool{l.FIN, l.SYN, l.RST, l.ACK}, [4]bool{p.Flags&1 != 0, p.Flags&2 != 0, p.Flags&4 != 0, p.Flags&16 != 0})
	}
	if l, ok := g.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok {
		require.Equal(t, [2]uint8{l.TypeCode.Type(), l.TypeCode.Code()}, [2]uint8{p.ICMPType, p.ICMPCode})
	}
	if l, ok := g.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok {
		require.Equal(t, [2]uint8{l.TypeCode.Type(), l.TypeCode.Code()}, [2]uint8{p.ICMPType, p.ICMPCode})
	}
}

// Behind extension headers, and in fragments, IPv6 is read as well.
func TestReadIPv6(t *testing.T) {
	body := udp(in6, out6, 500, 4500, 1, 2, 3, 4)[40:]
	chain := func(next byte, headers ...byte) []byte {
		b := append([]byte{0x60, 0, 0, 0, 0, byte(len(headers) + len(body)), next, 64}, netip.MustParseAddr(in6).AsSlice()...)
		b = append(b, netip.MustParseAddr(out6).AsSlice()...)
		return append(append(b, headers...), body...)
	}
	p, ok := firewall.Read(chain(60, 17, 0, 1, 4, 0, 0, 0, 0)) // destination options with padding
	require.True(t, ok)
	require.Equal(t, [3]uint16{17, 500, 4500}, [3]uint16{uint16(p.Proto), p.SrcPort, p.DstPort})
	require.False(t, p.Fragment)

	p, ok = firewall.Read(chain(44, 17, 0, 0, 1, 0, 0, 0, 9)) // the first fragment
	require.True(t, ok)
	require.True(t, p.Fragment)
	require.False(t, p.Later)
	require.Equal(t, uint32(9), p.ID)
	require.Equal(t, uint16(500), p.SrcPort)

	p, ok = firewall.Read(chain(44, 17, 0, 0, 0x41, 0, 0, 0, 9)) // one at 64
	require.True(t, ok)
	require.True(t, p.Later)
	require.Equal(t, 64, p.Offset)
	require.Equal(t, uint8(17), p.Proto)
	require.Zero(t, p.SrcPort)

	for _, broken := range [][]byte{nil, {0x60}, {0x45, 0}, chain(60, 17, 9), append([]byte{0x4f}, make([]byte, 30)...)} {
		_, ok := firewall.Read(broken)
		require.False(t, ok, "%x", broken)
	}
}
