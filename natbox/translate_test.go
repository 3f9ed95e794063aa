package natbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/sim"
)

// home is a NAT box between a private segment and the Internet:
//
//	a 192.168.1.2, c 192.168.1.3 --home-- 192.168.1.1 r 203.0.113.1 --internet-- b 203.0.113.9, far 198.51.100.7
type home struct {
	*lab
	r       *Router
	table   *nat.Table
	a, c, b *station
}

func newHome(t testing.TB, change func(*nat.Config, *RouterConfig)) *home {
	h := &home{lab: newLab(t)}
	inside, outside := h.segment("home", 1500), h.segment("internet", 1400)
	c := nat.Config{Outside: []netip.Addr{netip.MustParseAddr("203.0.113.1")}, Inside: netip.MustParseAddr("192.168.1.1")}
	router := RouterConfig{
		Name: "r",
		Interfaces: []Interface{
			{inside, []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}}, {outside, []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24")}},
		},
		Routes: []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("203.0.113.9")}},
		NAT:    &NAT{Outside: outside},
	}
	if change != nil {
		change(&c, &router)
	}
	h.table = h.nat(c)
	router.NAT.Table = h.table
	h.r = h.router(router)
	h.a, h.c = h.station("a", "home", "r", "192.168.1.2"), h.station("c", "home", "r", "192.168.1.3")
	h.b = h.station("b", "internet", "r", "203.0.113.9", "198.51.100.7")
	return h
}

func (l *lab) nat(c nat.Config) *nat.Table {
	table, err := nat.New(c, l.w.Rand("r", "nat"))
	require.NoError(l.t, err)
	return table
}

// udp sends a datagram from a port to a port.
func (s *station) udp(dst string, from, to uint16, size int, change func(*layers.IPv4)) []byte {
	ip := s.ipv4(dst, layers.IPProtocolUDP)
	if change != nil {
		change(ip)
	}
	udp := &layers.UDP{SrcPort: layers.UDPPort(from), DstPort: layers.UDPPort(to)}
	require.NoError(s.l.t, udp.SetNetworkLayerForChecksum(ip))
	return s.sendIP(ip, udp, gopacket.Payload(pattern(size)))
}

// flow is protocol, addresses and ports of a packet whose checksums are right.
func (s *station) flow(p gopacket.Packet) string {
	ip := ipv4Of(p)
	words := fmt.Sprintf("%s > %s", ip.SrcIP, ip.DstIP)
	if u, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP); ok {
		words = fmt.Sprintf("%s:%d > %s:%d", ip.SrcIP, u.SrcPort, ip.DstIP, u.DstPort)
		if ip.Flags&layers.IPv4MoreFragments == 0 {
			s.upperSum(ip, 17)
		}
	}
	return fmt.Sprintf("%s ttl %d", words, ip.TTL)
}

// upperSum requires a good checksum over pseudo header and payload: RFC 768.
func (s *station) upperSum(ip *layers.IPv4, proto uint8) {
	b := append(append([]byte{}, ip.SrcIP.To4()...), ip.DstIP.To4()...)
	b = binary.BigEndian.AppendUint16(append(b, 0, proto), uint16(len(ip.Payload)))
	require.Zero(s.l.t, fold(append(b, ip.Payload...)), "the checksum of the transport protocol is wrong")
}

func (s *station) flows() (all []string) {
	for _, p := range s.take() {
		all = append(all, s.flow(p))
	}
	return all
}

// outsideSees fails when an address of the inside stands in any frame on a segment.
func (l *lab) outsideSees(segment string, private ...string) {
	l.w.Tap(func(f sim.Frame) {
		for _, a := range private {
			require.False(l.t, f.Segment == segment && bytes.Contains(f.Data[14:], netip.MustParseAddr(a).AsSlice()), "%s on %s: %x", a, segment, f.Data)
		}
	})
}

// ask sends an ARP request.
func (s *station) ask(target string) {
	s.sendARP(net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, layers.ARPRequest, s.addrs[0], make(net.HardwareAddr, 6), netip.MustParseAddr(target))
}

