package natbox

import (
	"bytes"
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/sim"
)

// RFC 1812, 5.3.1: a forwarded packet is the same but for TTL and checksum.
func TestForward(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	sent := p.a.sendUDP("10.0.2.2", 777, func(ip *layers.IPv4) { ip.TOS, ip.Flags = 0x48, layers.IPv4DontFragment })
	p.run()
	got := p.b.take()
	require.Len(t, got, 1)
	want := bytes.Clone(sent[14:])
	want[8]--
	copy(want[10:12], got[0].Data()[24:26]) // the checksum, which take has judged
	require.Equal(t, want, got[0].Data()[14:])
	require.Empty(t, p.c.take())
	require.Empty(t, p.drops())
	c := p.r.Counters()
	require.Equal(t, []uint64{1, 1, 0, 1}, []uint64{c.Received, c.Forwarded, c.Delivered, c.ARPRequests})

	// Ethernet's padding does not travel on.
	p.a.send(append(p.a.frame(p.a.ipv4("10.0.2.2", 253), gopacket.Payload("x")), make([]byte, 25)...))
	p.run()
	require.Len(t, p.b.take()[0].Data(), 14+21)
}

// A TTL of 2 leaves as 1; a TTL of 1 or 0 ends here (RFC 1812, 5.3.1).
func TestTTL(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	p.a.sendUDP("10.0.2.2", 10, func(ip *layers.IPv4) { ip.TTL = 2 })
	p.run()
	require.Equal(t, uint8(1), ipv4Of(p.b.take()[0]).TTL)
	for _, ttl := range []uint8{1, 0} {
		sent := p.a.sendUDP("10.0.2.2", 10, func(ip *layers.IPv4) { ip.TTL = ttl })
		p.run()
		p.a.icmpError(11, 0, "10.0.1.1", sent)
		require.Empty(t, p.b.take())
	}
	require.Equal(t, []string{"udp 10.0.1.2:1000 > 10.0.2.2:2000: TTL or hop limit expired"}, p.drops()) // once per flow
	require.Equal(t, uint64(2), p.r.Counters().Dropped("TTL or hop limit expired"))
}

// RFC 1624, 3: the update by difference is what computing afresh gives, whatever the header.
func TestDecrementTTLChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := packet(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "header"))
		p[0], p[8] = 0x45, max(p[8], 1)
		p.setChecksum()
		require.Zero(t, fold(p))
		p.decrementTTL()
		require.Zero(t, fold(p))
	})
}

// RFC 1812, 5.2.4.3: the longest prefix decides, in whatever order the routes are given.
func TestLongestPrefix(t *testing.T) {
	routes := []Route{
		{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.1.10")},
		{netip.MustParsePrefix("172.16.0.0/12"), netip.MustParseAddr("10.0.1.11")},
		{netip.MustParsePrefix("172.16.5.0/24"), netip.MustParseAddr("10.0.1.12")},
		{netip.MustParsePrefix("172.16.5.9/32"), netip.MustParseAddr("10.0.1.13")},
		{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddr("10.0.1.11")},
	}
	for range 2 {
		l := newLab(t)
		l.segment("left", 1500)
		l.segment("right", 1500)
		l.router(RouterConfig{
			Name: "r", Routes: routes,
			Interfaces: []Interface{{l.segments["left"], []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}, {l.segments["right"], []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}}},
		})
		a := l.station("a", "left", "r", "10.0.0.2")
		hops := map[string]*station{}
		for _, h := range []string{"10.0.1.10", "10.0.1.11", "10.0.1.12", "10.0.1.13"} {
			hops[h] = l.station(h, "right", "r", h)
		}
		for dst, hop := range map[string]string{
			"192.0.2.1": "10.0.1.10", "172.31.0.1": "10.0.1.11", "172.16.5.8": "10.0.1.12", "172.16.5.9": "10.0.1.13",
			"172.15.255.255": "10.0.1.10", "10.7.0.1": "10.0.1.11", "10.0.1.12": "10.0.1.12",
		} {
			a.sendUDP(dst, 1, nil)
			l.run()
			for addr, h := range hops {
				n := 0
				if addr == hop {
					n = 1
				}
				require.Len(t, h.take(), n, "%s by %s", dst, addr)
			}
		}
		for i, j := 0, len(routes)-1; i < j; i, j = i+1, j-1 {
			routes[i], routes[j] = routes[j], routes[i]
		}
	}
}

