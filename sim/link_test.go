package sim

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/stretchr/testify/require"
)

func setLink(t testing.TB, n *node, c LinkConfig) {
	t.Helper()
	require.NoError(t, n.SetLink(c))
	require.Equal(t, c, n.Link())
}

func TestLatencyAddsUp(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Latency: 10 * ms})
	a, b, c := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c")
	setLink(t, a, LinkConfig{Latency: ms})
	setLink(t, b, LinkConfig{Latency: 2 * ms})
	a.to(b, "")
	c.to(a, "")
	b.toAll("")
	run(t, w, 0)
	require.Equal(t, 13*ms, b.got[0].at)
	require.Equal(t, []time.Duration{11 * ms, 13 * ms}, []time.Duration{a.got[0].at, a.got[1].at})
	require.Equal(t, 12*ms, c.got[0].at)
}

// TestOrderSurvivesLinkChanges sends under latencies that jump about: between two
// ports nothing overtakes, but a near sender still beats a far one.
func TestOrderSurvivesLinkChanges(t *testing.T) {
	w := newWorld(t, Config{})
	rng := w.Rand("test")
	s := newSegment(t, w, "lan", SegmentConfig{Latency: ms})
	nodes := []*node{attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c")}
	for i := range 5000 {
		w.After(nil, time.Duration(rng.IntN(int(time.Second))), func() {
			from, to := nodes[rng.IntN(3)], nodes[rng.IntN(3)]
			switch {
			case i%5 == 0:
				setLink(t, from, LinkConfig{Latency: time.Duration(rng.IntN(int(100 * ms)))})
			case from == to:
				from.toAll(fmt.Sprintf("%d", w.Frames()))
			default:
				from.to(to, fmt.Sprintf("%d", w.Frames()))
			}
		})
	}
	run(t, w, 0)
	total := 0
	for _, n := range nodes {
		last := map[macAddr]int{}
		for _, a := range n.got {
			var number int
			_, err := fmt.Sscan(string(a.frame[etherHeader:]), &number)
			require.NoError(t, err)
			src := macAddr(a.frame[6:])
			require.Greater(t, number, last[src]-1)
			last[src] = number + 1
			total++
		}
	}
	require.Greater(t, total, 4000)

	near, far, to := nodes[0], nodes[1], nodes[2]
	setLink(t, near, LinkConfig{})
	setLink(t, far, LinkConfig{Latency: 100 * ms})
	setLink(t, to, LinkConfig{})
	run(t, w, w.Now()+time.Second)
	to.got = nil
	far.to(to, "far")
	near.to(to, "near")
	run(t, w, 0)
	require.Equal(t, []string{"near", "far"}, to.texts())
}

// TestShrinkingLatencyWaits: the exact times around a change.
func TestShrinkingLatencyWaits(t *testing.T) {
	for _, side := range []string{"sender", "receiver"} {
		t.Run(side, func(t *testing.T) {
			w := newWorld(t, Config{})
			s := newSegment(t, w, "lan", SegmentConfig{})
			a, b := attach(t, s, "a"), attach(t, s, "b")
			changed := map[string]*node{"sender": a, "receiver": b}[side]
			setLink(t, changed, LinkConfig{Latency: 10 * ms})
			a.to(b, "1")
			run(t, w, ms)
			setLink(t, changed, LinkConfig{Latency: 2 * ms})
			a.to(b, "2")
			run(t, w, 9*ms)
			a.to(b, "3")
			run(t, w, 0)
			require.Equal(t, []string{"1", "2", "3"}, b.texts())
			require.Equal(t, []time.Duration{10 * ms, 10 * ms, 11 * ms}, []time.Duration{b.got[0].at, b.got[1].at, b.got[2].at})
		})
	}
}

func TestMTUDrops(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{MTU: 1400})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	var lost []string
	w.Tap(func(f Frame) { lost = append(lost, f.Lost) })
	require.Equal(t, 1400, a.MTU())
	a.to(b, string(make([]byte, 1400)))
	a.to(b, string(make([]byte, 1401)))
	setLink(t, b, LinkConfig{MTU: 1300})
	require.Equal(t, 1300, b.MTU())
	a.to(b, string(make([]byte, 1300)))
	a.to(b, string(make([]byte, 1301)))
	b.to(a, string(make([]byte, 1301)))
	setLink(t, b, LinkConfig{MTU: 9000})
	require.Equal(t, 1400, b.MTU(), "the segment's holds as well")
	b.to(a, string(make([]byte, 1401)))
	a.Send(make([]byte, 13), "")
	a.Send(nil, "")
	run(t, w, 0)
	require.Equal(t, []string{
		"", "lost on link a:lan (1401 bytes exceed MTU 1400)",
		"", "lost on link b:lan (1301 bytes exceed MTU 1300)", "lost on link b:lan (1301 bytes exceed MTU 1300)",
		"lost on link b:lan (1401 bytes exceed MTU 1400)",
		"lost on link a:lan (13 bytes are no Ethernet frame)", "lost on link a:lan (0 bytes are no Ethernet frame)",
	}, lost)
	require.Len(t, b.got, 2)
	require.Empty(t, a.got)
}

