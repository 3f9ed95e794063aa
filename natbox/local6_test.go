package natbox

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

func TestEcho6(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	for _, to := range []string{"2001:db8:1::1", "2001:db8:2::1"} {
		p.a.sendICMP(to, 1, 128, gopacket.Payload("idsqdata"))
		p.run()
		got := p.a.take()
		require.Len(t, got, 1)
		ip := got[0].Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		require.Equal(t, to, ip.SrcIP.String())
		require.Equal(t, "\x81\x00", string(ip.Payload[:2]))
		require.Equal(t, "idsqdata", string(ip.Payload[4:]))
	}
	require.Equal(t, uint64(2), p.r.Counters().EchoReplies)
}

// An echo request in fragments is put together, and its answer fragmented by its
// source, the router. Fragments that contradict each other are given up.
func TestFragmentsToTheRouter6(t *testing.T) {
	p := newPair6(t, 1500, Settings{ReassemblyAge: 5 * time.Second})
	p.warm()
	message := func(size int) []byte { // with its checksum
		ip := p.a.ipv6("2001:db8:1::1", layers.IPProtocolICMPv6)
		icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
		require.NoError(t, icmp.SetNetworkLayerForChecksum(ip))
		return serialize(t, ip, icmp, gopacket.Payload(pattern(size)))[40:]
	}(2000)
	fragment := func(from, to int, id uint32) []byte {
		h := []byte{byte(layers.IPProtocolICMPv6), 0, 0, 0, 0, 0, 0, 0}
		field := uint16(from)
		if to < len(message) {
			field |= 1
		}
		binary.BigEndian.PutUint16(h[2:], field)
		binary.BigEndian.PutUint32(h[4:], id)
		return p.a.sendIP(p.a.ipv6("2001:db8:1::1", layers.IPProtocolIPv6Fragment), gopacket.Payload(append(h, message[from:to]...)))
	}
	fragment(1000, len(message), 1)
	fragment(0, 1000, 1)
	p.wait(time.Second)
	got := p.a.take()
	require.Len(t, got, 2)
	var answer []byte
	for _, f := range got {
		f := f.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
		require.Equal(t, len(answer), int(f.FragmentOffset)*8)
		answer = append(answer, f.Payload...)
	}
	require.Equal(t, byte(129), answer[0])
	require.Equal(t, message[4:], answer[4:])

	fragment(0, 1000, 2)
	fragment(992, len(message), 2) // overlaps: RFC 8200, Section 4.5
	p.wait(time.Second)
	require.Empty(t, p.a.take())
	require.Equal(t, uint64(1), p.r.Counters().Dropped("fragments contradict each other"))

	first := fragment(0, 1000, 3)
	p.wait(6 * time.Second)
	p.a.icmpError(3, 1, "2001:db8:1::1", first)
	fragment(1000, len(message), 4)
	p.wait(6 * time.Second)
	require.Empty(t, p.a.take(), "without the first fragment nobody is told")
}

func TestNoService6(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	p.warm()
	sent := p.a.sendUDP("2001:db8:2::1", 10, nil)
	p.run()
	p.a.icmpError(1, 4, "2001:db8:2::1", sent) // port unreachable, from the address that was asked
	sent = p.a.sendIP(p.a.ipv6("2001:db8:1::1", layers.IPProtocolIPv6Destination), gopacket.Payload("\x32\x00\x01\x04\x00\x00\x00\x00esp.........."))
	p.run()
	rest := p.a.icmpError(4, 1, "2001:db8:1::1", sent) // unrecognized next header: where its number stands
	require.Equal(t, uint32(40), binary.BigEndian.Uint32(rest[:]))
	sent = p.a.sendIP(p.a.ipv6("2001:db8:1::1", layers.IPProtocolIPv6Routing), gopacket.Payload("\x3a\x00\x04\x01\x00\x00\x00\x00\x80\x00\x00\x00idsq"))
	p.run()
	rest = p.a.icmpError(4, 0, "2001:db8:1::1", sent) // a route that goes on: where its type stands
	require.Equal(t, uint32(42), binary.BigEndian.Uint32(rest[:]))
	p.a.sendIP(p.a.ipv6("2001:db8:1::1", layers.IPProtocolNoNextHeader))
	p.run()
	require.Empty(t, p.a.take())
}

// The router answers solicitations for its addresses, and notes who asked.
func TestSolicited(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	own := netip.MustParseAddr("2001:db8:1::1")
	mac := p.a.port.MAC()
	ask := func(from string, hops uint8, target netip.Addr, options layers.ICMPv6Options) {
		p.a.addr = netip.MustParseAddr(from)
		p.a.sendICMP("ff02::1:ff00:1", hops, 135, &layers.ICMPv6NeighborSolicitation{TargetAddress: target.AsSlice(), Options: options})
		p.a.addr = netip.MustParseAddr("2001:db8:1::2")
		p.wait(10 * time.Millisecond)
	}
	source := layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: mac[:]}}
	answers := func() int { n := len(p.a.news); p.a.news = nil; return n }

	ask("2001:db8:1::2", 255, own, source)
	require.Equal(t, 1, answers())
	p.b.sendUDP("2001:db8:1::2", 10, nil)
	p.run()
	require.Len(t, p.a.take(), 1)
	require.Empty(t, p.a.asked, "it knew the address from the solicitation")

	ask("fe80::a", 255, ipv6.LinkLocal(p.a.router).Addr(), source)
	require.Equal(t, 1, answers(), "its link-local address")
	ask("::", 255, own, nil)
	require.Equal(t, 1, answers(), "who looks for a duplicate hears of it")
	for name, bad := range map[string]func(){
		"from behind a router":             func() { ask("2001:db8:1::2", 254, own, source) },
		"for another address":              func() { ask("2001:db8:1::2", 255, netip.MustParseAddr("2001:db8:1::7"), source) },
		"without an address to answer":     func() { ask("2001:db8:1::2", 255, own, nil) },
		"from another network":             func() { ask("2001:db8:5::2", 255, own, source) },
		"a duplicate check with an option": func() { ask("::", 255, own, source) },
	} {
		bad()
		require.Zero(t, answers(), name)
	}
}

// An advertisement replaces what the router knows only if it says so. RFC 4861, Section 7.2.5.
func TestAdvertised(t *testing.T) {
	p := newPair6(t, 1500, Settings{})
	p.warm()
	b := p.r.interfaces[1].neighbours[p.b.addr]
	require.Equal(t, mac(p.b.port.MAC()), b.mac)
	claim := func(flags uint8) {
		from := p.c.port.MAC()
		p.c.sendICMP("2001:db8:2::1", 255, 136, &layers.ICMPv6NeighborAdvertisement{
			Flags: flags, TargetAddress: p.b.addr.AsSlice(), Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: from[:]}},
		})
		p.wait(10 * time.Millisecond)
	}
	claim(0)
	require.Equal(t, mac(p.b.port.MAC()), b.mac)
	claim(0x20)
	require.Equal(t, mac(p.c.port.MAC()), b.mac)
	p.a.sendICMP("2001:db8:1::1", 255, 136, &layers.ICMPv6NeighborAdvertisement{TargetAddress: netip.MustParseAddr("2001:db8:1::1").AsSlice()})
	p.run()
	require.Equal(t, uint64(1), p.r.Counters().Dropped("another node uses the router's address"))
}
