package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"io"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// curveOf is the NIST curve of 256, 384 or 521 bits, or nil.
func curveOf(bits int) elliptic.Curve {
	switch bits {
	case 256:
		return elliptic.P256()
	case 384:
		return elliptic.P384()
	case 521:
		return elliptic.P521()
	}
	return nil
}

type ecdsaPublic struct{ key *ecdsa.PublicKey }

func (k *ecdsaPublic) order() *big.Int                           { return k.key.Params().N }
func (k *ecdsaPublic) Algorithm() string                         { return ECDSA }
func (k *ecdsaPublic) Bits() int                                 { return k.order().BitLen() }
func (k *ecdsaPublic) Size() int                                 { return 2 * ((k.Bits() + 7) / 8) }
func (k *ecdsaPublic) Encrypt(io.Reader, []byte) ([]byte, error) { return nil, errNoEncryption }

func (k *ecdsaPublic) Verify(hash, signature []byte) error {
	if len(hash) == 0 {
		return errNoHash
	}
	if len(signature) != k.Size() {
		return fmt.Errorf("%w: it has %d octets, r and s have %d", ErrSignature, len(signature), k.Size())
	}
	der, err := signatureToDER(signature)
	if err != nil || !ecdsa.VerifyASN1(k.key, hash, der) {
		return ErrSignature
	}
	return nil
}

type ecdsaPrivate struct{ key *ecdsa.PrivateKey }

// NewECDSAKey makes a key on the NIST curve of 256, 384 or 521 bits. The same
// stream gives the same key; crypto/ecdsa would ignore it.
func NewECDSAKey(rand io.Reader, bits int) (PrivateKey, error) {
	curve := curveOf(bits)
	if curve == nil {
		return nil, fmt.Errorf("pki: an ECDSA key of %d bits; 256, 384 and 521 are supported", bits)
	}
	d, err := randomScalar(rand, curve.Params().N)
	if err != nil {
		return nil, err
	}
	return newECDSAPrivate(curve, d)
}

func newECDSAPrivate(curve elliptic.Curve, d *big.Int) (PrivateKey, error) {
	n := curve.Params().N
	if d.Sign() <= 0 || d.Cmp(n) >= 0 {
		return nil, errors.New("pki: the ECDSA private key is not between 0 and the order of its curve")
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, (n.BitLen()+7)/8)))
	if err != nil {
		return nil, fmt.Errorf("pki: make an ECDSA key: %w", err)
	}
	return &ecdsaPrivate{key}, nil
}

func (k *ecdsaPrivate) Algorithm() string              { return ECDSA }
func (k *ecdsaPrivate) Public() PublicKey              { return &ecdsaPublic{&k.key.PublicKey} }
func (k *ecdsaPrivate) Decrypt([]byte) ([]byte, error) { return nil, errNoEncryption }

// Sign draws its nonce as RFC 6979 says: crypto/ecdsa does so when it is given no reader.
func (k *ecdsaPrivate) Sign(hash []byte) ([]byte, error) {
	h := hashOfLength(len(hash))
	if len(hash) != h.Size() {
		return nil, fmt.Errorf("pki: sign with ECDSA: no hash function has values of %d octets", len(hash))
	}
	der, err := k.key.Sign(nil, hash, h)
	if err != nil {
		return nil, fmt.Errorf("pki: sign with ECDSA: %w", err)
	}
	return signatureFromDER(der, k.Public().Size()/2)
}

// signatureFromDER turns SEQUENCE { r, s } (RFC 3279, Section 2.2.2) into r|s of n octets each.
func signatureFromDER(der []byte, n int) ([]byte, error) {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	r, s := new(big.Int), new(big.Int)
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(r) || !seq.ReadASN1Integer(s) || !seq.Empty() ||
		r.Sign() < 0 || s.Sign() < 0 || r.BitLen() > 8*n || s.BitLen() > 8*n {
		return nil, ErrSignature
	}
	return joinInts(r, s, n), nil
}

func signatureToDER(rs []byte) ([]byte, error) {
	n := len(rs) / 2
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(rs[:n]))
		b.AddASN1BigInt(new(big.Int).SetBytes(rs[n:]))
	})
	return b.Bytes()
}
