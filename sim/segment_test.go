package sim

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUnicastGoesToOnePort(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Latency: 3 * ms})
	a, b, c := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c")
	require.Equal(t, 1, a.to(b, "hello"))
	require.Equal(t, 2, b.to(a, "hello yourself"))
	run(t, w, 0)
	require.Equal(t, []arrival{{3 * ms, etherFrame(b.MAC(), a.MAC(), "hello")}}, b.got)
	require.Equal(t, []string{"hello yourself"}, a.texts())
	require.Empty(t, c.got)
	require.Equal(t, 2, w.Frames())
	require.Equal(t, []*Port{a.Port, b.Port, c.Port}, s.Ports())
	require.Equal(t, SegmentConfig{Latency: 3 * ms, MTU: 1500}, s.Config())
	require.Equal(t, "lan", s.Name())
	require.Equal(t, "b:lan", b.Name())
	require.Equal(t, "b", b.Node())
	require.Same(t, s, b.Segment())
	require.Equal(t, MACFor("b", "lan"), b.MAC())
}

// TestBroadcast: one arrival at each other port, in port order, and everyone's frame is his own.
func TestBroadcast(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	var order []string
	var frames [][]byte
	var owners []*settles
	for i := range 5 {
		o := &settles{}
		owners = append(owners, o)
		name := fmt.Sprint("n", i)
		_, err := s.Attach(PortConfig{Node: name, Owner: o, Receive: func(f []byte) {
			order = append(order, name)
			require.Equal(t, "hi", string(f[etherHeader:]))
			frames = append(frames, f)
			for i := range f {
				f[i] = 0 // a receiver may do so
			}
		}})
		require.NoError(t, err)
	}
	s.ports[2].Send(etherFrame(broadcast, s.ports[2].MAC(), "hi"), "")
	multicast := macAddr{1, 0, 0x5e, 0, 0, 1}
	s.ports[0].Send(etherFrame(multicast, s.ports[0].MAC(), "hi"), "")
	run(t, w, 0)
	require.Equal(t, []string{"n0", "n1", "n3", "n4", "n1", "n2", "n3", "n4"}, order)
	for i, f := range frames {
		for _, g := range frames[:i] {
			require.NotSame(t, &f[0], &g[0])
		}
	}
	for i, n := range []int{1, 2, 1, 2, 2} {
		require.Equal(t, n, owners[i].n, "settled after each arrival")
	}
}

// TestBridgedStation: an address behind a port is learned, moves, and ages; before and after, the segment floods.
func TestBridgedStation(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a, b, c := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c")
	station := macAddr{2, 0, 0, 0, 0, 99}
	got := func(text string) (who []string) {
		run(t, w, w.Now())
		a.got, b.got, c.got = nil, nil, nil
		a.Send(etherFrame(station, a.MAC(), text), "")
		run(t, w, w.Now())
		for _, n := range []*node{a, b, c} {
			if len(n.got) > 0 {
				who = append(who, n.Node())
			}
		}
		return who
	}
	require.Equal(t, []string{"b", "c"}, got("unknown"))
	b.Send(etherFrame(broadcast, station, "here I am"), "")
	require.Equal(t, []string{"b"}, got("learned"))
	c.Send(etherFrame(broadcast, station, "now here"), "")
	require.Equal(t, []string{"c"}, got("moved"))
	run(t, w, 300*time.Second-1)
	require.Equal(t, []string{"c"}, got("not yet forgotten"))
	run(t, w, 300*time.Second)
	require.Equal(t, []string{"b", "c"}, got("aged"))
	a.Send(etherFrame(broadcast, station, "in fact here"), "")
	require.Empty(t, got("to one's own side"))

	// A spoofed source draws a port's own traffic away, as on a real switch, until that port speaks.
	b.Send(etherFrame(broadcast, c.MAC(), "I am c"), "")
	run(t, w, w.Now())
	b.got, c.got = nil, nil
	a.to(c, "secret")
	run(t, w, w.Now())
	require.Equal(t, []string{"secret"}, b.texts())
	c.to(a, "no, I am")
	a.to(c, "oh")
	run(t, w, w.Now())
	require.Equal(t, []string{"oh"}, c.texts())
}

