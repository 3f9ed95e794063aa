package pki

import (
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// The public keys that are worked with: larger ones make a peer's signature
// expensive. Windows keeps exponents of 32 bits. The smallest modulus is what
// the export rules of the time allowed.
const (
	minRSABits      = 512
	maxRSABits      = 8192
	maxExponentBits = 32
)

type rsaPublic struct{ n, e *big.Int }

// NewRSAPublicKey makes a key of a modulus of 512 to 8192 bits and an odd exponent of at most 32 bits.
func NewRSAPublicKey(n, e *big.Int) (PublicKey, error) {
	switch {
	case n.Sign() <= 0 || n.Bit(0) == 0:
		return nil, errors.New("pki: the RSA modulus is not a positive odd number")
	case n.BitLen() < minRSABits || n.BitLen() > maxRSABits:
		return nil, fmt.Errorf("pki: the RSA modulus has %d bits; %d to %d are supported", n.BitLen(), minRSABits, maxRSABits)
	case e.Sign() <= 0 || e.Bit(0) == 0 || e.BitLen() == 1:
		return nil, errors.New("pki: the RSA exponent is not an odd number of 3 or more")
	case e.BitLen() > maxExponentBits:
		return nil, fmt.Errorf("pki: the RSA exponent has %d bits; at most %d are supported", e.BitLen(), maxExponentBits)
	}
	return &rsaPublic{new(big.Int).Set(n), new(big.Int).Set(e)}, nil
}

func (k *rsaPublic) Algorithm() string { return RSA }
func (k *rsaPublic) Bits() int         { return k.n.BitLen() }
func (k *rsaPublic) Size() int         { return (k.n.BitLen() + 7) / 8 }

// Verify builds what was signed and compares it whole, so nothing can hide in the padding.
func (k *rsaPublic) Verify(hash, signature []byte) error {
	want, err := paddingType1(hash, k.Size())
	if err != nil {
		return err
	}
	s := new(big.Int).SetBytes(signature)
	if len(signature) != k.Size() || s.Cmp(k.n) >= 0 {
		return fmt.Errorf("%w: it has %d octets, the modulus %d", ErrSignature, len(signature), k.Size())
	}
	got := s.Exp(s, k.e, k.n).FillBytes(make([]byte, k.Size()))
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return ErrSignature
	}
	return nil
}

func (k *rsaPublic) Encrypt(rand io.Reader, plaintext []byte) ([]byte, error) {
	block, err := paddingType2(rand, plaintext, k.Size())
	if err != nil {
		return nil, err
	}
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, k.e, k.n).FillBytes(block), nil
}

type rsaPrivate struct {
	key    *rsa.PrivateKey
	public *rsaPublic
}

func newRSAPrivate(key *rsa.PrivateKey) (PrivateKey, error) {
	if key.N.BitLen() < 1024 {
		return nil, fmt.Errorf("pki: an RSA private key of %d bits; 1024 and more are supported", key.N.BitLen())
	}
	public, err := NewRSAPublicKey(key.N, big.NewInt(int64(key.E)))
	if err != nil {
		return nil, err
	}
	if len(key.Primes) != 2 {
		return nil, fmt.Errorf("pki: an RSA key of %d primes; 2 are supported", len(key.Primes))
	}
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("pki: the RSA private key is inconsistent: %w", err)
	}
	key.Precompute()
	return &rsaPrivate{key, public.(*rsaPublic)}, nil
}

func (k *rsaPrivate) Algorithm() string { return RSA }
func (k *rsaPrivate) Public() PublicKey { return k.public }

func (k *rsaPrivate) Sign(hash []byte) ([]byte, error) {
	if len(hash) == 0 {
		return nil, errNoHash
	}
	s, err := rsa.SignPKCS1v15(nil, k.key, crypto.Hash(0), hash)
	if err != nil {
		return nil, fmt.Errorf("pki: sign with RSA: %w", err)
	}
	return s, nil
}

func (k *rsaPrivate) Decrypt(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) != k.public.Size() {
		return nil, fmt.Errorf("%w: it has %d octets, the modulus %d", errDecryption, len(ciphertext), k.public.Size())
	}
	plaintext, err := k.key.Decrypt(nil, ciphertext, nil)
	if err != nil {
		return nil, errDecryption // why is nobody's business (Bleichenbacher, 1998)
	}
	return plaintext, nil
}
