package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRate: 1000 bytes at a megabit per second take 8 ms, on either way, one after the other.
func TestRate(t *testing.T) {
	text := strings.Repeat("x", 1000-etherHeader)
	for _, tt := range []struct {
		name string
		seg  SegmentConfig
		a, b LinkConfig
		want []time.Duration
	}{
		{"up", SegmentConfig{}, LinkConfig{Rate: 1e6}, LinkConfig{}, []time.Duration{8 * ms, 16 * ms, 24 * ms}},
		{"down", SegmentConfig{}, LinkConfig{}, LinkConfig{Rate: 1e6}, []time.Duration{8 * ms, 16 * ms, 24 * ms}},
		{"the slower one decides", SegmentConfig{}, LinkConfig{Rate: 1e6}, LinkConfig{Rate: 5e5}, []time.Duration{24 * ms, 40 * ms, 56 * ms}},
		{"the segment's is both links'", SegmentConfig{Rate: 1e6}, LinkConfig{}, LinkConfig{}, []time.Duration{16 * ms, 24 * ms, 32 * ms}},
		{"a link's own beats it", SegmentConfig{Rate: 1e6}, LinkConfig{Rate: 1e9}, LinkConfig{Rate: 8e6}, []time.Duration{1008 * time.Microsecond, 2008 * time.Microsecond, 3008 * time.Microsecond}},
		{"latencies add", SegmentConfig{Latency: 5 * ms}, LinkConfig{Latency: ms, Rate: 1e6}, LinkConfig{Latency: 2 * ms}, []time.Duration{16 * ms, 24 * ms, 32 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			s := newSegment(t, w, "lan", tt.seg)
			a, b := attach(t, s, "a"), attach(t, s, "b")
			setLink(t, a, tt.a)
			setLink(t, b, tt.b)
			for range tt.want {
				a.to(b, text)
			}
			run(t, w, 0)
			var got []time.Duration
			for _, g := range b.got {
				got = append(got, g.at)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// TestRateDownSharesTheLink: two senders fill one link down; the near one does not
// wait for what the far one sent and is not there yet.
func TestRateDownSharesTheLink(t *testing.T) {
	text := strings.Repeat("x", 1000-etherHeader)
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	far, near, to := attach(t, s, "far"), attach(t, s, "near"), attach(t, s, "to")
	setLink(t, far, LinkConfig{Latency: 100 * ms})
	setLink(t, to, LinkConfig{Rate: 1e6})
	arrivals := map[string][]time.Duration{}
	for range 2 {
		far.to(to, text)
	}
	w.After(nil, 90*ms, func() {
		near.to(to, text)
		near.to(to, text) // does not fit in before the far ones: 98 to 106 ms
	})
	run(t, w, 0)
	for _, g := range to.got {
		from := map[macAddr]string{far.MAC(): "far", near.MAC(): "near"}[macAddr(g.frame[6:])]
		arrivals[from] = append(arrivals[from], g.at)
	}
	require.Equal(t, []time.Duration{108 * ms, 116 * ms}, arrivals["far"])
	require.Equal(t, []time.Duration{98 * ms, 124 * ms}, arrivals["near"])
}

func TestQueue(t *testing.T) {
	text := strings.Repeat("x", 1000-etherHeader)
	for _, tt := range []struct {
		name  string
		queue Queue
		sent  int
		want  int // arrive
	}{
		{"no bound", Queue{}, 100, 100},
		{"frames: one is being sent, three wait", Queue{Frames: 3}, 10, 4},
		{"bytes: whole frames only", Queue{Bytes: 2999}, 10, 3},
		{"bytes, exactly", Queue{Bytes: 3000}, 10, 4},
		{"the smaller one decides", Queue{Frames: 1, Bytes: 3000}, 10, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, way := range []string{"up", "down"} {
				w := newWorld(t, Config{})
				s := newSegment(t, w, "lan", SegmentConfig{})
				a, b := attach(t, s, "a"), attach(t, s, "b")
				link := map[string]*node{"up": a, "down": b}[way]
				setLink(t, link, LinkConfig{Rate: 1e6, Queue: tt.queue})
				lost := 0
				w.Tap(func(f Frame) {
					if f.Lost != "" {
						require.Equal(t, "lost on link "+link.Name()+" (queue full)", f.Lost)
						require.Greater(t, f.Number, tt.want, "the tail is dropped")
						lost++
					}
				})
				for range tt.sent {
					a.to(b, text)
				}
				run(t, w, 0)
				require.Len(t, b.got, tt.want)
				require.Equal(t, tt.sent-tt.want, lost)
				// There is room again when one has been sent.
				b.got = nil
				for range tt.sent {
					a.to(b, text)
				}
				run(t, w, w.Now()+8*ms)
				a.to(b, text)
				run(t, w, 0)
				require.Len(t, b.got, min(tt.want+1, tt.sent+1))
			}
		})
	}
}

// TestLine checks what any sequence of bookings must hold: no two frames at one
// time, none before it is ready, a line that is busy while something waits.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l line
		q := Queue{Frames: rapid.IntRange(0, 5).Draw(t, "frames"), Bytes: rapid.IntRange(0, 5000).Draw(t, "bytes")}
		type slot struct{ ready, start, end int64 }
		var all []slot
		now := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			now += int64(rapid.IntRange(0, 3000).Draw(t, "later"))
			ready := now + int64(rapid.IntRange(0, 10_000).Draw(t, "far"))
			size := rapid.IntRange(1, 1500).Draw(t, "size")
			const rate = 8e9 // a byte per nanosecond
			end, ok := l.book(now, ready, size, rate, q)
			if !ok {
				if q == (Queue{}) {
					t.Fatal("dropped without a bound")
				}
				continue
			}
			s := slot{ready, end - int64(size), end}
			if s.start < ready {
				t.Fatalf("sent at %d, ready at %d", s.start, ready)
			}
			waiting := 0
			for _, o := range all {
				if s.start < o.end && o.start < s.end {
					t.Fatalf("%v and %v overlap", s, o)
				}
				if o.ready <= ready && o.start > ready {
					waiting++
				}
			}
			if q.Frames > 0 && s.start > ready && waiting >= q.Frames {
				t.Fatalf("%d wait already", waiting)
			}
			all = append(all, s)
		}
		// A frame waits only while others are sent that leave no room for it.
		slices.SortFunc(all, func(a, b slot) int { return int(a.start - b.start) })
		for i, s := range all {
			if s.start > s.ready && (i == 0 || all[i-1].end != s.start) {
				t.Fatalf("%v waits for nothing", s)
			}
		}
	})
}

func TestTransmission(t *testing.T) {
	for _, tt := range []struct {
		size int
		rate int64
		want time.Duration
	}{
		{125, 1000, time.Second}, {1500, 100e6, 120 * time.Microsecond}, {1, 3, 2666666667},
		{1, maxRate, 1}, {maxMTU + etherHeader, 1, 524_392 * time.Second},
	} {
		require.Equal(t, tt.want, time.Duration(transmission(tt.size, tt.rate)), fmt.Sprint(tt))
	}
}