// TestStationsAreBounded: invented sources do not fill memory, and the table heals with time.
func TestStationsAreBounded(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a, b, c := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c")
	mac := func(i int) macAddr { return macAddr{2, 1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)} }
	for i := range maxStations + 1000 {
		b.Send(etherFrame(a.MAC(), mac(i), ""), "")
	}
	run(t, w, time.Second)
	require.Len(t, s.stations, maxStations)
	a.Send(etherFrame(mac(maxStations), a.MAC(), "not learned"), "")
	run(t, w, 400*time.Second)
	require.Equal(t, []string{"not learned"}, c.texts())
	b.Send(etherFrame(a.MAC(), mac(maxStations), ""), "")
	require.Less(t, len(s.stations), 10)
	a.Send(etherFrame(mac(maxStations), a.MAC(), "learned"), "")
	run(t, w, 0)
	require.Equal(t, []string{"not learned"}, c.texts())
	b.Send(etherFrame(broadcast, broadcast, "a group source is not learned"), "")
	require.NotContains(t, s.stations, broadcast)
}

func TestARPSuppression(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	var nodes []*node
	for i := range 1000 {
		nodes = append(nodes, attach(t, s, fmt.Sprint("n", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)))
	}
	events := 0
	arrivals := func() (who []string) {
		before := w.count
		run(t, w, w.Now())
		events = w.count - before
		for _, n := range nodes {
			if len(n.got) > 0 {
				who = append(who, n.Node())
			}
			n.got = nil
		}
		return who
	}
	a, b := nodes[0], nodes[777]
	const ipA, ipB, nobody = "10.0.0.1", "10.0.3.28", "10.0.200.1"

	a.Send(arpFrame(broadcast, a.MAC(), 1, ipA, ipB), "")
	require.Equal(t, []string{"n777"}, arrivals())
	require.Equal(t, 1, events, "a request for an attached address is one event, not a thousand")
	b.Send(arpFrame(a.MAC(), b.MAC(), 2, ipB, ipA), "")
	require.Equal(t, []string{"n0"}, arrivals())
	a.Send(arpFrame(broadcast, a.MAC(), 1, "0.0.0.0", ipB), "")
	require.Equal(t, []string{"n777"}, arrivals(), "an address probe, RFC 5227")

	for name, frame := range map[string][]byte{
		"for an address of nobody":  arpFrame(broadcast, a.MAC(), 1, ipA, nobody),
		"gratuitous request":        arpFrame(broadcast, a.MAC(), 1, ipA, ipA),
		"gratuitous for another":    arpFrame(broadcast, a.MAC(), 1, ipB, ipB),
		"gratuitous reply":          arpFrame(broadcast, a.MAC(), 2, ipA, ipA),
		"reply to all":              arpFrame(broadcast, a.MAC(), 2, ipA, ipB),
		"for the sender's own":      arpFrame(broadcast, a.MAC(), 1, ipB, ipA),
		"to a multicast address":    arpFrame(macAddr{1, 0, 0x5e, 0, 0, 1}, a.MAC(), 1, ipA, ipB),
		"cut short":                 arpFrame(broadcast, a.MAC(), 1, ipA, ipB)[:etherHeader+arpLength-1],
		"of another hardware":       patch(arpFrame(broadcast, a.MAC(), 1, ipA, ipB), etherHeader+1, 6),
		"of another protocol":       patch(arpFrame(broadcast, a.MAC(), 1, ipA, ipB), etherHeader+2, 0x86),
		"of another address length": patch(arpFrame(broadcast, a.MAC(), 1, ipA, ipB), etherHeader+5, 16),
		"another EtherType":         patch(arpFrame(broadcast, a.MAC(), 1, ipA, ipB), 13, 0),
	} {
		a.Send(frame, "")
		require.Len(t, arrivals(), 999, name)
	}
}

func patch(b []byte, at int, v byte) []byte { b[at] = v; return b }

