package suite

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A group that has the prime of a well-known one agrees with it, and one with another
// generator with itself; what is no group is refused, and says why.
func TestPrivateGroup(t *testing.T) {
	known := GroupNumbered(1)
	p := known.Prime()
	g, err := NewGroup(40000, p, big.NewInt(2))
	require.NoError(t, err)
	r := rand.NewChaCha8([32]byte{1})
	a, err := known.GenerateKey(r)
	require.NoError(t, err)
	b, err := g.GenerateKey(r)
	require.NoError(t, err)
	one, err := a.Shared(b.Public())
	require.NoError(t, err)
	two, err := b.Shared(a.Public())
	require.NoError(t, err)
	require.Equal(t, one, two)
	require.Len(t, one, 96)

	three, err := NewGroup(40001, p, big.NewInt(3))
	require.NoError(t, err)
	c, err := three.GenerateKey(r)
	require.NoError(t, err)
	require.Equal(t, new(big.Int).Exp(big.NewInt(3), c.x, p).Bytes(), new(big.Int).SetBytes(c.Public()).Bytes())

	minus := func(n int64) *big.Int { return new(big.Int).Sub(p, big.NewInt(n)) }
	// The first prime above 2^768 that is no safe one.
	prime := new(big.Int).Lsh(big.NewInt(1), 768)
	for prime.Add(prime, big.NewInt(1)); !prime.ProbablyPrime(20) || new(big.Int).Rsh(prime, 1).ProbablyPrime(5); {
		prime.Add(prime, big.NewInt(1))
	}
	for _, row := range []struct {
		prime, generator *big.Int
		why              string
	}{
		{minus(1), big.NewInt(2), "even"},
		{minus(2), big.NewInt(2), "not prime"},
		{prime, big.NewInt(2), "not a safe prime"},
		{new(big.Int).Rsh(p, 1), big.NewInt(2), "767 bits"},
		{new(big.Int).Lsh(big.NewInt(1), 4096), big.NewInt(2), "4097 bits"},
		{new(big.Int), big.NewInt(2), "0 bits"},
		{p, big.NewInt(0), "generator"},
		{p, big.NewInt(1), "generator"},
		{p, minus(1), "generator"},
		{p, p, "generator"},
	} {
		_, err := NewGroup(40000, row.prime, row.generator)
		require.ErrorContains(t, err, row.why)
	}
}

func BenchmarkNewGroup(b *testing.B) {
	for _, n := range []uint16{2, 14, 16} {
		b.Run(GroupNumbered(n).Prime().Text(10)[:3], func(b *testing.B) {
			for b.Loop() {
				if _, err := NewGroup(40000, GroupNumbered(n).Prime(), big.NewInt(2)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