// TestLoss counts what arrives: each way of a link and the segment lose their
// share, from streams of their own.
func TestLoss(t *testing.T) {
	const n = 20_000
	for _, tt := range []struct {
		name        string
		a, b        LinkConfig
		segment     float64
		aToB, bToA  float64 // probability to arrive
		lost, lost2 string
	}{
		{"none", LinkConfig{}, LinkConfig{}, 0, 1, 1, "", ""},
		{"all", LinkConfig{Loss: 1}, LinkConfig{}, 0, 0, 0, "lost on link a:lan (loss)", ""},
		{"the sender's link", LinkConfig{Loss: 0.1}, LinkConfig{}, 0, 0.9, 0.9, "lost on link a:lan (loss)", ""},
		{"both links", LinkConfig{Loss: 0.1}, LinkConfig{Loss: 0.2}, 0, 0.72, 0.72, "lost on link a:lan (loss)", "lost on link b:lan (loss)"},
		{"the segment", LinkConfig{}, LinkConfig{}, 0.5, 0.5, 0.5, "lost on segment lan (loss)", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			s := newSegment(t, w, "lan", SegmentConfig{Loss: tt.segment})
			a, b := attach(t, s, "a"), attach(t, s, "b")
			setLink(t, a, tt.a)
			setLink(t, b, tt.b)
			reasons := map[string]int{}
			w.Tap(func(f Frame) { reasons[f.Lost]++ })
			for range n {
				a.to(b, "")
				b.to(a, "")
			}
			run(t, w, 0)
			within := func(p float64, got int) {
				require.InDelta(t, p*n, got, 5*math.Sqrt(n*p*(1-p)), "5 standard deviations")
			}
			within(tt.aToB, len(b.got))
			within(tt.bToA, len(a.got))
			require.Equal(t, len(a.got)+len(b.got), reasons[""])
			require.Equal(t, 2*n, reasons[""]+reasons[tt.lost]*min(1, len(tt.lost))+reasons[tt.lost2]*min(1, len(tt.lost2)))
		})
	}
}

// TestLossStreamsAreTheirOwn: what one direction loses does not hang on the traffic of another.
func TestLossStreamsAreTheirOwn(t *testing.T) {
	arrived := func(busy bool) []string {
		w := newWorld(t, Config{})
		s := newSegment(t, w, "lan", SegmentConfig{})
		a, b, c := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c")
		setLink(t, a, LinkConfig{Loss: 0.3})
		setLink(t, c, LinkConfig{Loss: 0.3})
		for i := range 200 {
			a.to(b, fmt.Sprint(i))
			if busy {
				b.to(a, "down")
				c.to(b, "up elsewhere")
			}
		}
		run(t, w, 0)
		var got []string
		for _, s := range b.texts() {
			if s != "up elsewhere" {
				got = append(got, s)
			}
		}
		return got
	}
	require.Equal(t, arrived(false), arrived(true))
	require.Less(t, len(arrived(false)), 180)
}

