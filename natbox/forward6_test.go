package natbox

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/sim"
)

func TestForwardIPv6(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	sent := p.a.sendUDP("2001:db8:2::2", 100, func(ip *layers.IPv6) { ip.TrafficClass, ip.FlowLabel = 0xb8, 0x12345 })
	p.run()
	got := p.b.take()
	require.Len(t, got, 1)
	want := append([]byte(nil), sent...)
	want[7]-- // the hop limit, and nothing else
	require.Equal(t, want, got[0].Data()[14:])
	require.Len(t, p.b.asked, 1, "one solicitation")
	ns := p.b.asked[0].Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	require.Equal(t, "ff02::1:ff00:2", ns.DstIP.String(), "to the solicited-node group")
	require.Equal(t, []byte{0x33, 0x33, 0xff, 0, 0, 2}, p.b.asked[0].Data()[:6])

	p.a.sendUDP("2001:db8:9::77", 10, nil)
	p.run()
	require.Len(t, p.c.take(), 1, "the static route")
	c := p.r.Counters()
	require.Equal(t, []uint64{2, 2, 2, 0, 0}, []uint64{c.Received, c.Forwarded, c.Solicitations, c.ARPRequests, c.Delivered})
}

// The hop limit ends a packet's way: RFC 4443, Section 3.3.
func TestHopLimit(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	p.warm()
	for hops, arrives := range map[uint8]bool{0: false, 1: false, 2: true} {
		sent := p.a.sendUDP("2001:db8:2::2", 10, func(ip *layers.IPv6) { ip.HopLimit = hops })
		p.run()
		got := p.b.take()
		require.Equal(t, arrives, len(got) == 1, "%d", hops)
		if arrives {
			require.Equal(t, uint8(1), got[0].Layer(layers.LayerTypeIPv6).(*layers.IPv6).HopLimit)
		} else {
			p.a.icmpError(3, 0, "2001:db8:1::1", sent)
		}
	}
}

// No router fragments: RFC 8200, Section 5. It tells the MTU of the next link.
func TestPacketTooBig(t *testing.T) {
	p := newPair6(t, 1400, Settings{})
	p.warm()
	p.a.sendUDP("2001:db8:2::2", 1400-48, nil)
	p.run()
	require.Len(t, p.b.take(), 1, "what fits goes on")
	sent := p.a.sendUDP("2001:db8:2::2", 1400-48+1, nil)
	p.run()
	require.Empty(t, p.b.take())
	rest := p.a.icmpError(2, 0, "2001:db8:1::1", sent)
	require.Equal(t, uint32(1400), binary.BigEndian.Uint32(rest[:]))
	require.Zero(t, p.r.Counters().Fragmented)
}

func TestUnreachable6(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	p.warm()
	sent := p.a.sendUDP("2001:db8:77::1", 10, nil)
	p.run()
	p.a.icmpError(1, 0, "2001:db8:1::1", sent) // no route

	p.b.mute = true
	sent = p.a.sendUDP("2001:db8:2::88", 10, nil)
	start := p.w.Now()
	p.run()
	p.a.icmpError(1, 3, "2001:db8:1::1", sent) // address unreachable
	require.GreaterOrEqual(t, p.w.Now()-start, 3*time.Second, "three solicitations, a second apart")
}

// What must not be forwarded is not, and nobody hears of it but where RFC 4443 says so.
func TestNotForwarded6(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	p.warm()
	for _, tt := range []struct {
		name   string
		change func(*layers.IPv6)
		why    string
	}{
		{"multicast", func(ip *layers.IPv6) { ip.DstIP = net.ParseIP("ff0e::1") }, "multicast is not forwarded"},
		{"unspecified source", func(ip *layers.IPv6) { ip.SrcIP = net.IPv6unspecified }, "source is not the address of a host"},
		{"multicast source", func(ip *layers.IPv6) { ip.SrcIP = net.ParseIP("ff02::1") }, "source is not the address of a host"},
		{"loopback", func(ip *layers.IPv6) { ip.DstIP = net.IPv6loopback }, "destination is not the address of a host"},
		{"the router's own address", func(ip *layers.IPv6) { ip.SrcIP = net.ParseIP("2001:db8:2::1") }, "source is the router's own address"},
		{"link-local destination", func(ip *layers.IPv6) { ip.DstIP = net.ParseIP("fe80::99") }, "link-local addresses are not forwarded"},
	} {
		p.a.sendUDP("2001:db8:2::2", 10, tt.change)
		p.run()
		require.Empty(t, p.a.take(), tt.name)
		require.Empty(t, p.b.take(), tt.name)
		require.Equal(t, uint64(1), p.r.Counters().Dropped(tt.why), tt.name)
		p.r.counters.drops = [numReasons]uint64{}
	}
	// A link-local source reaches its own link alone, and is told: RFC 4443, Section 3.1, code 2.
	p.a.addr = netip.MustParseAddr("fe80::a")
	sent := p.a.sendUDP("2001:db8:2::2", 10, nil)
	p.wait(time.Second)
	require.Empty(t, p.b.take())
	p.a.icmpError(1, 2, ipv6.LinkLocal(p.a.router).Addr().String(), sent)
}