func TestStaticRoute(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	p.a.sendUDP("10.9.8.7", 10, nil)
	p.run()
	require.Len(t, p.c.take(), 1)
	require.Empty(t, p.b.take())
	// back the way it came, which needs no redirect
	p.b.sendUDP("10.9.8.7", 10, nil)
	p.run()
	require.Len(t, p.c.take(), 1)
	require.Empty(t, p.b.take())
}

func TestUnreachable(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	// RFC 1812, 5.2.7.1: no route is "network unreachable".
	sent := p.a.sendUDP("192.0.2.1", 2000-28-600, nil)
	p.run()
	icmp := p.a.icmpError(3, 0, "10.0.1.1", sent)
	require.Zero(t, icmp.Id)
	require.Zero(t, icmp.Seq)
	// No ARP answer is "host unreachable", after three tries a second apart.
	start := p.w.Now()
	p.b.mute = true
	sent = p.a.sendUDP("10.0.2.2", 10, nil)
	p.run()
	require.Len(t, p.b.asked, 3)
	require.Equal(t, time.Second, p.b.asked[1]-p.b.asked[0])
	require.Equal(t, time.Second, p.b.asked[2]-p.b.asked[1])
	require.InDelta(t, float64(3*time.Second), float64(p.a.times[len(p.a.times)-1]-start), float64(time.Millisecond))
	p.a.icmpError(3, 1, "10.0.1.1", sent)
	// A next hop that is gone is the same.
	p.c.mute = true
	sent = p.a.sendUDP("10.9.0.1", 10, nil)
	p.run()
	p.a.icmpError(3, 1, "10.0.1.1", sent)
	require.Equal(t, []string{
		"udp 10.0.1.2:1000 > 192.0.2.1:2000: no route",
		"udp 10.0.1.2:1000 > 10.0.2.2:2000: no answer from the next hop to ARP or neighbour discovery",
		"udp 10.0.1.2:1000 > 10.9.0.1:2000: no answer from the next hop to ARP or neighbour discovery",
	}, p.drops())
}

