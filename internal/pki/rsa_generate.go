package pki

import (
	"crypto/rsa"
	"fmt"
	"io"
	"math/big"
)

const publicExponent = 65537

// NewRSAKey makes an RSA key of 1024 to 4096 bits, in steps of 64, with the
// exponent 65537. The same stream gives the same key; crypto/rsa would ignore it.
func NewRSAKey(rand io.Reader, bits int) (PrivateKey, error) {
	if bits < 1024 || bits > 4096 || bits%64 != 0 {
		return nil, fmt.Errorf("pki: an RSA key of %d bits; 1024 to 4096 in steps of 64 are supported", bits)
	}
	e := big.NewInt(publicExponent)
	one := big.NewInt(1)
	for range 4 { // twice the same prime, or two so near, is a stream that repeats itself
		p, err := findPrime(rand, bits/2)
		if err != nil {
			return nil, err
		}
		q, err := findPrime(rand, bits/2)
		if err != nil {
			return nil, err
		}
		// FIPS 186-4, Appendix B.3.1: the primes lie apart.
		if new(big.Int).Sub(p, q).BitLen() <= bits/2-100 {
			continue
		}
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		key := &rsa.PrivateKey{
			PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: publicExponent},
			D:         new(big.Int).ModInverse(e, phi),
			Primes:    []*big.Int{p, q},
		}
		return newRSAPrivate(key)
	}
	return nil, errStuck
}

// sieveSize is how many odd numbers above a random one are looked at: of 1024
// bits, one in 355 is prime.
const sieveSize = 4096

// smallPrimes are the odd primes below 2^15, found once.
var smallPrimes = func() []uint32 {
	const limit = 1 << 15
	composite := make([]bool, limit)
	var primes []uint32
	for n := 3; n < limit; n += 2 {
		if composite[n] {
			continue
		}
		primes = append(primes, uint32(n))
		for m := n * n; m < limit; m += 2 * n {
			composite[m] = true
		}
	}
	return primes
}()

// findPrime finds the first prime p at or above a random odd number whose two
// highest bits are set, so that a product of two has full length, with p-1 not
// divisible by the public exponent. A sieve leaves one candidate in nine for the
// test, which is that of Baillie, Pomerance, Selfridge and Wagstaff.
func findPrime(rand io.Reader, bits int) (*big.Int, error) {
	buf := make([]byte, bits/8)
	for range maxDraws {
		if err := readRandom(rand, buf); err != nil {
			return nil, err
		}
		buf[0] |= 0xC0
		buf[len(buf)-1] |= 1
		start := new(big.Int).SetBytes(buf)
		if p := primeFrom(start); p != nil && p.BitLen() == bits {
			return p, nil
		}
	}
	return nil, errStuck
}

// primeFrom is the first prime in start, start+2, … start+2(sieveSize-1), or nil.
func primeFrom(start *big.Int) *big.Int {
	var composite [sieveSize]bool
	words := start.Bytes()
	for _, q := range smallPrimes {
		var r uint64
		for i := 0; i+4 <= len(words); i += 4 { // lengths are multiples of 32 bits
			w := uint64(words[i])<<24 | uint64(words[i+1])<<16 | uint64(words[i+2])<<8 | uint64(words[i+3])
			r = (r<<32 | w) % uint64(q)
		}
		// start + 2i = 0 mod q, with 1/2 = (q+1)/2 mod q.
		first := (uint64(q) - r) * uint64(q+1) / 2 % uint64(q)
		for i := first; i < sieveSize; i += uint64(q) {
			composite[i] = true
		}
	}
	p, step := new(big.Int), new(big.Int)
	for i, c := range composite {
		if c {
			continue
		}
		p.Add(start, step.SetInt64(int64(2*i)))
		if p.ProbablyPrime(0) && new(big.Int).Mod(p, big.NewInt(publicExponent)).Cmp(big.NewInt(1)) != 0 {
			return p
		}
	}
	return nil
}
