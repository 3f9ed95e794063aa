package sim

import (
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// places sets impairments in each place that a frame from a to b passes, and names
// the place as comments do.
var places = []struct {
	name string
	set  func(t *testing.T, w *World, i Impairments) (a, b *node)
}{
	{"link a:lan", func(t *testing.T, w *World, i Impairments) (a, b *node) {
		s := newSegment(t, w, "lan", SegmentConfig{})
		a, b = attach(t, s, "a"), attach(t, s, "b")
		setLink(t, a, LinkConfig{Impairments: i})
		return a, b
	}},
	{"segment lan", func(t *testing.T, w *World, i Impairments) (a, b *node) {
		s := newSegment(t, w, "lan", SegmentConfig{Impairments: i})
		return attach(t, s, "a"), attach(t, s, "b")
	}},
	{"link b:lan", func(t *testing.T, w *World, i Impairments) (a, b *node) {
		s := newSegment(t, w, "lan", SegmentConfig{})
		a, b = attach(t, s, "a"), attach(t, s, "b")
		setLink(t, b, LinkConfig{Impairments: i})
		return a, b
	}},
}

// everywhere runs a test in each place.
func everywhere(t *testing.T, i Impairments, f func(t *testing.T, w *World, a, b *node, place string)) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			a, b := p.set(t, w, i)
			f(t, w, a, b, p.name)
		})
	}
}

// share checks how many of n trials with a probability succeeded, within five standard deviations.
func share(t *testing.T, p float64, n, got int) {
	t.Helper()
	require.InDelta(t, p*float64(n), got, 5*math.Sqrt(float64(n)*p*(1-p)))
}

// each sends n numbered frames at an interval.
func each(w *World, interval time.Duration, n int, send func(text string)) {
	for i := range n {
		w.After(nil, time.Duration(i)*interval, func() { send(fmt.Sprint(i)) })
	}
}

// numbers are the numbers of the frames received, in the order of arrival.
func (n *node) numbers(t testing.TB) (all []int) {
	for _, s := range n.texts() {
		i, err := strconv.Atoi(s)
		require.NoError(t, err)
		all = append(all, i)
	}
	return all
}

func TestJitter(t *testing.T) {
	const n, jitter = 10_000, 10 * ms
	everywhere(t, Impairments{Jitter: jitter}, func(t *testing.T, w *World, a, b *node, _ string) {
		each(w, 20*ms, n, func(s string) { a.to(b, s) }) // so far apart that none waits for another
		run(t, w, 0)
		require.Len(t, b.got, n)
		var sum time.Duration
		var tenths [10]int
		for i, g := range b.got {
			d := g.at - time.Duration(i)*20*ms
			require.True(t, d >= 0 && d <= jitter, "%s", d)
			sum += d
			tenths[min(9, d/ms)]++
		}
		require.InDelta(t, float64(jitter)/2, float64(sum/n), float64(jitter)/math.Sqrt(12)*5/math.Sqrt(n), "the mean of a uniform draw")
		for _, got := range tenths {
			share(t, 0.1, n, got)
		}
	})
}

func TestJitterKeepsOrder(t *testing.T) {
	everywhere(t, Impairments{Jitter: 10 * ms}, func(t *testing.T, w *World, a, b *node, _ string) {
		each(w, 100*time.Microsecond, 5000, func(s string) { a.to(b, s) })
		run(t, w, 0)
		require.True(t, slices.IsSorted(b.numbers(t)))
		require.Len(t, b.got, 5000)
	})
}