// RFC 1812, 4.3.2.7: what no ICMP error may be about. Each would cause one otherwise.
func TestSilence(t *testing.T) {
	icmpType := func(n uint8) []byte {
		return serialize(t, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(n, 0)}, gopacket.Payload(make([]byte, 28)))
	}
	for _, c := range []struct {
		name   string
		dst    string
		proto  layers.IPProtocol
		data   []byte
		change func(*layers.IPv4)
		frame  func([]byte)
	}{
		{"about an unreachable", "192.0.2.1", 1, icmpType(3), nil, nil},
		{"about a source quench", "192.0.2.1", 1, icmpType(4), nil, nil},
		{"about a redirect", "192.0.2.1", 1, icmpType(5), nil, nil},
		{"about a time exceeded", "192.0.2.1", 1, icmpType(11), nil, nil},
		{"about a parameter problem", "192.0.2.1", 1, icmpType(12), nil, nil},
		{"about ICMP of no type", "192.0.2.1", 1, nil, nil, nil},
		{"about a later fragment", "192.0.2.1", 17, pattern(64), func(ip *layers.IPv4) { ip.FragOffset = 100 }, nil},
		{"about a later fragment with TTL 1", "10.0.2.2", 17, pattern(64), func(ip *layers.IPv4) { ip.FragOffset, ip.TTL = 100, 1 }, nil},
		{"multicast", "224.0.0.5", 17, pattern(64), nil, nil},
		{"limited broadcast", "255.255.255.255", 17, pattern(64), nil, nil},
		{"directed broadcast", "10.0.2.255", 17, pattern(64), nil, nil},
		{"old broadcast", "10.0.2.0", 17, pattern(64), nil, nil},
		{"link broadcast", "192.0.2.1", 17, pattern(64), nil, func(f []byte) { copy(f, broadcastMAC[:]) }},
		{"link broadcast to the router", "10.0.1.1", 17, pattern(64), nil, func(f []byte) { copy(f, broadcastMAC[:]) }},
		{"link multicast", "192.0.2.1", 17, pattern(64), nil, func(f []byte) { copy(f, []byte{1, 0, 0x5e, 0, 0, 5}) }},
		{"from a broadcast address", "192.0.2.1", 17, pattern(64), func(ip *layers.IPv4) { ip.SrcIP = net.IPv4(10, 0, 1, 255).To4() }, nil},
		{"from 255.255.255.255", "192.0.2.1", 17, pattern(64), func(ip *layers.IPv4) { ip.SrcIP = net.IPv4bcast.To4() }, nil},
		{"from no address", "192.0.2.1", 17, pattern(64), func(ip *layers.IPv4) { ip.SrcIP = net.IPv4zero.To4() }, nil},
		{"from loopback", "10.0.2.2", 17, pattern(64), func(ip *layers.IPv4) { ip.SrcIP = net.IPv4(127, 0, 0, 1).To4() }, nil},
		{"from multicast", "10.0.2.2", 17, pattern(64), func(ip *layers.IPv4) { ip.SrcIP = net.IPv4(224, 0, 0, 5).To4() }, nil},
		{"from the router itself", "192.0.2.1", 17, pattern(64), func(ip *layers.IPv4) { ip.SrcIP = net.IPv4(10, 0, 2, 1).To4() }, nil},
		{"to loopback", "127.0.0.1", 17, pattern(64), nil, nil},
		{"to no address", "0.0.0.0", 17, pattern(64), nil, nil},
		{"to class E", "240.0.0.1", 17, pattern(64), nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, 1500, Settings{})
			ip := p.a.ipv4(c.dst, c.proto)
			if c.change != nil {
				c.change(ip)
			}
			frame := p.a.frame(ip, gopacket.Payload(c.data))
			if c.frame != nil {
				c.frame(frame)
			}
			p.a.send(frame)
			p.run()
			require.Empty(t, p.a.take())
			require.Empty(t, p.b.take())
			require.Empty(t, p.c.take())
			require.Len(t, p.drops(), 1)
			require.Len(t, p.r.Counters().Drops, 1)
		})
	}
}

// A source that the router has no way back to gets no error, and nothing breaks.
func TestNoWayBack(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	p.a.sendUDP("10.0.2.2", 10, func(ip *layers.IPv4) { ip.SrcIP, ip.TTL = net.IPv4(203, 0, 113, 1).To4(), 1 })
	p.a.sendEcho("10.0.1.1", 10, func(ip *layers.IPv4) { ip.SrcIP = net.IPv4(203, 0, 113, 1).To4() })
	p.run()
	require.Empty(t, p.a.take())
	c := p.r.Counters()
	require.Equal(t, uint64(1), c.ICMPSuppressed)
	require.Equal(t, uint64(1), c.Dropped("no route"))
}

// RFC 1812, 4.3.2.8: a burst, then the rate.
func TestICMPRate(t *testing.T) {
	p := newPair(t, 1500, Settings{ICMPRate: 10, ICMPBurst: 5})
	flood := func(n int) int {
		for range n {
			p.a.sendUDP("192.0.2.1", 1, nil)
		}
		p.wait(10 * time.Millisecond)
		return len(p.a.take())
	}
	require.Equal(t, 5, flood(20))
	require.Equal(t, uint64(15), p.r.Counters().ICMPSuppressed)
	require.Equal(t, 0, flood(3))
	p.wait(300 * time.Millisecond)
	require.Equal(t, 3, flood(20))
	p.wait(time.Hour)
	require.Equal(t, 5, flood(20)) // silence earns no more than a burst

	p = newPair(t, 1500, Settings{ICMPRate: 1, ICMPBurst: math.MaxInt})
	require.Equal(t, 20, flood(20))
	p.wait(time.Hour)
	require.Equal(t, 20, flood(20))

	p = newPair(t, 1500, Settings{ICMPRate: -1})
	require.Equal(t, 1, flood(1)) // and the neighbour is known
	require.Equal(t, 500, flood(500))
}