// No error about an error, RFC 4443, Section 2.4(e.1).
func TestNoErrorAboutAnError6(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	p.warm()
	p.a.sendICMP("2001:db8:77::1", 64, 1, gopacket.Payload("unused..quoted"))
	p.run()
	require.Empty(t, p.a.take())
	sent := p.a.sendICMP("2001:db8:77::1", 64, 128, gopacket.Payload("idsq"))
	p.run()
	p.a.icmpError(1, 0, "2001:db8:1::1", sent)
}

// On a point-to-point line the router sends and takes bare packets, and asks nobody
// for an address.
func TestPointToPointLine(t *testing.T) {
	l := newLab(t)
	line, err := l.w.NewSegment("line", sim.SegmentConfig{Medium: sim.PointToPoint, MTU: 1400})
	require.NoError(t, err)
	l.segments["line"] = line
	l.segment("right", 1500)
	prefix := netip.MustParsePrefix
	r := l.router(RouterConfig{Name: "r", Interfaces: []Interface{
		{line, []netip.Prefix{prefix("10.0.9.1/31"), prefix("2001:db8:9::1/127")}},
		{l.segments["right"], []netip.Prefix{prefix("10.0.2.1/24"), prefix("2001:db8:2::1/64")}},
	}})
	b6 := l.station6("b6", "right", "r", "2001:db8:2::2")
	var got [][]byte
	end, err := line.Attach(sim.PortConfig{Node: "end", Receive: func(f []byte) { got = append(got, f) }})
	require.NoError(t, err)

	ip := &layers.IPv6{Version: 6, HopLimit: 9, SrcIP: net.ParseIP("2001:db8:9::"), DstIP: net.ParseIP("2001:db8:2::2"), NextHeader: layers.IPProtocolNoNextHeader}
	end.Send(serialize(t, ip), "")
	ip.DstIP = net.ParseIP("2001:db8:77::")
	end.Send(serialize(t, ip), "")
	old := &layers.IPv4{Version: 4, TTL: 9, SrcIP: net.IP{10, 0, 9, 0}, DstIP: net.IP{10, 0, 9, 1}, Protocol: layers.IPProtocolICMPv4}
	end.Send(serialize(t, old, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0)}), "")
	end.Send([]byte{0x20}, "")
	l.run()
	require.Len(t, b6.take(), 1, "forwarded, with an Ethernet header")
	require.Len(t, got, 2)
	v6 := gopacket.NewPacket(got[0], layers.LayerTypeIPv6, gopacket.Default)
	require.Equal(t, layers.CreateICMPv6TypeCode(1, 0), v6.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6).TypeCode, "no route, told without an Ethernet header")
	v4 := gopacket.NewPacket(got[1], layers.LayerTypeIPv4, gopacket.Default)
	require.Equal(t, layers.CreateICMPv4TypeCode(0, 0), v4.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4).TypeCode)
	c := r.Counters()
	require.Equal(t, []uint64{0, 1, 1}, []uint64{c.ARPRequests, c.Solicitations, c.Dropped("neither IP nor ARP")}, "the solicitation is on Ethernet")

	b6.sendUDP("2001:db8:9::", 1400-48+1, nil)
	l.run()
	require.Len(t, got, 2, "the MTU of the line holds")
	require.Len(t, b6.take(), 1)
}