// What leaves has the address of the box, and the answer finds its way. RFC 3022, Section 4.1.
func TestNATThereAndBack(t *testing.T) {
	h := newHome(t, nil)
	h.outsideSees("internet", "192.168.1.2", "192.168.1.3")
	h.a.udp("198.51.100.7", 5000, 53, 100, nil)
	h.c.udp("198.51.100.7", 5000, 53, 100, nil)
	h.wait(time.Second)
	got := h.b.flows()
	require.Len(t, got, 2)
	require.Equal(t, "203.0.113.1:5000 > 198.51.100.7:53 ttl 63", got[0])
	var other uint16
	_, err := fmt.Sscanf(got[1], "203.0.113.1:%d >", &other)
	require.NoError(t, err)
	require.NotEqual(t, uint16(5000), other)

	h.b.addrs[0], h.b.addrs[1] = h.b.addrs[1], h.b.addrs[0]
	h.b.udp("203.0.113.1", 53, other, 60, nil)
	h.b.udp("203.0.113.1", 53, 5000, 60, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"198.51.100.7:53 > 192.168.1.2:5000 ttl 63"}, h.a.flows())
	require.Equal(t, []string{"198.51.100.7:53 > 192.168.1.3:5000 ttl 63"}, h.c.flows())
}

// The box answers ARP outside for all addresses that its table has there, and not inside.
func TestNATAnswersARP(t *testing.T) {
	h := newHome(t, func(c *nat.Config, _ *RouterConfig) {
		c.Outside = []netip.Addr{netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("203.0.113.78")}
	})
	for target, answers := range map[string]bool{"203.0.113.1": true, "203.0.113.77": true, "203.0.113.78": true, "203.0.113.79": false, "192.168.1.1": false} {
		before := h.r.Counters().ARPReplies
		h.b.ask(target)
		h.wait(time.Second)
		require.Equal(t, answers, h.r.Counters().ARPReplies > before, target)
		for _, p := range h.b.got {
			if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok && arp.Operation == layers.ARPReply {
				require.Equal(t, netip.MustParseAddr(target).AsSlice(), arp.SourceProtAddress)
				require.Equal(t, h.b.router[:], arp.SourceHwAddress)
			}
		}
		h.b.got = nil
	}
	before := h.r.Counters().ARPReplies
	h.a.ask("203.0.113.77")
	h.wait(time.Second)
	require.Equal(t, before, h.r.Counters().ARPReplies)

	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"203.0.113.77:5000 > 203.0.113.9:53 ttl 63"}, h.b.flows())
}

// The time to live is looked at before the translation: no mapping is made, and the error
// quotes what was sent, in either direction.
func TestNATTimeToLive(t *testing.T) {
	h := newHome(t, nil)
	last := func(ip *layers.IPv4) { ip.TTL = 1 }
	sent := h.a.udp("203.0.113.9", 5000, 53, 1000, last)
	h.wait(time.Second)
	h.a.icmpError(11, 0, "192.168.1.1", sent)
	require.Empty(t, h.table.Mappings(h.w.Now()))

	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(time.Second)
	require.Len(t, h.b.take(), 1)
	sent = h.b.udp("203.0.113.1", 53, 5000, 1000, last)
	h.wait(time.Second)
	h.b.icmpError(11, 0, "203.0.113.1", sent)
	require.Empty(t, h.a.take())
}

// What is too long for the outside is fragmented after it is translated, or its sender told
// about the packet as he sent it. RFC 5508, REQ-9; RFC 1191, Section 4.
func TestNATPathMTU(t *testing.T) {
	h := newHome(t, nil)
	sent := h.a.udp("203.0.113.9", 5000, 53, 1450, func(ip *layers.IPv4) { ip.Flags = layers.IPv4DontFragment })
	h.wait(time.Second)
	icmp := h.a.icmpError(3, 4, "192.168.1.1", sent)
	require.Equal(t, uint16(1400), icmp.Seq)
	require.Empty(t, h.b.take())

	h.a.udp("203.0.113.9", 5000, 53, 1450, nil)
	h.wait(time.Second)
	pieces := h.b.take()
	require.Len(t, pieces, 2)
	var whole []byte
	for _, p := range pieces {
		ip := ipv4Of(p)
		require.Equal(t, "203.0.113.1", ip.SrcIP.String())
		require.Equal(t, len(whole), int(ip.FragOffset)*8)
		whole = append(whole, ip.Payload...)
	}
	ip := ipv4Of(pieces[0])
	ip.Payload = whole
	h.b.upperSum(ip, 17)
}

