package replay

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// RFC 4303, Appendix A and Section 3.4.3: T is the highest number authenticated
// and W the size. One verdict per line; each line starts from the state after
// the numbers in front of it were received.
func TestWindow(t *testing.T) {
	const w = 64
	for _, c := range []struct {
		name     string
		size     int
		received []uint64
		seq      uint64
		want     Verdict
	}{
		// Before the first packet.
		{"zero is never sent", w, nil, 0, Zero},
		{"the first packet", w, nil, 1, Fresh},
		{"the first packets were lost", w, nil, 1000, Fresh},
		{"the highest 32-bit number", w, nil, math.MaxUint32, Fresh},

		// Right of the window: N > T.
		{"the next", w, []uint64{1}, 2, Fresh},
		{"a gap", w, []uint64{1}, 40, Fresh},
		{"a gap of the size of the window", w, []uint64{1}, 1 + w, Fresh},
		{"a gap beyond the window", w, []uint64{1}, 2 + w, Fresh},

		// Inside: T−W < N ≤ T.
		{"T itself", w, []uint64{100}, 100, Seen},
		{"T−1, not received", w, []uint64{100}, 99, Fresh},
		{"T−1, received", w, []uint64{99, 100}, 99, Seen},
		{"T−W+1, the left edge, not received", w, []uint64{100}, 37, Fresh},
		{"T−W+1, the left edge, received", w, []uint64{37, 100}, 37, Seen},
		{"reordered, then repeated", w, []uint64{3, 1, 2}, 2, Seen},
		{"inside before the window was ever full", w, []uint64{10}, 1, Fresh},
		{"zero stays zero inside", w, []uint64{10}, 0, Zero},

		// Left: N ≤ T−W.
		{"T−W", w, []uint64{100}, 36, Stale},
		{"T−W, received", w, []uint64{36, 100}, 36, Stale},
		{"1, long ago", w, []uint64{1, 5000}, 1, Stale},

		// Moving the window forgets what leaves it and keeps what stays.
		{"a shift by one keeps the rest", w, []uint64{100, 101}, 100, Seen},
		{"a shift by W−1 keeps the old T at the left edge", w, []uint64{100, 163}, 100, Seen},
		{"a shift by W pushes the old T out", w, []uint64{100, 164}, 100, Stale},
		{"a far jump does not mark its neighbours", w, []uint64{1, 2, 3, 10000}, 9999, Fresh},
		{"a jump by the ring's length does not revive old bits", w, []uint64{65, 65 + 128}, 65 + 127, Fresh},

		// The smallest window, and one that is no multiple of a word.
		{"W=32: left edge", 32, []uint64{100}, 69, Fresh},
		{"W=32: outside", 32, []uint64{100}, 68, Stale},
		{"W=100: left edge", 100, []uint64{1000}, 901, Fresh},
		{"W=100: outside", 100, []uint64{1000}, 900, Stale},
		{"the default is 64", 0, []uint64{100}, 36, Stale},

		// The ends of the number spaces; there is no wrap.
		{"2³²−1 repeated", w, []uint64{math.MaxUint32}, math.MaxUint32, Seen},
		{"a wrapped number is stale", w, []uint64{math.MaxUint32}, 1, Stale},
		{"64 bits: past 2³²", w, []uint64{math.MaxUint32}, 1 << 32, Fresh},
		{"64 bits: left edge across 2³²", w, []uint64{1 << 32}, 1<<32 - w + 1, Fresh},
		{"64 bits: outside across 2³²", w, []uint64{1 << 32}, 1<<32 - w, Stale},
		{"2⁶⁴−1", w, []uint64{1}, math.MaxUint64, Fresh},
		{"2⁶⁴−1 repeated", w, []uint64{math.MaxUint64}, math.MaxUint64, Seen},
	} {
		win, err := New(c.size)
		require.NoError(t, err)
		for _, n := range c.received {
			require.Equal(t, Fresh, win.Check(n), "%s: receiving %d", c.name, n)
			win.Update(n)
		}
		require.Equal(t, c.want, win.Check(c.seq), "%s: %v", c.name, c.want)
	}
}

func TestCheckChangesNothing(t *testing.T) {
	w, err := New(0)
	require.NoError(t, err)
	for range 3 {
		require.Equal(t, Fresh, w.Check(7))
	}
	require.Zero(t, w.Top())
	w.Update(7)
	require.EqualValues(t, 7, w.Top())
	require.Equal(t, Fresh, w.Check(math.MaxUint32), "an unauthenticated number far ahead …")
	require.EqualValues(t, 7, w.Top(), "… does not move the window")
}

func TestUpdateOfStaleNumberChangesNothing(t *testing.T) {
	w, err := New(0)
	require.NoError(t, err)
	w.Update(1000)
	w.Update(1)
	w.Update(0)
	require.EqualValues(t, 1000, w.Top())
	require.Equal(t, Stale, w.Check(1))
	require.Equal(t, Fresh, w.Check(999))
}

