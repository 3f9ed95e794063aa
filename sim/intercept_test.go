package sim

import (
	"bytes"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/stretchr/testify/require"
)

// attachTap is a promiscuous port.
func attachTap(t testing.TB, s *Segment, name string, o Owner) *node {
	t.Helper()
	n := &node{}
	var err error
	n.Port, err = s.Attach(PortConfig{Node: name, Owner: o, Sniff: func(number int, from *Port, f []byte) {
		require.LessOrEqual(t, number, s.w.Frames())
		n.got = append(n.got, arrival{s.w.Now(), f})
		n.seen, n.from = append(n.seen, number), append(n.from, from)
	}})
	require.NoError(t, err)
	return n
}

// TestPromiscuous: a tap sees what the switch forwards to others, once, and nobody notices it.
func TestPromiscuous(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Latency: ms})
	a, b := attach(t, s, "a", "10.0.0.1"), attach(t, s, "b", "10.0.0.2")
	m := attachTap(t, s, "m", nil)
	other := attach(t, s, "other")
	var lost []string
	w.Tap(func(f Frame) { lost = append(lost, f.Lost) })
	a.to(b, "known by its configuration")
	a.toAll("everybody")
	a.Send(etherFrame(macAddr{2, 9}, a.MAC(), "flooded"), "")
	a.Send(arpFrame(broadcast, a.MAC(), 1, "10.0.0.1", "10.0.0.2"), "")
	m.to(b, "its own")
	b.to(m, "to it")
	a.to(a, "back where it came from")
	setLink(t, b, LinkConfig{Down: true})
	a.to(b, "lost behind the tap")
	setLink(t, a, LinkConfig{Down: true})
	a.to(b, "lost before it")
	run(t, w, 0)
	arp := string(arpFrame(broadcast, a.MAC(), 1, "10.0.0.1", "10.0.0.2")[etherHeader:])
	require.Equal(t, []string{"known by its configuration", "everybody", "flooded", arp, "to it", "back where it came from", "lost behind the tap"}, m.texts())
	require.Equal(t, []string{"known by its configuration", "everybody", "flooded", arp, "its own"}, b.texts())
	require.Equal(t, []string{"everybody", "flooded"}, other.texts())
	require.Equal(t, []string{"", "", "", "", "", "", "lost on segment lan (no other port)",
		"lost on link b:lan (it is down)", "lost on link a:lan (it is down)"}, lost)
	require.Equal(t, []int{1, 2, 3, 4, 6, 7, 8}, m.seen)
	m.got[0].frame[etherHeader] = 'x'
	require.Equal(t, "known by its configuration", b.texts()[0], "each has a frame of its own")
}

// between puts a device on the link of n that takes what has the given first letter
// and lets do decide about it.
func between(t testing.TB, n, m *node, first byte, do func(Intercepted)) {
	t.Helper()
	require.NoError(t, n.Intercept(&Interceptor{
		By: m.Port,
		Takes: func(f Intercepted) func(Intercepted) {
			if len(f.Data) > etherHeader && f.Data[etherHeader] == first {
				return do
			}
			return nil
		},
	}))
}