// A next hop that does not answer is told to the sender about the packet as he sent it.
func TestNATUnreachable(t *testing.T) {
	h := newHome(t, func(_ *nat.Config, r *RouterConfig) { r.Settings.ARPAge = time.Minute })
	sent := h.a.udp("203.0.113.10", 5000, 53, 1000, nil)
	h.wait(10 * time.Second)
	h.a.icmpError(3, 1, "192.168.1.1", sent)

	h.a.udp("203.0.113.9", 5001, 53, 10, nil)
	h.wait(time.Second)
	require.Len(t, h.b.take(), 1)
	h.a.mute = true
	h.wait(2 * time.Minute) // the box forgets where a is
	sent = h.b.udp("203.0.113.1", 53, 5001, 1000, nil)
	h.wait(10 * time.Second)
	h.b.icmpError(3, 1, "203.0.113.1", sent)
}

// The box itself answers echo requests to its addresses from both sides, and has no other
// services; Silent has it say so to nobody outside.
func TestNATOwnServices(t *testing.T) {
	for _, silent := range []bool{false, true} {
		h := newHome(t, func(c *nat.Config, r *RouterConfig) {
			c.Outside = []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.77")}
			r.NAT.Silent = silent
		})
		for _, s := range []*station{h.a, h.b} {
			for _, to := range []string{"203.0.113.1", "203.0.113.77"} {
				s.sendEcho(to, 100, nil)
				h.wait(time.Second)
				got := s.take()
				require.Len(t, got, 1)
				require.Equal(t, to, ipv4Of(got[0]).SrcIP.String())
				require.Equal(t, layers.CreateICMPv4TypeCode(0, 0), got[0].Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4).TypeCode)
			}
		}
		sent := h.b.udp("203.0.113.1", 53, 7777, 10, nil)
		h.wait(time.Second)
		if silent {
			require.Empty(t, h.b.take())
		} else {
			h.b.icmpError(3, 3, "203.0.113.1", sent)
		}
		require.Equal(t, uint64(1), h.r.Counters().Dropped("the router has no such service"))
	}
}

// Addresses of the inside are nobody's outside.
func TestNATHidesInside(t *testing.T) {
	h := newHome(t, nil)
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(time.Second)
	h.b.take()
	h.b.udp("192.168.1.2", 53, 5000, 10, nil)
	h.b.udp("192.168.1.1", 53, 5000, 10, nil)
	h.b.sendEcho("192.168.1.1", 10, nil)
	h.wait(time.Second)
	require.Empty(t, h.a.take())
	require.Empty(t, h.b.take())
	require.Equal(t, uint64(3), h.r.Counters().Dropped("not for an address of the outside"))
}

// Filters and observers see the addresses of the inside in both directions.
func TestNATCrossing(t *testing.T) {
	var seen []string
	s := &stages{judge: func(c Crossing) Judgement {
		seen = append(seen, fmt.Sprintf("%s>%s %s", c.From, c.To, packet(c.Packet)))
		if c.From == "internet" && c.Packet[len(c.Packet)-1] == 0xff {
			return Judgement{Why: "closed", Prohibited: true}
		}
		return Judgement{}
	}}
	h := newHome(t, func(_ *nat.Config, r *RouterConfig) { r.Filters = []Filter{s} })
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(time.Second)
	h.b.take()
	h.b.udp("203.0.113.1", 53, 5000, 10, nil)
	h.wait(time.Second)
	ip := h.b.ipv4("203.0.113.1", layers.IPProtocolUDP)
	u := &layers.UDP{SrcPort: 53, DstPort: 5000}
	require.NoError(t, u.SetNetworkLayerForChecksum(ip))
	sent := h.b.sendIP(ip, u, gopacket.Payload{0xff})
	h.wait(time.Second)
	require.Equal(t, []string{
		"home>internet udp 192.168.1.2:5000 > 203.0.113.9:53",
		"internet>home udp 203.0.113.9:53 > 192.168.1.2:5000",
		"internet>home udp 203.0.113.9:53 > 192.168.1.2:5000",
	}, seen)
	require.Len(t, h.a.take(), 1)
	h.b.icmpError(3, 13, "203.0.113.1", sent)
}