// RFC 1812, 5.2.2: what is dropped without a word, each with its reason.
func TestBadHeaders(t *testing.T) {
	for _, c := range []struct {
		reason string
		change func(frame []byte) []byte
	}{
		{"shorter than an IPv4 header", func(f []byte) []byte { return f[:14+19] }},
		{"shorter than an IPv4 header", func(f []byte) []byte { return f[:14] }},
		{"IP version is not 4", func(f []byte) []byte { f[14] = 0x65; return f }},
		{"bad IPv4 header length", func(f []byte) []byte { f[14] = 0x44; return f }},
		{"bad IPv4 header length", func(f []byte) []byte { f[14] = 0x4f; return f[:14+40] }},
		{"bad IPv4 total length", func(f []byte) []byte { f[16], f[17] = 0, 19; return f }},
		{"bad IPv4 total length", func(f []byte) []byte { return f[:len(f)-1] }},
		{"bad IPv4 header checksum", func(f []byte) []byte { f[18]++; return f }},
		{"bad IPv4 header checksum", func(f []byte) []byte { f[24], f[25] = 0, 0; return f }},
		{"neither IP nor ARP", func(f []byte) []byte { f[12], f[13] = 0x88, 0xb5; return f }},
		{"malformed ARP packet", func(f []byte) []byte { f[12], f[13] = 8, 6; return f }},
		{"malformed ARP packet", func(f []byte) []byte { f[12], f[13] = 8, 6; return f[:20] }},
	} {
		p := newPair(t, 1500, Settings{})
		p.a.send(c.change(p.a.frame(p.a.ipv4("10.0.2.2", 253), gopacket.Payload(pattern(64)))))
		p.run()
		require.Empty(t, p.a.take())
		require.Empty(t, p.b.take())
		require.Equal(t, []Drop{{c.reason, 1}}, p.r.Counters().Drops)
		require.Len(t, p.drops(), 1)
		require.Contains(t, p.drops()[0], c.reason)
	}
}

// Frames for another address are none of the router's business.
func TestOtherStationsFrames(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	frame := p.a.frame(p.a.ipv4("10.0.2.2", 253), gopacket.Payload("x"))
	copy(frame, []byte{2, 2, 2, 2, 2, 2}) // nobody's: flooded to all ports
	p.a.send(frame)
	p.run()
	require.Empty(t, p.b.take())
	require.Empty(t, p.r.Counters().Drops)
	require.Zero(t, p.r.Counters().Received)
}