// TestIntercept passes, drops, alters and delays on the link of a, both ways.
func TestIntercept(t *testing.T) {
	var capture bytes.Buffer
	w, err := New(Config{Capture: &capture})
	require.NoError(t, err)
	s := newSegment(t, w, "lan", SegmentConfig{Latency: 10 * ms})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	owner := &settles{name: "m"}
	m := attachTap(t, s, "m", owner)
	setLink(t, a, LinkConfig{Latency: ms})
	setLink(t, b, LinkConfig{Latency: 2 * ms})
	var taken []Intercepted
	between(t, a, m, 'x', func(f Intercepted) {
		taken = append(taken, f)
		require.Equal(t, map[Direction]time.Duration{Up: ms, Down: 12 * ms}[f.Direction], w.Now(), "when it comes by")
		switch string(f.Data[etherHeader:]) {
		case "x alter":
			f.Data[etherHeader] = 'y'
			n, err := m.Forward(f, "altered: first letter")
			require.NoError(t, err)
			require.Equal(t, w.Frames(), n)
		case "x delay":
			w.After(nil, 100*ms, func() { m.Forward(f, "") })
		case "x drop":
		}
	})
	for _, text := range []string{"pass", "x alter", "x drop", "x delay"} {
		a.to(b, text)
		b.to(a, text)
	}
	run(t, w, 0)
	require.Equal(t, []string{"pass", "y alter", "x delay"}, b.texts())
	require.Equal(t, []string{"pass", "y alter", "x delay"}, a.texts())
	for _, n := range []*node{a, b} {
		require.Equal(t, 13*ms, n.got[0].at)
		require.Equal(t, 13*ms, n.got[1].at, "altering takes no time")
		require.Equal(t, 113*ms, n.got[2].at)
	}
	require.Len(t, taken, 6)
	require.Same(t, a.Port, taken[0].Link)
	require.Positive(t, owner.n)

	// Nothing looks to the switch as if m had a's address: the next frame to a goes to a.
	b.to(a, "after")
	run(t, w, 0)
	require.Equal(t, "after", a.texts()[3])

	require.NoError(t, w.Close())
	packets, err := pcapng.Read(&capture)
	require.NoError(t, err)
	require.Equal(t, "taken by m on link a:lan", packets[2].Comment)
	require.Equal(t, "a:lan", packets[2].Interface)
	altered := 0
	for _, p := range packets {
		if p.Comment == "altered: first letter" {
			require.Equal(t, "m:lan", p.Interface)
			altered++
		}
	}
	require.Equal(t, 2, altered)
}

// TestInterceptOneOfSeveral: a broadcast that is taken on the way to one receiver reaches the others.
func TestInterceptOneOfSeveral(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a, b, c := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c")
	m := attach(t, s, "m")
	between(t, b, m, 'x', func(Intercepted) {})
	var frames []Frame
	w.Tap(func(f Frame) { frames = append(frames, f) })
	a.toAll("x")
	require.NoError(t, b.Intercept(nil))
	a.toAll("x again")
	run(t, w, 0)
	require.Equal(t, []string{"x again"}, b.texts())
	require.Equal(t, []string{"x", "x again"}, c.texts())
	require.Empty(t, frames[0].Lost)
	require.Equal(t, "taken by m on link b:lan", frames[0].Comment)
}

// TestInterceptorsFramesPass: what a device forwards is not taken again where it sits once more.
func TestInterceptorsFramesPass(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a, b, m := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "m")
	taken := 0
	for _, n := range []*node{a, b} {
		between(t, n, m, 'x', func(f Intercepted) {
			taken++
			m.Forward(f, "")
		})
	}
	a.to(b, "x")
	run(t, w, 0)
	require.Equal(t, 1, taken)
	require.Equal(t, []string{"x"}, b.texts())
}

func TestInterceptRefuses(t *testing.T) {
	w := newWorld(t, Config{})
	s, other := newSegment(t, w, "lan", SegmentConfig{}), newSegment(t, w, "other", SegmentConfig{})
	a, m, far := attach(t, s, "a"), attach(t, s, "m"), attach(t, other, "far")
	takes := func(Intercepted) func(Intercepted) { return nil }
	for _, tt := range []struct {
		i    Interceptor
		want string
	}{
		{Interceptor{Takes: takes}, "sim: link a:lan: an interceptor needs a port of its own on segment lan"},
		{Interceptor{By: far.Port, Takes: takes}, "sim: link a:lan: an interceptor needs a port of its own on segment lan"},
		{Interceptor{By: a.Port, Takes: takes}, "sim: link a:lan: a node cannot intercept itself"},
		{Interceptor{By: m.Port}, "sim: link a:lan: an interceptor without a Takes function"},
	} {
		require.EqualError(t, a.Intercept(&tt.i), tt.want)
	}
	require.NoError(t, a.Intercept(&Interceptor{By: m.Port, Takes: takes}))
	require.EqualError(t, a.Intercept(&Interceptor{By: m.Port, Takes: takes}), "sim: link a:lan: m sits on it already")
	require.NoError(t, a.Intercept(nil))
	for _, f := range []Intercepted{
		{}, {Link: a.Port, Direction: Up, Data: make([]byte, 13)}, {Link: far.Port, Direction: Up, Data: make([]byte, 20)},
		{Link: a.Port, Data: make([]byte, 20)},
	} {
		_, err := m.Forward(f, "")
		require.ErrorIs(t, err, errNoFrame)
	}
	require.Zero(t, w.Frames())
}