// TestARPForSharedAddress: two owners of one address both hear the request, as after a conflict.
func TestARPForSharedAddress(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a := attach(t, s, "a", "10.0.0.1")
	b := attach(t, s, "b", "10.0.0.9", "10.0.0.9", "::ffff:10.0.0.8")
	c := attach(t, s, "c", "10.0.0.9")
	d := attach(t, s, "d")
	a.Send(arpFrame(broadcast, a.MAC(), 1, "10.0.0.1", "10.0.0.9"), "")
	a.Send(arpFrame(broadcast, a.MAC(), 1, "10.0.0.1", "10.0.0.8"), "")
	c.Send(arpFrame(broadcast, c.MAC(), 1, "10.0.0.9", "10.0.0.8"), "")
	run(t, w, 0)
	require.Len(t, b.got, 3)
	require.Len(t, c.got, 1)
	require.Empty(t, d.got)
}

func TestSegmentErrors(t *testing.T) {
	w := newWorld(t, Config{})
	newSegment(t, w, "lan", SegmentConfig{Latency: ms, MTU: 68, Loss: 1})
	nan := 0.0
	nan /= nan
	for _, tt := range []struct {
		name   string
		config SegmentConfig
		want   string
	}{
		{"", SegmentConfig{}, "sim: a segment without a name"},
		{"lan", SegmentConfig{}, `sim: there is a segment "lan" already`},
		{"x", SegmentConfig{Latency: -1}, `sim: segment "x": latency of -1ns is negative`},
		{"x", SegmentConfig{Loss: -0.1}, `sim: segment "x": loss of -0.1 is not a probability from 0 to 1`},
		{"x", SegmentConfig{Loss: 1.1}, `sim: segment "x": loss of 1.1 is not a probability from 0 to 1`},
		{"x", SegmentConfig{Loss: nan}, `sim: segment "x": loss of NaN is not a probability from 0 to 1`},
		{"x", SegmentConfig{MTU: 67}, `sim: segment "x": MTU of 67 is not within 68 to 65535`},
		{"x", SegmentConfig{MTU: -1}, `sim: segment "x": MTU of -1 is not within 68 to 65535`},
		{"x", SegmentConfig{MTU: 65536}, `sim: segment "x": MTU of 65536 is not within 68 to 65535`},
	} {
		_, err := w.NewSegment(tt.name, tt.config)
		require.EqualError(t, err, tt.want)
	}
}

func TestAttachErrors(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	attach(t, s, "a")
	receive := func([]byte) {}
	for _, tt := range []struct {
		config PortConfig
		want   string
	}{
		{PortConfig{Receive: receive}, `node "" on segment "lan": a port without the name of its node`},
		{PortConfig{Node: "b"}, `node "b" on segment "lan": no Receive function`},
		{PortConfig{Node: "b", Receive: receive, MAC: [6]byte{1}}, `node "b" on segment "lan": 01:00:00:00:00:00 is a group address: no port can have it`},
		{PortConfig{Node: "b", Receive: receive, MAC: MACFor("a", "lan")},
			`node "b" on segment "lan": node "a" has the MAC address ` + macString(MACFor("a", "lan")) + ` already: give one of them another`},
		{PortConfig{Node: "a", Receive: receive, MAC: [6]byte{2}}, `node "a" on segment "lan": unsupported: a second port of one node on one segment`},
		{PortConfig{Node: "b", Receive: receive, Addrs: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}}, `node "b" on segment "lan": "fe80::1%eth0" is not the address of a node`},
		{PortConfig{Node: "b", Receive: receive, Addrs: []netip.Addr{{}}}, `node "b" on segment "lan": "invalid IP" is not the address of a node`},
	} {
		_, err := s.Attach(tt.config)
		require.EqualError(t, err, "sim: "+tt.want)
	}
	require.Len(t, s.Ports(), 1)
}

func TestMACFor(t *testing.T) {
	require.Equal(t, "ce:75:a2:ef:00:5b", macString(MACFor("a", "lan")), "for ever: captures depend on it")
	seen := map[macAddr]bool{}
	for i := range 10_000 {
		m := MACFor(fmt.Sprint("n", i), "lan")
		require.False(t, seen[m])
		seen[m] = true
		require.Equal(t, byte(2), m[0]&3, "individual, locally administered")
	}
	require.NotEqual(t, MACFor("a", "bc"), MACFor("ab", "c"))
}