func TestConfigErrors(t *testing.T) {
	l := newLab(t)
	left, right := l.segment("left", 1500), l.segment("right", 1500)
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	two := []Interface{{left, []netip.Prefix{prefix("10.0.1.1/24")}}, {right, []netip.Prefix{prefix("10.0.2.1/24")}}}
	for _, c := range []struct {
		config RouterConfig
		want   string
	}{
		{RouterConfig{}, `natbox: router "": it needs a world and a name`},
		{RouterConfig{Interfaces: []Interface{{}}}, `interface 1 has no segment`},
		{RouterConfig{Interfaces: []Interface{{Segment: left}}}, `interface 1 has no address`},
		{RouterConfig{Interfaces: []Interface{{left, []netip.Prefix{{}}}}}, `an address on segment left is invalid`},
		{RouterConfig{Interfaces: []Interface{{left, []netip.Prefix{prefix("ff02::1/64")}}}}, `ff02::1 on segment left is not the address of a host`},
		{RouterConfig{Interfaces: []Interface{{left, []netip.Prefix{prefix("2001:db8::1/64"), prefix("2001:db8::2/64")}}}}, `2001:db8::2/64 on segment left overlaps another address of the router there`},
		{RouterConfig{Interfaces: []Interface{{left, []netip.Prefix{prefix("224.0.0.1/24")}}}}, `224.0.0.1 on segment left is not the address of a host`},
		{RouterConfig{Interfaces: []Interface{{left, []netip.Prefix{prefix("10.0.1.0/24")}}}}, `10.0.1.0/24 on segment left is the network's own or its broadcast address`},
		{RouterConfig{Interfaces: []Interface{{left, []netip.Prefix{prefix("10.0.1.255/24")}}}}, `10.0.1.255/24 on segment left is the network's own or its broadcast address`},
		{RouterConfig{Interfaces: []Interface{two[0], {left, []netip.Prefix{prefix("10.0.3.1/24")}}}}, `unsupported: two interfaces on segment left`},
		{RouterConfig{Interfaces: []Interface{two[0], {right, []netip.Prefix{prefix("10.0.1.200/30")}}}}, `10.0.1.200/30 on segment right is the network's own or its broadcast address`},
		{RouterConfig{Interfaces: []Interface{two[0], {right, []netip.Prefix{prefix("10.0.1.201/30")}}}}, `10.0.1.201/30 on segment right overlaps 10.0.1.1/24 on segment left`},
		{RouterConfig{Interfaces: two, Routes: []Route{{}}}, `route 1: to invalid Prefix via invalid IP: a prefix and an address of the same family are needed`},
		{RouterConfig{Interfaces: two, Routes: []Route{{prefix("::/0"), addr("10.0.1.9")}}}, `route 1: to ::/0 via 10.0.1.9: a prefix and an address of the same family are needed`},
		{RouterConfig{Interfaces: two, Routes: []Route{{prefix("10.5.0.1/24"), addr("10.0.1.9")}}}, `route to 10.5.0.1/24: bits beyond the prefix are set: write 10.5.0.0/24`},
		{RouterConfig{Interfaces: two, Routes: []Route{{prefix("10.5.0.0/24"), addr("10.0.1.1")}}}, `route to 10.5.0.0/24: 10.0.1.1 is the router itself`},
		{RouterConfig{Interfaces: two, Routes: []Route{{prefix("10.5.0.0/24"), addr("10.0.1.255")}}}, `route to 10.5.0.0/24: 10.0.1.255 is not the address of a host`},
		{RouterConfig{Interfaces: two, Routes: []Route{{prefix("10.5.0.0/24"), addr("10.0.7.1")}}}, `route to 10.5.0.0/24: next hop 10.0.7.1 is on none of the router's prefixes`},
		{RouterConfig{Interfaces: two, Routes: []Route{{prefix("10.0.2.0/24"), addr("10.0.1.9")}}}, `route to 10.0.2.0/24 via 10.0.1.9: the router is connected to that prefix`},
		{RouterConfig{Interfaces: two, Routes: []Route{{prefix("0.0.0.0/0"), addr("10.0.1.9")}, {prefix("0.0.0.0/0"), addr("10.0.1.8")}}}, `route to 0.0.0.0/0 via 10.0.1.8: there is one via 10.0.1.9 already`},
		{RouterConfig{Settings: Settings{ARPTries: -1}}, `setting ARPTries of -1 is negative`},
		{RouterConfig{Settings: Settings{ARPAge: -time.Second}}, `setting ARPAge of -1s is negative`},
	} {
		if c.want[:6] != "natbox" {
			c.config.Name = "r"
			c.want = `natbox: router "r": ` + c.want
		}
		_, err := NewRouter(l.w, c.config)
		require.EqualError(t, err, c.want)
	}
	// nothing was attached by any of these
	require.Empty(t, left.Ports())
	require.Empty(t, right.Ports())
	// what sim refuses comes through
	require.NoError(t, l.w.Close())
	_, err := NewRouter(l.w, RouterConfig{Name: "r", Interfaces: two})
	require.ErrorContains(t, err, `natbox: router "r": sim: `)
}

