package nat

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The index finds what a map of Go does, after any sequence of adding and removing, with
// hashes that often meet.
func TestIndex(t *testing.T) {
	for _, mask := range []uint32{^uint32(0), 0xff, 3, 0} {
		r := rand.New(rand.NewPCG(uint64(mask), 5))
		seed := [2]uint64{r.Uint64(), r.Uint64()}
		keys := map[uint32]key{}
		x := index{of: func(i uint32) key { return keys[i] }}
		hash := func(k key) uint32 { return k.hash(&seed) & mask }
		where := map[key]uint32{}
		for n := range 5000 {
			k := key{a: r.Uint32N(40), ap: uint16(r.Uint32N(8)), proto: udp}
			if i, ok := where[k]; ok && r.Uint32N(3) > 0 {
				x.remove(hash(k), i)
				delete(where, k)
			} else if !ok {
				i := uint32(n + 1)
				keys[i], where[k] = k, i
				x.add(hash(k), i)
			}
			k = key{a: r.Uint32N(40), ap: uint16(r.Uint32N(8)), proto: udp}
			require.Equal(t, where[k], x.find(hash(k), k))
			require.Equal(t, len(where), x.n)
		}
		for k, i := range where {
			require.Equal(t, i, x.find(hash(k), k))
		}
	}
}

// Each record has a place of its own, which it keeps.
func TestArena(t *testing.T) {
	a := arena[uint32]{}
	places := map[*uint32]bool{}
	for n := range uint32(100000) {
		i, p := a.take()
		require.Equal(t, n+1, i)
		require.Zero(t, *p)
		require.False(t, places[p])
		places[p] = true
		*p = i
	}
	for i := uint32(1); i <= 100000; i++ {
		require.Equal(t, i, *a.at(i))
	}
	a.give(7)
	require.Equal(t, 99999, a.live())
	i, p := a.take()
	require.Equal(t, uint32(7), i)
	require.Zero(t, *p)
}

// Keys that outsiders can choose do not meet more often than others.
func TestHashSpreads(t *testing.T) {
	seed := [2]uint64{0x0123456789abcdef, 0xfedcba9876543210}
	for name, of := range map[string]func(i uint32) key{
		"ports":     func(i uint32) key { return key{0x0a000001, 0xc6336401, uint16(i), 7000, udp} },
		"remotes":   func(i uint32) key { return key{0xcb007101, 0xc6330000 + i, 4000, 7000, tcp} },
		"hosts":     func(i uint32) key { return key{a: 0x0a000000 + i, ap: 4000, proto: udp} },
		"both ends": func(i uint32) key { return key{0x0a000000 + i, 0x0a000000 + i, uint16(i), uint16(i), udp} },
	} {
		const n = 1 << 14
		count := make([]int, n)
		most := 0
		for i := range uint32(n) {
			at := of(i).hash(&seed) & (n - 1)
			count[at]++
			most = max(most, count[at])
		}
		require.Less(t, most, 12, name) // of n balls in n bins, the fullest has 8 or so
	}
}
