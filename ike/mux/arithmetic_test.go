package mux_test

import (
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// arithmetic is the public-key arithmetic that a phase 1 and a quick mode take, of
// both ends, with nothing around it: of each Diffie–Hellman exchange two powers of the
// generator, which package suite makes with tables, and two general ones; and with
// certificates the authority's signature to check at each end, and
//
//   - of RSA signatures, two to make and two to check (RFC 2409, Section 5.1);
//   - of public key encryption, an identity and a nonce of each end to encrypt and to
//     decrypt (Section 5.2); in the revised form the nonce (Section 5.3).
type arithmetic struct {
	group     *suite.Group
	exchanges int
	rsa       *numbers // nil: of no method with certificates
	public    int      // operations with public keys
	private   int
}

// by counts the operations of a method.
func (a *arithmetic) by(t testing.TB, m ike.AuthMethod, key pki.PrivateKey) {
	a.rsa = numbersOf(t, key)
	switch m {
	case ike.RSASignature:
		a.public, a.private = 4, 2
	case ike.RSAEncryption:
		a.public, a.private = 6, 4
	case ike.RevisedRSAEncryption:
		a.public, a.private = 4, 2
	}
}

func (a *arithmetic) do(t testing.TB) {
	for range a.exchanges {
		agree(t, a.group)
	}
	for range a.public {
		a.rsa.public()
	}
	for range a.private {
		a.rsa.private()
	}
}

var random = rand.NewChaCha8([32]byte{1})

// agree is one Diffie–Hellman exchange, both ends.
func agree(t testing.TB, g *suite.Group) {
	one, err := g.GenerateKey(random)
	require.NoError(t, err)
	other, err := g.GenerateKey(random)
	require.NoError(t, err)
	_, err = one.Shared(other.Public())
	require.NoError(t, err)
	_, err = other.Shared(one.Public())
	require.NoError(t, err)
}

// exponentiate is the same with nothing but math/big, and without tables.
func exponentiate(g *suite.Group) {
	two, p := big.NewInt(2), g.Prime()
	exponent := func() *big.Int {
		x := make([]byte, (g.ExponentBits+7)/8)
		_, _ = random.Read(x)
		x[0] |= 0x80
		return new(big.Int).SetBytes(x)
	}
	x, y := exponent(), exponent()
	gx, gy := new(big.Int).Exp(two, x, p), new(big.Int).Exp(two, y, p)
	gy.Exp(gy, x, p)
	gx.Exp(gx, y, p)
}

// numbers are an RSA key for math/big.
type numbers struct{ n, e, p, q, dp, dq, inverse, m *big.Int }

func numbersOf(t testing.TB, key pki.PrivateKey) *numbers {
	der, err := pki.MarshalPrivateKey(key)
	require.NoError(t, err)
	k, err := x509.ParsePKCS8PrivateKey(der)
	require.NoError(t, err)
	r := k.(*rsa.PrivateKey)
	return &numbers{
		n: r.N, e: big.NewInt(int64(r.E)), p: r.Primes[0], q: r.Primes[1],
		dp: r.Precomputed.Dp, dq: r.Precomputed.Dq, inverse: r.Precomputed.Qinv,
		m: new(big.Int).Sub(r.N, big.NewInt(12345)),
	}
}

func (k *numbers) public() { new(big.Int).Exp(k.m, k.e, k.n) }

// private is by the Chinese remainder theorem, RFC 8017, Section 5.1.2.
func (k *numbers) private() {
	x, y := new(big.Int).Mod(k.m, k.p), new(big.Int).Mod(k.m, k.q)
	x.Exp(x, k.dp, k.p)
	y.Exp(y, k.dq, k.q)
	x.Mod(x.Mul(x.Sub(x, y), k.inverse), k.p)
	x.Add(x.Mul(x, k.q), y)
}