// The same seed gives the same bytes, another seed other identifications.
func TestDeterminism(t *testing.T) {
	capture := func() []byte {
		p := newPair(t, 600, Settings{})
		for i := range 5 {
			p.a.sendUDP("10.0.2.2", 300*i, nil)
			p.a.sendEcho("10.0.1.1", 100*i, nil)
			p.a.sendUDP("192.0.2.1", i, nil)
		}
		p.run()
		require.NoError(t, p.w.Close())
		return p.capture.Bytes()
	}
	require.Equal(t, capture(), capture())

	id := func(seed uint64) uint16 {
		w, err := sim.New(sim.Config{Name: "x", Seed: seed})
		require.NoError(t, err)
		r, err := NewRouter(w, RouterConfig{Name: "r"})
		require.NoError(t, err)
		_, p := r.newPacket(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), 1, 0, 0)
		return p.id()
	}
	require.Equal(t, id(1), id(1))
	require.NotEqual(t, id(1), id(2))
}

// Whatever arrives, what leaves is sound, and nothing panics or runs forever.
func FuzzFrames(f *testing.F) {
	p := newPair(f, 576, Settings{})
	for _, seed := range [][]byte{
		p.a.frame(p.a.ipv4("10.0.2.2", 17), gopacket.Payload(pattern(1200))),
		p.a.frame(p.a.ipv4("10.0.1.1", 1), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0)}, gopacket.Payload(pattern(30))),
		p.a.frame(&layers.IPv4{
			Version: 4, TTL: 1, Protocol: 17, SrcIP: net.IPv4(10, 0, 1, 2).To4(), DstIP: net.IPv4(10, 9, 1, 1).To4(),
			Options: []layers.IPv4Option{{OptionType: 131, OptionLength: 7, OptionData: []byte{4, 1, 2, 3, 4}}, {OptionType: 1}},
		}, gopacket.Payload(pattern(600))),
		p.a.frame(&layers.IPv4{
			Version: 4, TTL: 9, Protocol: 17, SrcIP: net.IPv4(10, 0, 1, 2).To4(), DstIP: net.IPv4(10, 0, 1, 1).To4(),
			Flags: layers.IPv4MoreFragments, FragOffset: 8,
		}, gopacket.Payload(pattern(64))),
	} {
		f.Add(seed[12:], true)
		f.Add(seed[12:], false)
	}
	arp := append([]byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 1, 2}, 0, 0, 0, 0, 0, 0, 10, 0, 1, 1)
	f.Add(arp, false)
	f.Fuzz(func(t *testing.T, rest []byte, mend bool) {
		p := newPair(t, 576, Settings{})
		p.b.mute = len(rest)%3 == 0
		p.a.fuzzed, p.b.fuzzed, p.c.fuzzed = true, true, true
		frame := append(append(bytes.Clone(p.a.router[:]), 2, 0, 0, 0, 0, 1), rest...)
		if len(frame) < 14 || len(frame) > 14+1500 {
			return
		}
		if ihl := 0; mend && len(frame) >= 34 { // a good checksum and length, so that the inside is reached
			ihl = int(frame[14]&15) * 4
			frame[14] = 0x40 | frame[14]&15
			binary.BigEndian.PutUint16(frame[16:], uint16(len(frame)-14))
			if ihl >= 20 && len(frame) >= 14+ihl {
				packet(frame[14:]).setChecksum()
			}
		}
		p.w.Tap(func(f sim.Frame) {
			if f.Node == "r" {
				require.Empty(t, f.Lost, "%x", f.Data)
			}
		})
		p.a.send(bytes.Clone(frame))
		p.a.send(frame)
		p.run()
		n := len(p.a.take()) + len(p.b.take()) + len(p.c.take())
		require.LessOrEqual(t, n, 64)
	})
}
