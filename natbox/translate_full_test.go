package natbox

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
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

// tapARP collects whom ARP requests are from that ask for their own sender.
func tapARP(announced *[]netip.Addr) func(sim.Frame) {
	return func(f sim.Frame) {
		p := gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.Default)
		if a, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok && a.Operation == layers.ARPRequest && string(a.SourceProtAddress) == string(a.DstProtAddress) && mac(f.Data) == broadcastMAC {
			*announced = append(*announced, netip.AddrFrom4([4]byte(a.DstProtAddress)))
		}
	}
}

// Whatever a computer inside sends, in its own name or in that of others, nothing leaves but
// in the name of the box: IP sources, and what ICMP errors quote.
func TestNATLeaksNothing(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHome(t, func(c *nat.Config, _ *RouterConfig) {
				c.ESP.Mode, c.AH.Mode, c.Other.Mode = nat.OneClient, nat.BySPI, nat.OneClient
				c.Static = []nat.Static{{Inside: netip.MustParseAddr("192.168.1.50"), Outside: netip.MustParseAddr("203.0.113.50")}}
			})
			h.b.fuzzed = true
			random := rand.New(rand.NewPCG(seed, 7))
			left := 0
			h.w.Tap(func(f sim.Frame) {
				p := gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.Default)
				ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
				if !ok || f.Segment != "internet" || f.Node != "r" {
					return
				}
				left++
				require.Contains(t, []string{"203.0.113.1", "203.0.113.50"}, ip.SrcIP.String(), "%v", p)
				if icmp, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok && ip.FragOffset == 0 && ip.Flags&layers.IPv4MoreFragments == 0 {
					switch icmp.TypeCode.Type() {
					case 3, 4, 11, 12:
						require.GreaterOrEqual(t, len(icmp.Payload), 20)
						require.False(t, netip.MustParsePrefix("192.168.1.0/24").Contains(netip.AddrFrom4([4]byte(icmp.Payload[16:20]))), "quoted: %v", p)
					}
				}
			})
			sources := []string{"192.168.1.2", "192.168.1.50", "192.168.1.3", "10.1.1.1", "203.0.113.77"}
			h.a.udp("203.0.113.9", 5000, 53, 10, nil)
			for range 400 {
				ip := &layers.IPv4{
					Version: 4, TTL: 1 + uint8(random.IntN(64)), Id: uint16(random.IntN(20)), SrcIP: net.ParseIP(sources[random.IntN(len(sources))]).To4(), DstIP: net.ParseIP("203.0.113.9").To4(),
					Protocol: layers.IPProtocol([]int{1, 6, 17, 50, 51, 99, random.IntN(256)}[random.IntN(7)]),
				}
				if random.IntN(4) == 0 {
					ip.FragOffset, ip.Flags = uint16(random.IntN(3)*10), layers.IPv4MoreFragments*layers.IPv4Flag(random.IntN(2))
				}
				body := make([]byte, random.IntN(200))
				for i := range body {
					body[i] = byte(random.Uint32())
				}
				if ip.Protocol == layers.IPProtocolICMPv4 && len(body) > 60 {
					body[0], body[1] = []byte{0, 3, 8, 11, 13}[random.IntN(5)], byte(random.IntN(4))
					about := h.b.ipv4(sources[random.IntN(3)], layers.IPProtocolUDP)
					udp := &layers.UDP{SrcPort: 53, DstPort: 5000}
					require.NoError(t, udp.SetNetworkLayerForChecksum(about))
					copy(body[8:], h.b.frame(about, udp)[14:])
					body[2], body[3] = 0, 0
					binary.BigEndian.PutUint16(body[2:], fold(body))
				}
				h.a.sendIP(ip, gopacket.Payload(body))
				h.wait(20 * time.Millisecond)
			}
			require.Greater(t, left, 50, "something has to leave, or the test says nothing")
		})
	}
}

// A datagram in fragments for the box itself is put together there, in and out of order.
func TestNATOwnFragments(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		h := newHome(t, nil)
		var pieces [][]byte
		echo := serialize(t, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 7, Seq: 1}, gopacket.Payload(pattern(1000)))
		for at := 0; at < len(echo); at += 400 {
			end := min(at+400, len(echo))
			ip := h.b.ipv4("203.0.113.1", layers.IPProtocolICMPv4)
			ip.FragOffset = uint16(at / 8)
			if end < len(echo) {
				ip.Flags = layers.IPv4MoreFragments
			}
			pieces = append(pieces, h.b.frame(ip, gopacket.Payload(echo[at:end])))
		}
		for _, i := range order {
			h.b.send(pieces[i])
			h.wait(10 * time.Millisecond)
		}
		h.wait(time.Second)
		got := h.b.take()
		require.Len(t, got, 1, "%v", order)
		require.Equal(t, layers.CreateICMPv4TypeCode(0, 0), got[0].Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4).TypeCode)
	}
}

