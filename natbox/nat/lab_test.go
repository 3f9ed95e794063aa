package nat

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// bench is a NAT under test, with the time. What it sends and what it judges is gopacket's.
type bench struct {
	t   testing.TB
	nat *Table
	now time.Duration
	log []Event
}

func newBench(t testing.TB, c Config) *bench {
	if c.Outside == nil {
		c.Outside = []netip.Addr{netip.MustParseAddr("203.0.113.1")}
	}
	n, err := New(c, rand.New(rand.NewPCG(1, 2)))
	require.NoError(t, err)
	b := &bench{t: t, nat: n}
	n.Trace = func(e Event) { b.log = append(b.log, e) }
	return b
}

func udpPacket(t testing.TB, from, to, payload string) []byte {
	src, dst := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP(src.Addr().AsSlice()), DstIP: net.IP(dst.Addr().AsSlice())}
	u := &layers.UDP{SrcPort: layers.UDPPort(src.Port()), DstPort: layers.UDPPort(dst.Port())}
	require.NoError(t, u.SetNetworkLayerForChecksum(ip))
	buf := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, u, gopacket.Payload(payload)))
	return buf.Bytes()
}

// out sends UDP from the inside and tells what leaves, as "from > to", or why nothing does.
func (b *bench) out(from, to string) string {
	return b.tell(b.nat.Outbound(b.now, udpPacket(b.t, from, to, "out")))
}

func (b *bench) in(from, to string) string {
	return b.tell(b.nat.Inbound(b.now, udpPacket(b.t, from, to, "in")))
}

func (b *bench) tell(r Result) string {
	if r.Packets == nil {
		return r.Why
	}
	require.Len(b.t, r.Packets, 1)
	p := gopacket.NewPacket(r.Packets[0], layers.LayerTypeIPv4, gopacket.Default)
	require.Nil(b.t, p.ErrorLayer())
	require.Empty(b.t, badChecksums(r.Packets[0]))
	ip := p.NetworkLayer().(*layers.IPv4)
	u := p.TransportLayer().(*layers.UDP)
	src, _ := netip.AddrFromSlice(ip.SrcIP)
	dst, _ := netip.AddrFromSlice(ip.DstIP)
	return netip.AddrPortFrom(src, uint16(u.SrcPort)).String() + " > " + netip.AddrPortFrom(dst, uint16(u.DstPort)).String()
}

func TestFirst(t *testing.T) {
	b := newBench(t, Config{})
	require.Equal(t, "203.0.113.1:4000 > 198.51.100.1:7000", b.out("192.168.0.1:4000", "198.51.100.1:7000"))
	require.Equal(t, "198.51.100.1:7000 > 192.168.0.1:4000", b.in("198.51.100.1:7000", "203.0.113.1:4000"))
	require.Equal(t, "203.0.113.1:4001 > 198.51.100.1:7000", b.out("192.168.0.2:4000", "198.51.100.1:7000"))
	require.Equal(t, "no mapping has this outside endpoint", b.in("198.51.100.1:7000", "203.0.113.1:5000"))
	b.now = 5 * time.Minute
	require.Equal(t, "no mapping has this outside endpoint", b.in("198.51.100.1:7000", "203.0.113.1:4000"))
	require.Empty(t, b.nat.Mappings(b.now))
}