// TestLossOfABroadcast: each receiver has luck of its own, and the comment says who had none.
func TestLossOfABroadcast(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a := attach(t, s, "a")
	var frames []Frame
	w.Tap(func(f Frame) { frames = append(frames, f) })
	a.toAll("alone")
	var others []*node
	for i := range 12 {
		others = append(others, attach(t, s, fmt.Sprint("b", i)))
	}
	setLink(t, others[1], LinkConfig{Loss: 1})
	setLink(t, others[3], LinkConfig{MTU: 100})
	a.Send(etherFrame(broadcast, a.MAC(), string(make([]byte, 101))), "hello")
	for _, n := range others {
		setLink(t, n, LinkConfig{Loss: 1})
	}
	a.toAll("")
	run(t, w, 0)
	require.Equal(t, "lost on segment lan (no other port)", frames[0].Lost)
	require.Empty(t, frames[1].Lost)
	require.Equal(t, "hello; lost on link b1:lan (loss); lost on link b3:lan (101 bytes exceed MTU 100)", frames[1].Comment)
	require.Equal(t, "lost on link b0:lan (loss); lost on link b1:lan (loss); lost on link b2:lan (loss); lost on link b3:lan (loss); "+
		"lost on link b4:lan (loss); lost on link b5:lan (loss); lost on link b6:lan (loss); lost on link b7:lan (loss); and 4 more", frames[2].Lost)
	for i, n := range others {
		require.Len(t, n.got, map[bool]int{true: 0, false: 1}[i == 1 || i == 3])
	}
}

func TestSetLink(t *testing.T) {
	log := trace.New(nil)
	w := newWorld(t, Config{Trace: log})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a := attach(t, s, "a")
	setLink(t, a, LinkConfig{Loss: 0.5})
	w.After(nil, time.Second, func() { setLink(t, a, LinkConfig{Latency: ms, Loss: 0.25}) })
	run(t, w, 0)
	require.Equal(t, []trace.Event{{At: time.Second, Node: "a", Body: trace.LinkChanged{Link: "a:lan", Latency: ms, Loss: 0.25, MTU: 1500}}}, log.Events(),
		"changes of a running world alone")
	bad := func(i Impairments) LinkConfig { return LinkConfig{Impairments: i} }
	hole := func(b Selection) LinkConfig { return bad(Impairments{Blackholes: []Selection{{}, b}}) }
	for _, tt := range []struct {
		c    LinkConfig
		want string
	}{
		{LinkConfig{Latency: -1}, "latency of -1ns is negative"},
		{LinkConfig{Loss: 2}, "loss of 2 is not a probability from 0 to 1"},
		{LinkConfig{MTU: 67}, "MTU of 67 is not within 68 to 65535"},
		{LinkConfig{Rate: -1}, "rate of -1 bits per second is not within 0 to 1000000000000000"},
		{LinkConfig{Rate: 1e15 + 1}, "rate of 1000000000000001 bits per second is not within 0 to 1000000000000000"},
		{LinkConfig{Queue: Queue{Bytes: -1}}, "queue of 0 frames and -1 bytes has a negative bound"},
		{bad(Impairments{Jitter: -1}), "jitter of -1ns is negative"},
		{bad(Impairments{Duplicate: math.NaN()}), "duplication of NaN is not a probability from 0 to 1"},
		{bad(Impairments{Corrupt: -0.1}), "corruption of -0.1 is not a probability from 0 to 1"},
		{bad(Impairments{Reorder: 1.1, ReorderBy: 1}), "reordering of 1.1 is not a probability from 0 to 1"},
		{bad(Impairments{ReorderBy: -1}), "reordering by -1ns is negative"},
		{bad(Impairments{Reorder: 0.5}), "reordering by no time changes nothing: set ReorderBy"},
		{hole(Selection{Direction: 3}), "blackhole 2: no direction has the number 3"},
		{hole(Selection{First: 3, Last: 2}), "blackhole 2: frames 3 to 2 are no range"},
		{hole(Selection{Since: 2, Until: 2}), "blackhole 2: 2ns to 2ns is no span of time"},
		{hole(Selection{Filter: Filter{Protocol: 50, Port: 500}}), "blackhole 2: protocol esp has no ports"},
		{hole(Selection{Filter: Filter{EtherType: etherTypeARP, Port: 500}}), "blackhole 2: addresses, protocols and ports are selected in IP frames only"},
		{hole(Selection{Filter: Filter{Source: netip.MustParsePrefix("fe80::/64"), Destination: netip.MustParsePrefix("10.0.0.0/8")}}), "blackhole 2: no packet goes from fe80::/64 to 10.0.0.0/8: they are of different families"},
	} {
		require.EqualError(t, a.SetLink(tt.c), "sim: link a:lan: "+tt.want)
	}
	require.Equal(t, LinkConfig{Latency: ms, Loss: 0.25}, a.Link())
	require.Len(t, log.Events(), 1)
}