// Fragments that waited for the first one leave with it, each with one hop less.
func TestNATFragmentsOutOfOrder(t *testing.T) {
	h := newHome(t, nil)
	ip := h.a.ipv4("203.0.113.9", layers.IPProtocolUDP)
	udp := &layers.UDP{SrcPort: 5000, DstPort: 53}
	require.NoError(t, udp.SetNetworkLayerForChecksum(ip))
	whole := serialize(t, ip, udp, gopacket.Payload(pattern(992)))[20:]
	piece := func(from, to int, more layers.IPv4Flag) {
		f := h.a.ipv4("203.0.113.9", layers.IPProtocolUDP)
		f.FragOffset, f.Flags = uint16(from/8), more
		h.a.sendIP(f, gopacket.Payload(whole[from:to]))
		h.wait(10 * time.Millisecond)
	}
	piece(800, 1000, 0)
	piece(400, 800, layers.IPv4MoreFragments)
	require.Empty(t, h.b.take())
	piece(0, 400, layers.IPv4MoreFragments)
	h.wait(time.Second)
	got := h.b.take()
	require.Len(t, got, 3)
	data := make([]byte, 1000)
	for _, p := range got {
		ip := ipv4Of(p)
		require.Equal(t, "203.0.113.1", ip.SrcIP.String())
		require.Equal(t, uint8(63), ip.TTL)
		copy(data[int(ip.FragOffset)*8:], ip.Payload)
	}
	first := ipv4Of(got[0])
	first.Payload = data
	h.b.upperSum(first, 17)
}

// An ICMP error from beyond the box is translated, and the packet that it quotes as well: what
// the sender gets quotes what it sent, but for the time to live. RFC 5508, REQ-4.
func TestNATTranslatesErrors(t *testing.T) {
	h := newHome(t, nil)
	sent := h.a.udp("198.51.100.7", 5000, 53, 100, nil)
	h.wait(time.Second)
	seen := h.b.take()
	require.Len(t, seen, 1)
	quote := seen[0].Data()[14:]
	h.b.sendIP(h.b.ipv4("203.0.113.1", layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 4), Seq: 1280}, gopacket.Payload(quote))
	h.wait(time.Second)
	got := h.a.take()
	require.Len(t, got, 1)
	ip, icmp := ipv4Of(got[0]), got[0].Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	require.Equal(t, "203.0.113.9", ip.SrcIP.String())
	require.Equal(t, uint16(1280), icmp.Seq)
	quoted, was := icmp.Payload, append([]byte(nil), sent[14:]...)
	require.Equal(t, uint8(63), quoted[8])
	was[8], was[10], was[11] = quoted[8], quoted[10], quoted[11]
	require.Equal(t, was, quoted)
	require.Zero(t, fold(quoted[:20]))
}

// An address outside that belongs to one host inside: the box answers ARP for it, and everything
// passes, in both directions.
func TestNATOneToOne(t *testing.T) {
	h := newHome(t, func(c *nat.Config, _ *RouterConfig) {
		c.Static = []nat.Static{{Inside: netip.MustParseAddr("192.168.1.2"), Outside: netip.MustParseAddr("203.0.113.50")}}
	})
	before := h.r.Counters().ARPReplies
	h.b.ask("203.0.113.50")
	h.wait(time.Second)
	require.Equal(t, before+1, h.r.Counters().ARPReplies)
	h.b.udp("203.0.113.50", 53, 7, 10, nil)
	h.b.sendEcho("203.0.113.50", 10, nil)
	h.b.sendIP(h.b.ipv4("203.0.113.50", 50), gopacket.Payload(pattern(40)))
	h.wait(time.Second)
	require.Equal(t, []string{
		"203.0.113.9:53 > 192.168.1.2:7 ttl 63", "203.0.113.9 > 192.168.1.2 ttl 63", "203.0.113.9 > 192.168.1.2 ttl 63",
	}, h.a.flows())
	h.a.udp("203.0.113.9", 7, 53, 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"203.0.113.50:7 > 203.0.113.9:53 ttl 63"}, h.b.flows())
}

// A published server, reached from inside by the outside address, and in the box's name.
func TestNATHairpin(t *testing.T) {
	h := newHome(t, func(c *nat.Config, r *RouterConfig) {
		c.Forwards = []nat.Forward{
			{Proto: 17, Port: 53, Inside: netip.MustParseAddrPort("192.168.1.3:5353")},
			{Proto: 17, Port: 54, Inside: netip.MustParseAddrPort("192.168.1.3:5354"), RewriteSource: true},
		}
		r.NAT.Inside = netip.MustParseAddr("192.168.1.1")
	})
	h.a.udp("203.0.113.1", 5000, 53, 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"203.0.113.1:5000 > 192.168.1.3:5353 ttl 63"}, h.c.flows())
	h.c.udp("203.0.113.1", 5353, 5000, 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"203.0.113.1:53 > 192.168.1.2:5000 ttl 63"}, h.a.flows())

	h.b.udp("203.0.113.1", 6000, 54, 10, nil)
	h.wait(time.Second)
	got := h.c.take()
	require.Len(t, got, 1)
	require.Equal(t, "192.168.1.1", ipv4Of(got[0]).SrcIP.String())
	h.c.udp("192.168.1.1", 5354, uint16(got[0].Layer(layers.LayerTypeUDP).(*layers.UDP).SrcPort), 10, nil)
	h.wait(time.Second)
	require.Equal(t, []string{"203.0.113.1:54 > 203.0.113.9:6000 ttl 63"}, h.b.flows())
	h.c.sendEcho("192.168.1.1", 10, nil)
	h.wait(time.Second)
	require.Len(t, h.c.take(), 1, "the box itself answers there")
}

