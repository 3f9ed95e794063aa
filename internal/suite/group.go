package suite

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
)

// Group is a MODP Diffie–Hellman group with generator 2.
type Group struct {
	Number uint16 // IANA group description number
	Bits   int

	c        int64 // the constant of its prime, RFC 2409, Section 6 and RFC 3526
	exponent int   // bits of a private exponent: no less than the upper estimates of RFC 3526, Section 8
	once     sync.Once
	p        *big.Int
}

var groups = []*Group{
	{Number: 1, Bits: 768, c: 149686, exponent: 256},    // RFC 2409, Section 6.1
	{Number: 2, Bits: 1024, c: 129093, exponent: 256},   // RFC 2409, Section 6.2
	{Number: 5, Bits: 1536, c: 741804, exponent: 256},   // RFC 3526, Section 2
	{Number: 14, Bits: 2048, c: 124476, exponent: 320},  // RFC 3526, Section 3
	{Number: 15, Bits: 3072, c: 1690314, exponent: 420}, // RFC 3526, Section 4
	{Number: 16, Bits: 4096, c: 240904, exponent: 480},  // RFC 3526, Section 5
	{Number: 17, Bits: 6144, c: 929484, exponent: 540},  // RFC 3526, Section 6
	{Number: 18, Bits: 8192, c: 4743158, exponent: 620}, // RFC 3526, Section 7
}

// GroupNumbered finds a group by its IANA number; nil when there is none.
func GroupNumbered(n uint16) *Group {
	for _, g := range groups {
		if g.Number == n {
			return g
		}
	}
	return nil
}

// Len is the length in bytes of public values and of the shared secret.
func (g *Group) Len() int { return g.Bits / 8 }

// Prime is p = 2^n − 2^(n−64) − 1 + 2^64·(⌊2^(n−130)·π⌋ + c), RFC 2409, Section 6; RFC 3526.
// The caller must not change it.
func (g *Group) Prime() *big.Int {
	g.once.Do(func() {
		one, n := big.NewInt(1), uint(g.Bits)
		p := new(big.Int).Lsh(one, n)
		p.Sub(p, new(big.Int).Lsh(one, n-64))
		p.Sub(p, one)
		t := scaledPi(n - 130)
		t.Add(t, big.NewInt(g.c))
		g.p = p.Add(p, t.Lsh(t, 64))
	})
	return g.p
}

// scaledPi is ⌊2^bits·π⌋ by Machin's formula, with guard bits for the rounding of the series.
func scaledPi(bits uint) *big.Int {
	const guard = 64
	unit := new(big.Int).Lsh(big.NewInt(1), bits+guard)
	arctanInverse := func(x int64) *big.Int {
		power := new(big.Int).Div(unit, big.NewInt(x))
		sum := new(big.Int).Set(power)
		square := big.NewInt(x * x)
		term := new(big.Int)
		for k := int64(3); ; k += 2 {
			power.Div(power, square)
			if power.Sign() == 0 {
				return sum
			}
			term.Div(power, big.NewInt(k))
			if k%4 == 3 {
				sum.Sub(sum, term)
			} else {
				sum.Add(sum, term)
			}
		}
	}
	pi := new(big.Int).Mul(arctanInverse(5), big.NewInt(16))
	pi.Sub(pi, new(big.Int).Mul(arctanInverse(239), big.NewInt(4)))
	return pi.Rsh(pi, guard)
}

// PrivateKey is one side's secret exponent and its public value.
type PrivateKey struct {
	group  *Group
	x      *big.Int
	public []byte
}

// GenerateKey draws a private key from rand.
func (g *Group) GenerateKey(rand io.Reader) (*PrivateKey, error) {
	b := make([]byte, (g.exponent+7)/8)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("suite: group %d: drawing a private key: %w", g.Number, err)
	}
	b[0] |= 0x80 // full length, and so never 0 or 1
	x := new(big.Int).SetBytes(b)
	y := new(big.Int).Exp(big.NewInt(2), x, g.Prime())
	return &PrivateKey{group: g, x: x, public: y.FillBytes(make([]byte, g.Len()))}, nil
}

// Public is the public value, padded with zeros to the group's size (RFC 2409, Section 5).
func (k *PrivateKey) Public() []byte { return k.public }

// ErrPublicValue is returned for a peer's value of the wrong length or outside 1 < y < p−1,
// which would give away the secret (RFC 6989, Section 2.1 and NIST SP 800-56A, 5.6.2.3.1).
var ErrPublicValue = errors.New("suite: Diffie–Hellman public value is not in the group")

// Shared is g^xy, padded with zeros to the group's size (RFC 2409, Section 5).
func (k *PrivateKey) Shared(peer []byte) ([]byte, error) {
	p := k.group.Prime()
	y := new(big.Int).SetBytes(peer)
	if len(peer) != k.group.Len() || y.Cmp(big.NewInt(1)) <= 0 || y.Cmp(new(big.Int).Sub(p, big.NewInt(1))) >= 0 {
		return nil, ErrPublicValue
	}
	return y.Exp(y, k.x, p).FillBytes(make([]byte, k.group.Len())), nil
}