func TestSizes(t *testing.T) {
	for _, n := range []int{-1, 1, MinSize - 1, MaxSize + 1} {
		_, err := New(n)
		require.ErrorContains(t, err, "is outside 32 to 65536", "%d", n)
	}
	for _, n := range []int{MinSize, 63, 64, 65, 128, 129, 1024, MaxSize} {
		w, err := New(n)
		require.NoError(t, err)
		require.Equal(t, n, w.Size())
	}
}

// The ring agrees with the plainest model: a set of numbers and the rules of
// RFC 4303, Section 3.4.3 word for word.
func TestWindowAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(MinSize, 300).Draw(t, "size")
		w, err := New(size)
		require.NoError(t, err)
		var top uint64
		got := map[uint64]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			near := top + 400
			seq := rapid.Uint64Range(near-min(near, 800), near).Draw(t, "seq")
			want := Fresh
			switch {
			case seq == 0:
				want = Zero
			case seq+uint64(size) <= top:
				want = Stale
			case got[seq]:
				want = Seen
			}
			if v := w.Check(seq); v != want {
				t.Fatalf("size %d, top %d: %d is %v, the model says %v", size, top, seq, v, want)
			}
			if want == Fresh && rapid.Bool().Draw(t, "authentic") {
				w.Update(seq)
				got[seq] = true
				top = max(top, seq)
			}
		}
	})
}

func TestNoAllocation(t *testing.T) {
	w, err := New(0)
	require.NoError(t, err)
	var n uint64
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		n++
		if w.Check(n) == Fresh {
			w.Update(n)
		}
	}))
}

func TestVerdictNames(t *testing.T) {
	for v, want := range map[Verdict]string{
		Fresh: "fresh", Seen: "seen before", Stale: "left of the window", Zero: "zero", Zero + 1: "verdict(4)",
	} {
		require.Equal(t, want, v.String())
	}
}

// RFC 4303, Appendix A2.2, with T = (Th, Tl) and window W: the cases by their conditions.
func TestExtend(t *testing.T) {
	const run = uint64(1) << 32
	for _, c := range []struct {
		name string
		size int
		top  uint64
		low  uint32
		want uint64 // math.MaxUint64: none
	}{
		{"nothing received: the first number", 64, 0, 1, 1},
		{"nothing received: the last before what would be below zero", 64, 0, math.MaxUint32 - 63, run - 64},
		{"nothing received: below zero", 64, 0, math.MaxUint32 - 62, math.MaxUint64},
		{"nothing received: 2³²−1 would be −1", 64, 0, math.MaxUint32, math.MaxUint64},

		{"case A: right of T", 64, 1000, 1001, 1001},
		{"case A: inside", 64, 1000, 937, 937},
		{"case A: left of the window means the next run", 64, 1000, 936, run + 936},
		{"case A: Tl = W−1: the window ends at 0", 64, run + 63, 0, run},
		{"case A: far to the right", 64, run + 63, math.MaxUint32, 2*run - 1},
		{"case A: T = 2³²−1, the next number", 64, run - 1, 0, run},
		{"case A: T = 2³²−1, the left edge", 64, run - 1, math.MaxUint32 - 63, run - 64},
		{"case A: T = 2³²−1, left of the window", 64, run - 1, math.MaxUint32 - 64, 2*run - 65},

		{"case B: Tl = W−2: the window begins in the run before", 64, run + 62, math.MaxUint32, run - 1},
		{"case B: … and one more is the same run", 64, run + 62, math.MaxUint32 - 1, 2*run - 2},
		{"case B: T = 2³²: its left edge", 64, run, math.MaxUint32 - 62, run - 63},
		{"case B: T = 2³²: right of it", 64, run, 1, run + 1},
		{"case B: T = 2³²: the farthest to the right", 64, run, math.MaxUint32 - 63, 2*run - 64},

		{"W = 32", 32, run + 30, math.MaxUint32, run - 1},
		{"W = 100", 100, run + 98, math.MaxUint32, run - 1},
		{"W = 65536", MaxSize, run + MaxSize - 2, math.MaxUint32, run - 1},
		{"the last run: inside", 64, math.MaxUint64 - 10, math.MaxUint32, math.MaxUint64 - 0},
		{"the last run: beyond 64 bits", 64, math.MaxUint64 - 10, 5, math.MaxUint64},
	} {
		w, err := New(c.size)
		require.NoError(t, err)
		if c.top > 0 {
			w.Update(c.top)
		}
		got, ok := w.Extend(c.low)
		if c.want == math.MaxUint64 && c.name != "the last run: inside" {
			require.False(t, ok, c.name)
			continue
		}
		require.True(t, ok, c.name)
		require.Equal(t, c.want, got, c.name)
	}
}

// Whatever the window: a number within it or less than 2³²−W right of it is found from its lower half.
func TestExtendFindsTheNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(MinSize, 300).Draw(t, "size")
		w, err := New(size)
		require.NoError(t, err)
		top := rapid.Uint64Range(0, 1<<40).Draw(t, "top")
		if rapid.Bool().Draw(t, "near") {
			top = (top >> 32 << 32) + top%1000
		}
		w.Update(top)
		seq := rapid.Uint64Range(top-min(top, uint64(size)-1), top+1<<32-uint64(size)).Draw(t, "seq")
		got, ok := w.Extend(uint32(seq))
		require.True(t, ok)
		require.Equal(t, seq, got)
	})
}
