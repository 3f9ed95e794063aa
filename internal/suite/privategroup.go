package suite

import (
	"fmt"
	"math/big"
)

// Bounds of a private group, in bits of its prime. The upper one bounds what the tests of
// a group that a peer proposes cost: a dozen exponentiations, BenchmarkNewGroup.
const (
	MinPrivateBits = 768
	MaxPrivateBits = 4096
)

// NewGroup is a private MODP group (RFC 2409, Section 5.6), after tests of whether it is
// one: the prime is in bounds and prime, half of what is below it is prime too, as with the
// well-known ones ("strong" primes in the words of RFC 2412, Appendix E), and the generator
// makes more than 1 and p−1. That p is prime follows from its half q being prime, 2^(p−1) = 1
// mod p, which is part of the test of Baillie and PSW, and 3 not dividing p (Pocklington).
// big.Int.ProbablyPrime takes the bases of its tests from the number, so that the answer is the
// same each time; a composite that passes that of Baillie and PSW is not known to exist.
func NewGroup(number uint16, prime, generator *big.Int) (*Group, error) {
	bits := prime.BitLen()
	below := new(big.Int).Sub(prime, big.NewInt(1))
	switch {
	case bits < MinPrivateBits || bits > MaxPrivateBits:
		return nil, fmt.Errorf("suite: the group has %d bits, must have %d to %d", bits, MinPrivateBits, MaxPrivateBits)
	case prime.Sign() < 0 || prime.Bit(0) == 0:
		return nil, fmt.Errorf("suite: the modulus of the group is even")
	case generator.Cmp(big.NewInt(1)) <= 0 || generator.Cmp(below) >= 0:
		return nil, fmt.Errorf("suite: the generator of the group is not between 1 and p-1")
	case !prime.ProbablyPrime(0):
		return nil, fmt.Errorf("suite: the modulus of the group is not prime")
	case !new(big.Int).Rsh(prime, 1).ProbablyPrime(8):
		return nil, fmt.Errorf("suite: the modulus of the group is not a safe prime: (p-1)/2 is not prime")
	}
	return &Group{
		Number: number, Bits: bits, ExponentBits: exponentBits(bits), p: new(big.Int).Set(prime), g: new(big.Int).Set(generator),
	}, nil
}

// Generator is what the powers are of. The caller must not change it.
func (g *Group) Generator() *big.Int {
	if g.g == nil {
		return big.NewInt(2)
	}
	return g.g
}

// exponentBits is that of the smallest well-known group that is no smaller.
func exponentBits(bits int) int {
	for _, g := range groups {
		if g.Bits >= bits {
			return g.ExponentBits
		}
	}
	return groups[len(groups)-1].ExponentBits
}
