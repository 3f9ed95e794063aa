package sim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTap(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Latency: ms})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	var got []Frame
	a.to(b, "before anyone looks")
	w.Tap(func(f Frame) { got = append(got, f) })
	w.After(nil, ms, func() {
		require.Equal(t, 2, a.Send(etherFrame(b.MAC(), a.MAC(), "x"), "a comment"))
		require.Len(t, got, 1, "seen when it is sent")
	})
	run(t, w, 0)
	require.Equal(t, []Frame{{Number: 2, At: ms, Segment: "lan", Node: "a", Data: etherFrame(b.MAC(), a.MAC(), "x"), Comment: "a comment"}}, got)
}

// TestTapMaySend: every observer sees the frames in the order of their numbers,
// although one of them answers on the spot.
func TestTapMaySend(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	var first, second []int
	w.Tap(func(f Frame) {
		first = append(first, f.Number)
		if f.Number < 4 {
			b.to(a, "answer")
			require.Equal(t, f.Number+1, w.Frames())
		}
	})
	w.Tap(func(f Frame) { second = append(second, f.Number) })
	a.to(b, "question")
	require.Equal(t, []int{1, 2, 3, 4}, first)
	require.Equal(t, []int{1, 2, 3, 4}, second)
	run(t, w, 0)
	require.Len(t, a.got, 3)
}

// TestTapPanic: a panic in an observer surfaces, and later frames are seen again.
func TestTapPanic(t *testing.T) {
	w := newWorld(t, Config{})
	a := attach(t, newSegment(t, w, "lan", SegmentConfig{}), "a")
	n := 0
	w.Tap(func(f Frame) {
		if n++; n == 1 {
			panic("boom")
		}
	})
	require.PanicsWithValue(t, "boom", func() { a.toAll("1") })
	a.toAll("2")
	require.Equal(t, 2, n)
}

func TestCut(t *testing.T) {
	require.Equal(t, "abc", cut("abc", 3))
	require.Equal(t, "ab", cut("abc", 2))
	require.Equal(t, "a", cut("aü", 2), "not through a character")
	require.Equal(t, "", cut("ü", 1))
	require.Equal(t, "", cut(strings.Repeat("\x80", 9), 5), "nor where none begins")
}
