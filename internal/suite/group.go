package suite

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
)

// Group is a MODP Diffie–Hellman group; all but private ones have generator 2. Its arithmetic takes
// more or less time with the key, which the secrets of a laboratory can bear.
type Group struct {
	Number uint16 // IANA group description number
	Bits   int

	// ExponentBits is the length of a private key. An attacker's work grows
	// with the square root of the number of exponents, so that twice the strength
	// of the group is as good as the full length: RFC 3526, Section 8 estimates it
	// at 180 to 240 bits for 1536-bit groups and so on up to 380 to 620 for 8192,
	// and NIST SP 800-56A Rev. 3, 5.6.1.1.1 wants at least twice the security
	// strength, which Appendix D puts at 112 bits for group 14 and up to 200 for 18. These are the upper ends; the two
	// groups that neither of them lists have that of the next larger one. What
	// Windows draws is not published.
	ExponentBits int

	c      int64    // the constant of its prime, RFC 2409, Section 6 and RFC 3526; 0: a private group
	g      *big.Int // the generator of a private group; nil: 2
	once   sync.Once
	p      *big.Int
	powers comb
}

var groups = []*Group{
	{Number: 1, Bits: 768, c: 149686, ExponentBits: 256},    // RFC 2409, Section 6.1
	{Number: 2, Bits: 1024, c: 129093, ExponentBits: 256},   // RFC 2409, Section 6.2
	{Number: 5, Bits: 1536, c: 741804, ExponentBits: 256},   // RFC 3526, Section 2
	{Number: 14, Bits: 2048, c: 124476, ExponentBits: 320},  // RFC 3526, Section 3
	{Number: 15, Bits: 3072, c: 1690314, ExponentBits: 420}, // RFC 3526, Section 4
	{Number: 16, Bits: 4096, c: 240904, ExponentBits: 480},  // RFC 3526, Section 5
	{Number: 17, Bits: 6144, c: 929484, ExponentBits: 540},  // RFC 3526, Section 6
	{Number: 18, Bits: 8192, c: 4743158, ExponentBits: 620}, // RFC 3526, Section 7
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
func (g *Group) Len() int { return (g.Bits + 7) / 8 }

// Prime is p = 2^n − 2^(n−64) − 1 + 2^64·(⌊2^(n−130)·π⌋ + c), RFC 2409, Section 6; RFC 3526.
// The caller must not change it.
func (g *Group) Prime() *big.Int {
	if g.c == 0 {
		return g.p
	}
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

// comb holds powers of the generator, by which a public value costs a sixth of a
// general exponentiation: the method of Lim and Lee, "More Flexible Exponentiation
// with Precomputation" (CRYPTO '94), with eight rows. Entry j is the product of
// 2^2^(r·columns) over the rows r whose bit is set in j.
type comb struct {
	once    sync.Once
	columns int
	entry   [1 << combRows]*big.Int
}

const combRows = 8

func (g *Group) prepareComb() {
	c, p := &g.powers, g.Prime()
	c.columns = (g.ExponentBits + combRows - 1) / combRows
	c.entry[0] = big.NewInt(1)
	step := new(big.Int).Lsh(c.entry[0], uint(c.columns))
	row := big.NewInt(2)
	for r := range combRows {
		for j := range 1 << r {
			product := new(big.Int).Mul(c.entry[j], row)
			c.entry[1<<r+j] = product.Mod(product, p)
		}
		row = new(big.Int).Exp(row, step, p)
	}
}

// power is the generator to the power of x mod p, for x of the length of a private key: the rows of the comb
// are taken together, a column at a time.
func (g *Group) power(x *big.Int) *big.Int {
	if g.g != nil {
		return new(big.Int).Exp(g.g, x, g.p)
	}
	g.powers.once.Do(g.prepareComb)
	p, c := g.Prime(), &g.powers
	y, product, quotient := big.NewInt(1), new(big.Int), new(big.Int)
	for column := c.columns - 1; column >= 0; column-- {
		product.Mul(y, y)
		quotient.QuoRem(product, p, y)
		j := 0
		for r := range combRows {
			j |= int(x.Bit(column+r*c.columns)) << r
		}
		if j != 0 {
			product.Mul(y, c.entry[j])
			quotient.QuoRem(product, p, y)
		}
	}
	return y
}

// PrivateKey is one side's secret exponent and its public value.
type PrivateKey struct {
	group  *Group
	x      *big.Int
	public []byte
}

// GenerateKey draws a private key from rand.
func (g *Group) GenerateKey(rand io.Reader) (*PrivateKey, error) {
	b := make([]byte, (g.ExponentBits+7)/8)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("suite: group %d: drawing a private key: %w", g.Number, err)
	}
	b[0] |= 0x80 // full length, and so never 0 or 1
	x := new(big.Int).SetBytes(b)
	y := g.power(x)
	return &PrivateKey{group: g, x: x, public: y.FillBytes(make([]byte, g.Len()))}, nil
}

// Public is the public value, padded with zeros to the group's size (RFC 2409, Section 5).
func (k *PrivateKey) Public() []byte { return k.public }

// ErrPublicValue is returned for a peer's value of the wrong length or outside 1 < y < p−1,
// which would give away the secret (RFC 6989, Section 2.1 and NIST SP 800-56A, 5.6.2.3.1).
// A short one is not padded for the peer, who has to (RFC 2409, Section 5). That y is in the
// subgroup of the generator is not checked: of the other half a value gives away one bit of a
// secret that is used once, RFC 6989 asks for no more where (p−1)/2 is prime, and the symbol
// of Jacobi takes as long as three quarters of the exponentiation in group 2.
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
