package pki

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// The algorithms of keys, as [PublicKey.Algorithm] names them.
const (
	RSA   = "rsa"
	DSA   = "dsa"
	ECDSA = "ecdsa"
)

// PublicKey is the public half of an RSA, DSA or ECDSA key. Its methods take any
// octets: what a peer sent is an error, never a panic.
type PublicKey interface {
	// Algorithm is RSA, DSA or ECDSA.
	Algorithm() string
	// Bits is the length of the modulus (RSA), of p (DSA) or of the curve's order.
	Bits() int
	// Size is the length of a signature in octets; for RSA, of a ciphertext too.
	Size() int
	// Verify checks a signature of [PrivateKey.Sign].
	Verify(hash, signature []byte) error
	// Encrypt is RSAES-PKCS1-v1_5 with padding from rand (RFC 8017, Section
	// 7.2.1). Other algorithms cannot encrypt. The same stream gives the same octets.
	Encrypt(rand io.Reader, plaintext []byte) ([]byte, error)

	addInfo(b *cryptobyte.Builder) // SubjectPublicKeyInfo
}

// PrivateKey is an RSA, DSA or ECDSA key. Nothing it does draws randomness.
type PrivateKey interface {
	Algorithm() string
	Public() PublicKey
	// Sign signs a hash in the form that IKE carries: RSA is PKCS #1 block type 1
	// around the hash without a DigestInfo, DSA is r|s of the hash as is
	// (RFC 2409, Section 5.1), ECDSA is r|s (RFC 4754, Section 7). r and s have the
	// length of the group's order each.
	Sign(hash []byte) ([]byte, error)
	// Decrypt undoes [PublicKey.Encrypt].
	Decrypt(ciphertext []byte) ([]byte, error)

	addPKCS8(b *cryptobyte.Builder) // version, algorithm, octets of a PrivateKeyInfo
}

// ErrSignature is in the chain of an error of [PublicKey.Verify] when the signature is not of this key and hash.
var ErrSignature = errors.New("pki: the signature does not verify")

var (
	errNoEncryption = errors.New("pki: only RSA keys encrypt")
	errDecryption   = errors.New("pki: the ciphertext does not decrypt with this key")
)

// GenerateKey makes a key of a kind from a stream of random octets: "rsa-1024"
// to "rsa-4096", "dsa-1024", "dsa-2048", "ecdsa-256", "ecdsa-384" or "ecdsa-521".
// The same stream gives the same key.
func GenerateKey(rand io.Reader, kind string) (PrivateKey, error) {
	algorithm, size, _ := strings.Cut(kind, "-")
	bits, err := strconv.Atoi(size)
	if err == nil {
		switch algorithm {
		case RSA:
			return NewRSAKey(rand, bits)
		case DSA:
			return NewDSAKey(rand, bits)
		case ECDSA:
			return NewECDSAKey(rand, bits)
		}
	}
	return nil, fmt.Errorf("pki: no kind of key %q; kinds are rsa-1024 to rsa-4096, dsa-1024, dsa-2048, ecdsa-256, ecdsa-384 and ecdsa-521", kind)
}

// SameKey reports whether two public keys are equal; no key equals none.
func SameKey(a, b PublicKey) bool {
	if a == nil || b == nil {
		return false
	}
	x, errX := MarshalPublicKey(a)
	y, errY := MarshalPublicKey(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