// A mapping ends when its time is up, whether a packet comes or not.
func TestNATExpires(t *testing.T) {
	var ended []time.Duration
	h := newHome(t, func(c *nat.Config, _ *RouterConfig) { c.Timeouts.UDP = 30 * time.Second })
	h.table.Trace = func(e nat.Event) {
		if e.Kind == nat.Expired {
			ended = append(ended, h.w.Now())
			require.Equal(t, e.At, h.w.Now())
		}
	}
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.wait(20 * time.Second)
	h.a.udp("203.0.113.9", 5000, 53, 10, nil)
	h.c.udp("203.0.113.9", 6000, 53, 10, nil)
	h.wait(20 * time.Second)
	require.Empty(t, ended)
	h.wait(20 * time.Second)
	require.Len(t, ended, 2)
	require.InDelta(t, 50*time.Second, ended[0], float64(10*time.Millisecond))
	require.Empty(t, h.table.Mappings(h.w.Now()))
}

// Two hosts with one private address behind two boxes, one of them behind two more: none
// of them knows. RFC 3948, Section 5.1; RFC 7021 has such chains.
func TestNATChains(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"home1", "home2", "carrier", "country", "internet"} {
		l.segment(name, 1500)
	}
	box := func(name, in, inAddr, out, outAddr, gateway string) *Router {
		p := netip.MustParsePrefix(outAddr)
		return l.router(RouterConfig{
			Name:       name,
			Interfaces: []Interface{{l.segments[in], []netip.Prefix{netip.MustParsePrefix(inAddr)}}, {l.segments[out], []netip.Prefix{p}}},
			Routes:     []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr(gateway)}},
			NAT:        &NAT{Outside: l.segments[out], Table: l.nat(nat.Config{Outside: []netip.Addr{p.Addr()}})},
		})
	}
	box("n1", "home1", "192.168.1.1/24", "internet", "203.0.113.1/24", "203.0.113.9")
	box("n2", "home2", "192.168.1.1/24", "carrier", "100.64.0.2/24", "100.64.0.1")
	box("n3", "carrier", "100.64.0.1/24", "country", "10.0.0.2/24", "10.0.0.1")
	box("n4", "country", "10.0.0.1/24", "internet", "203.0.113.2/24", "203.0.113.9")
	a := l.station("a", "home1", "n1", "192.168.1.2")
	b := l.station("b", "home2", "n2", "192.168.1.2")
	s1, s2 := l.station("s1", "internet", "n1", "203.0.113.9"), l.station("s2", "internet", "n4", "203.0.113.10")
	l.outsideSees("internet", "192.168.1.2", "100.64.0.2", "10.0.0.2")
	l.outsideSees("country", "192.168.1.2", "100.64.0.2")

	a.udp("203.0.113.9", 500, 500, 20, nil)
	l.wait(time.Second)
	require.Equal(t, []string{"203.0.113.1:500 > 203.0.113.9:500 ttl 63"}, s1.flows())
	b.udp("203.0.113.10", 500, 500, 20, nil)
	l.wait(time.Second)
	require.Equal(t, []string{"203.0.113.2:500 > 203.0.113.10:500 ttl 61"}, s2.flows())

	s1.udp("203.0.113.1", 500, 500, 30, nil)
	s2.udp("203.0.113.2", 500, 500, 40, nil)
	l.wait(time.Second)
	require.Equal(t, []string{"203.0.113.9:500 > 192.168.1.2:500 ttl 63"}, a.flows())
	require.Equal(t, []string{"203.0.113.10:500 > 192.168.1.2:500 ttl 61"}, b.flows())
}

// What is wrong with a NAT is told before anything is attached.
func TestNATMistakes(t *testing.T) {
	l := newLab(t)
	inside, outside, other := l.segment("home", 1500), l.segment("internet", 1500), l.segment("other", 1500)
	for want, n := range map[string]NAT{
		"its NAT has no table":                           {Outside: outside},
		"the outside of its NAT is none of its segments": {Outside: other, Table: l.nat(nat.Config{Outside: []netip.Addr{netip.MustParseAddr("203.0.113.1")}})},
		"192.168.1.7 outside: it is in 192.168.1.0/24":   {Outside: outside, Table: l.nat(nat.Config{Outside: []netip.Addr{netip.MustParseAddr("192.168.1.7")}})},
		"answer to 203.0.113.255: it is no IPv4 address": {Outside: outside, Table: l.nat(nat.Config{Outside: []netip.Addr{netip.MustParseAddr("203.0.113.255")}})},
	} {
		_, err := NewRouter(l.w, RouterConfig{
			Name: "r",
			Interfaces: []Interface{
				{inside, []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}}, {outside, []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24")}},
			},
			NAT: &n,
		})
		require.ErrorContains(t, err, want)
	}
}