// TestJitterEnds: frames that still wait are not overtaken by those sent after it was switched off.
func TestJitterEnds(t *testing.T) {
	for _, end := range []string{"a", "b"} {
		w := newWorld(t, Config{})
		s := newSegment(t, w, "lan", SegmentConfig{})
		nodes := map[string]*node{"a": attach(t, s, "a"), "b": attach(t, s, "b")}
		a, b := nodes["a"], nodes["b"]
		setLink(t, nodes[end], LinkConfig{Impairments: Impairments{Jitter: time.Second}})
		each(w, ms, 200, func(s string) {
			if s == "100" {
				setLink(t, nodes[end], LinkConfig{})
			}
			a.to(b, s)
		})
		run(t, w, 0)
		require.True(t, slices.IsSorted(b.numbers(t)))
		require.Len(t, b.got, 200)
	}
}

func TestDuplicate(t *testing.T) {
	const n = 10_000
	everywhere(t, Impairments{Duplicate: 0.2}, func(t *testing.T, w *World, a, b *node, place string) {
		remarked := 0
		w.Tap(func(f Frame) {
			require.Empty(t, f.Lost)
			if f.Comment != "" {
				require.Equal(t, "duplicated by "+place, f.Comment)
				remarked++
			}
		})
		each(w, ms, n, func(s string) { a.to(b, s) })
		run(t, w, 0)
		twice := len(b.got) - n
		share(t, 0.2, n, twice)
		require.Equal(t, remarked, twice)
		got := b.numbers(t)
		require.True(t, slices.IsSorted(got), "a copy comes behind its frame")
		require.Len(t, slices.Compact(got), n)
		for i := 1; i < len(b.got); i++ { // each copy is its receiver's own
			require.NotSame(t, &b.got[i-1].frame[0], &b.got[i].frame[0])
		}
	})
}

func TestReorder(t *testing.T) {
	const n = 10_000
	everywhere(t, Impairments{Reorder: 0.1, ReorderBy: 5 * ms}, func(t *testing.T, w *World, a, b *node, place string) {
		held := map[int]bool{}
		w.Tap(func(f Frame) {
			if f.Comment != "" {
				require.Equal(t, "held back by "+place+": 5ms", f.Comment)
				held[f.Number-1] = true
			}
		})
		each(w, 2*ms, n, func(s string) { a.to(b, s) })
		run(t, w, 0)
		share(t, 0.1, n, len(held))
		got := b.numbers(t)
		require.Len(t, got, n)
		require.False(t, slices.IsSorted(got))
		overtaken, highest := 0, -1
		for i, number := range got {
			sent := time.Duration(number) * 2 * ms
			require.Equal(t, map[bool]time.Duration{true: sent + 5*ms, false: sent}[held[number]], b.got[i].at)
			if number < highest {
				require.True(t, held[number], "only a frame that was held back is overtaken")
				overtaken++
			}
			highest = max(highest, number)
		}
		require.Greater(t, overtaken, n/12, "nearly all that were held back are overtaken, by one of two frames")
	})
}

// TestReorderBeforeOrderedWays: what one link put out of order, later ways leave so.
func TestReorderBeforeOrderedWays(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Impairments: Impairments{Jitter: 100 * time.Microsecond}})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	setLink(t, a, LinkConfig{Impairments: Impairments{Reorder: 1, ReorderBy: time.Second}})
	setLink(t, b, LinkConfig{Rate: 1_000_000, Impairments: Impairments{Jitter: 100 * time.Microsecond}})
	a.to(b, "0")
	setLink(t, a, LinkConfig{})
	a.to(b, "1")
	run(t, w, 0)
	require.Equal(t, []int{1, 0}, b.numbers(t))
	require.Less(t, b.got[0].at, ms)
}

