package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand"
	randv2 "math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStreamsAreTheirNames(t *testing.T) {
	w := newWorld(t, Config{Name: "n", Seed: 1})
	seen := map[uint64]string{}
	for name, s := range map[string]*Stream{
		"none":         w.Rand(),
		"empty":        w.Rand(""),
		"ab":           w.Rand("ab"),
		"a, b":         w.Rand("a", "b"),
		"a, b, empty":  w.Rand("a", "b", ""),
		"b, a":         w.Rand("b", "a"),
		"another seed": newWorld(t, Config{Name: "n", Seed: 2}).Rand("a", "b"),
		"another name": newWorld(t, Config{Name: "m", Seed: 1}).Rand("a", "b"),
		"name in path": newWorld(t, Config{Seed: 1}).Rand("n", "a", "b"),
	} {
		v := s.Uint64()
		require.Empty(t, seen[v], name)
		seen[v] = name
	}
	a := w.Rand("a", "b")
	first := []uint64{a.Uint64(), a.Uint64()}
	b := w.Rand("a", "b")
	require.Equal(t, first, []uint64{b.Uint64(), b.Uint64()}, "each starts anew")
	require.NotEqual(t, first[0], first[1])
}

// TestStreamKnownAnswer fixes what a name means for ever: captures depend on it.
func TestStreamKnownAnswer(t *testing.T) {
	key := sha256.Sum256([]byte("\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x00\x00\x00\x00\x00\x00\x00\x04demo" + "\x00\x00\x00\x00\x00\x00\x00\x04host" + "\x00\x00\x00\x00\x00\x00\x00\x01a"))
	ref := randv2.NewChaCha8(key)
	s := newWorld(t, Config{Name: "demo", Seed: 7}).Rand("host", "a")
	for range 1000 {
		require.Equal(t, ref.Uint64(), s.Uint64())
	}
	require.Equal(t, "b2aea7f84fad6ef2c197fad91e0a2e663fa14bf4fb37d01d29bdfbcac32371f6", hex.EncodeToString(key[:]), "sha256sum")
	s = newWorld(t, Config{Name: "demo", Seed: 7}).Rand("host", "a")
	require.Equal(t, uint64(0x69b9669bcc4a3b65), s.Uint64())
}

// TestStreamRead: a stream of bytes, however it is cut, and of numbers beside it.
func TestStreamRead(t *testing.T) {
	w := newWorld(t, Config{})
	whole := make([]byte, 1000)
	n, err := w.Rand("x").Read(whole)
	require.NoError(t, err)
	require.Equal(t, 1000, n)
	var cut []byte
	s := w.Rand("x")
	for n := 0; len(cut) < 990; n++ {
		b := make([]byte, n%13)
		_, err := io.ReadFull(s, b)
		require.NoError(t, err)
		cut = append(cut, b...)
	}
	require.Equal(t, whole[:len(cut)], cut)

	s = w.Rand("x")
	require.Equal(t, binary.LittleEndian.Uint64(whole), s.Uint64())
	b := make([]byte, 3)
	_, _ = s.Read(b)
	require.Equal(t, whole[8:11], b)
	require.Equal(t, binary.LittleEndian.Uint64(whole[16:]), s.Uint64(), "a number is never made of what Read began")
	_, _ = s.Read(b)
	require.Equal(t, whole[11:14], b)
}

func TestStreamNumbers(t *testing.T) {
	s := newWorld(t, Config{}).Rand("numbers")
	var count [7]int
	sum := 0.0
	const n = 70_000
	for range n {
		count[s.IntN(7)]++
		f := s.Float64()
		require.True(t, f >= 0 && f < 1)
		sum += f
	}
	for _, c := range count {
		require.InDelta(t, n/7, c, 500, "5 standard deviations")
	}
	require.InDelta(t, 0.5, sum/n, 0.006, "5 standard deviations")
	require.Zero(t, s.IntN(1))
	for range 100 { // where nearly half of the draws are thrown away
		require.Less(t, s.IntN(1<<62+1), 1<<62+1)
	}
	require.Panics(t, func() { s.IntN(0) })
	require.Panics(t, func() { s.IntN(-1) })
}

func TestStreamSource(t *testing.T) {
	w := newWorld(t, Config{})
	ref, s := w.Rand("x"), w.Rand("x")
	src := s.Source()
	require.Equal(t, ref.Uint64(), src.Uint64())
	require.Equal(t, int64(ref.Uint64()>>1), src.Int63())
	src.Seed(1)
	require.Equal(t, ref.Uint64(), s.Uint64(), "one stream, which Seed does not touch")
	require.Equal(t, rand.New(ref.Source()).Intn(1000), rand.New(src).Intn(1000))
}