// A SYN that nothing lets in is answered after six seconds by ICMP, from the outside address,
// if none has gone the other way by then: RFC 5382, REQ-4.
func TestNATUnsolicitedSYN(t *testing.T) {
	for _, meets := range []bool{false, true} {
		h := newHome(t, func(c *nat.Config, _ *RouterConfig) {
			c.TCP.Filtering = nat.AddressAndPortDependent
		})
		syn := func(s *station, to string, from, port layers.TCPPort) []byte {
			ip := s.ipv4(to, layers.IPProtocolTCP)
			tcp := &layers.TCP{SrcPort: from, DstPort: port, SYN: true, Window: 1000, Seq: 1}
			require.NoError(t, tcp.SetNetworkLayerForChecksum(ip))
			return s.sendIP(ip, tcp)
		}
		syn(h.a, "198.51.100.7", 5000, 80) // makes the mapping
		h.wait(time.Second)
		h.b.take()
		sent := syn(h.b, "203.0.113.1", 9000, 5000)
		h.wait(2 * time.Second)
		require.Empty(t, h.b.take())
		if meets {
			syn(h.a, "203.0.113.9", 5000, 9000)
		}
		h.wait(10 * time.Second)
		if meets {
			got := h.b.take()
			require.Len(t, got, 1, "the SYN from inside, and no ICMP")
			require.Equal(t, layers.IPProtocolTCP, ipv4Of(got[0]).Protocol)
			continue
		}
		got := h.b.take()
		require.Len(t, got, 1)
		icmp := got[0].Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
		require.Equal(t, layers.CreateICMPv4TypeCode(3, 3), icmp.TypeCode)
		require.Equal(t, "203.0.113.1", ipv4Of(got[0]).SrcIP.String())
		require.Equal(t, sent[14:14+28], icmp.Payload[:28])
	}
}

// Between two segments inside nothing is translated, and both share what is outside, which
// may be a line without addresses of Ethernet.
func TestNATSeveralInside(t *testing.T) {
	l := newLab(t)
	first, second := l.segment("first", 1500), l.segment("second", 1500)
	line, err := l.w.NewSegment("line", sim.SegmentConfig{Medium: sim.PointToPoint, MTU: 1500})
	require.NoError(t, err)
	table := l.nat(nat.Config{Outside: []netip.Addr{netip.MustParseAddr("198.51.100.0")}})
	r := l.router(RouterConfig{
		Name: "r",
		Interfaces: []Interface{
			{first, []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}}, {second, []netip.Prefix{netip.MustParsePrefix("192.168.2.1/24")}},
			{line, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/31")}},
		},
		Routes: []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("198.51.100.1")}},
		NAT:    &NAT{Outside: line, Table: table},
	})
	var out []string
	_, err = line.Attach(sim.PortConfig{Node: "isp", Receive: func(b []byte) { out = append(out, packet(b).String()) }})
	require.NoError(t, err)
	a, b := l.station("a", "first", "r", "192.168.1.2"), l.station("b", "second", "r", "192.168.2.2")
	a.udp("192.168.2.2", 5000, 53, 10, nil)
	l.wait(time.Second)
	require.Equal(t, []string{"192.168.1.2:5000 > 192.168.2.2:53 ttl 63"}, b.flows())
	require.Empty(t, table.Mappings(l.w.Now()))
	a.udp("203.0.113.9", 5000, 53, 10, nil)
	b.udp("203.0.113.9", 6000, 53, 10, nil)
	l.wait(time.Second)
	require.Equal(t, []string{"udp 198.51.100.0:5000 > 203.0.113.9:53", "udp 198.51.100.0:6000 > 203.0.113.9:53"}, out)
	require.Zero(t, r.Counters().Dropped("no route"))
}

// Of a datagram whose fragments waited, its sender hears once that it did not get there.
func TestNATOneErrorForFragments(t *testing.T) {
	h := newHome(t, nil)
	for _, from := range []int{400, 0} {
		f := h.a.ipv4("203.0.113.10", layers.IPProtocolUDP) // nobody is there
		data := pattern(400)
		if f.FragOffset = uint16(from / 8); from == 0 {
			f.Flags = layers.IPv4MoreFragments
			copy(data, []byte{0x13, 0x88, 0, 53, 3, 0x20, 0, 0})
		}
		h.a.sendIP(f, gopacket.Payload(data))
		h.wait(10 * time.Millisecond)
	}
	h.wait(10 * time.Second)
	require.Len(t, h.a.take(), 1)
	require.Equal(t, uint64(2), h.r.Counters().Dropped("no answer from the next hop to ARP or neighbour discovery"))
}