func TestCorrupt(t *testing.T) {
	const n = 10_000
	named := regexp.MustCompile(`^altered by (.*): bit (\d+)$`)
	payload := strings.Repeat("\x00", 100)
	everywhere(t, Impairments{Corrupt: 0.3}, func(t *testing.T, w *World, a, b *node, place string) {
		want := map[int]int{} // frame: bit
		w.Tap(func(f Frame) {
			require.Equal(t, payload, string(f.Data[etherHeader:]), "the capture has what was sent")
			if m := named.FindStringSubmatch(f.Comment); m != nil {
				require.Equal(t, place, m[1])
				bit, err := strconv.Atoi(m[2])
				require.NoError(t, err)
				want[f.Number] = bit
			}
		})
		for range n {
			a.to(b, payload)
		}
		run(t, w, 0)
		require.Len(t, b.got, n)
		share(t, 0.3, n, len(want))
		spread := 0
		for i, g := range b.got {
			require.Equal(t, etherFrame(b.MAC(), a.MAC(), payload)[:etherHeader], g.frame[:etherHeader], "the Ethernet header stays")
			ones := 0
			for _, c := range g.frame[etherHeader:] {
				ones += bits.OnesCount8(c)
			}
			bit, altered := want[i+1]
			if !altered {
				require.Zero(t, ones)
				continue
			}
			require.Equal(t, 1, ones)
			require.NotZero(t, g.frame[bit/8]&(0x80>>(bit%8)), "the bit that the comment names")
			if bit-etherHeader*8 < 400 {
				spread++
			}
		}
		share(t, 0.5, len(want), spread)
	})
}

// TestCorruptBroadcast: each receiver has a frame of its own, altered only where its own link did so.
func TestCorruptBroadcast(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a, b, c, d := attach(t, s, "a"), attach(t, s, "b"), attach(t, s, "c"), attach(t, s, "d")
	setLink(t, b, LinkConfig{Impairments: Impairments{Corrupt: 1}})
	a.toAll("to everybody")
	setLink(t, a, LinkConfig{Impairments: Impairments{Corrupt: 1}})
	a.toAll("to everybody")
	a.Send(etherFrame(broadcast, a.MAC(), ""), "") // no bit behind the header
	run(t, w, 0)
	require.NotEqual(t, "to everybody", b.texts()[0])
	require.Equal(t, []string{"to everybody", "to everybody"}, []string{c.texts()[0], d.texts()[0]})
	require.Equal(t, c.texts()[1], d.texts()[1], "altered before the switch: the same for all")
	require.NotEqual(t, c.texts()[1], b.texts()[1], "and once more on the link of b")
	c.got[1].frame[etherHeader] ^= 0xff
	require.NotEqual(t, c.texts()[1], d.texts()[1], "the frames are their receivers' own")
	require.Len(t, b.got, 3)
}

// TestImpairmentsAreApart: what one impairment draws does not hang on whether another is on.
func TestImpairmentsAreApart(t *testing.T) {
	lost := func(i Impairments) (all []int) {
		w := newWorld(t, Config{})
		s := newSegment(t, w, "lan", SegmentConfig{})
		a, b := attach(t, s, "a"), attach(t, s, "b")
		setLink(t, a, LinkConfig{Loss: 0.2, Impairments: i})
		w.Tap(func(f Frame) {
			if f.Lost != "" {
				all = append(all, f.Number)
			}
		})
		each(w, ms, 500, func(s string) { a.to(b, s) })
		run(t, w, 0)
		require.NotEmpty(t, all)
		return all
	}
	require.Equal(t, lost(Impairments{}), lost(Impairments{Jitter: ms, Duplicate: 0.5, Corrupt: 0.5, Reorder: 0.5, ReorderBy: ms}))
}

func TestLinkDown(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Latency: 10 * ms})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	var lost []string
	w.Tap(func(f Frame) { lost = append(lost, f.Lost) })
	a.to(b, "under way")
	run(t, w, ms)
	setLink(t, a, LinkConfig{Down: true})
	a.to(b, "up")
	b.to(a, "down")
	run(t, w, 2*ms)
	setLink(t, a, LinkConfig{})
	a.to(b, "again")
	run(t, w, 0)
	require.Equal(t, []string{"under way", "again"}, b.texts())
	require.Empty(t, a.got)
	require.Equal(t, []string{"", "lost on link a:lan (it is down)", "lost on link a:lan (it is down)", ""}, lost)
}
