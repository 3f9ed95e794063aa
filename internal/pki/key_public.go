package pki

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MarshalPublicKey is the SubjectPublicKeyInfo of a key (RFC 3279, Section 2.3; RFC 5480, Section 2).
func MarshalPublicKey(k PublicKey) ([]byte, error) {
	var b cryptobyte.Builder
	k.addInfo(&b)
	return b.Bytes()
}

// ParsePublicKey reads a SubjectPublicKeyInfo. An algorithm, curve or size that
// is not supported is an error that says so.
func ParsePublicKey(der []byte) (PublicKey, error) {
	in := cryptobyte.String(der)
	var info, algorithm, bits cryptobyte.String
	var oid OID
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() ||
		!info.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!readBitString(&info, &bits) || !info.Empty() {
		return nil, errors.New("pki: a public key is no SubjectPublicKeyInfo")
	}
	switch {
	case oid.Equal(oidRSA):
		var seq cryptobyte.String
		n, e := new(big.Int), new(big.Int)
		if !bits.ReadASN1(&seq, asn1.SEQUENCE) || !bits.Empty() || !readInteger(&seq, n) || !readInteger(&seq, e) || !seq.Empty() {
			return nil, errors.New("pki: an RSA public key is not a modulus and an exponent")
		}
		return NewRSAPublicKey(n, e)
	case oid.Equal(oidDSA):
		d, err := readDSADomain(algorithm)
		if err != nil {
			return nil, err
		}
		y := new(big.Int)
		if !readInteger(&bits, y) || !bits.Empty() {
			return nil, errors.New("pki: a DSA public key is not a number")
		}
		return orError(newDSAPublic(d, y))
	case oid.Equal(oidECDSA):
		n, err := readCurve(algorithm)
		if err != nil {
			return nil, err
		}
		key, err := ecdsa.ParseUncompressedPublicKey(curveOf(n), bits)
		if err != nil {
			return nil, fmt.Errorf("pki: read an ECDSA public key: %w", err)
		}
		return &ecdsaPublic{key}, nil
	}
	return nil, fmt.Errorf("pki: a public key of the algorithm %v, which is not supported", oid)
}

// orError keeps a nil pointer from becoming a key.
func orError(k *dsaPublic, err error) (PublicKey, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}

// maxInteger bounds the numbers that are read at all, in octets.
const maxInteger = 4096

func readInteger(s *cryptobyte.String, out *big.Int) bool {
	in := *s
	var raw cryptobyte.String
	return in.ReadASN1(&raw, asn1.INTEGER) && len(raw) <= maxInteger && s.ReadASN1Integer(out)
}

// readBitString reads a string of whole octets.
func readBitString(s, out *cryptobyte.String) bool {
	var raw []byte
	if !s.ReadASN1BitStringAsBytes(&raw) {
		return false
	}
	*out = raw
	return true
}

func readDSADomain(algorithm cryptobyte.String) (*dsaDomain, error) {
	var seq cryptobyte.String
	p, q, g := new(big.Int), new(big.Int), new(big.Int)
	if !algorithm.ReadASN1(&seq, asn1.SEQUENCE) || !algorithm.Empty() ||
		!readInteger(&seq, p) || !readInteger(&seq, q) || !readInteger(&seq, g) || !seq.Empty() {
		return nil, errors.New("pki: a DSA key has no parameters p, q and g; those of its issuer are not inherited")
	}
	return newDSADomain(p, q, g)
}

func readCurve(algorithm cryptobyte.String) (bits int, err error) {
	var oid OID
	if !algorithm.ReadASN1ObjectIdentifier(&oid) || !algorithm.Empty() {
		return 0, errors.New("pki: an ECDSA key does not name its curve")
	}
	switch {
	case oid.Equal(oidCurve256):
		return 256, nil
	case oid.Equal(oidCurve384):
		return 384, nil
	case oid.Equal(oidCurve521):
		return 521, nil
	}
	return 0, fmt.Errorf("pki: an ECDSA key on the curve %v, which is not supported", oid)
}

func (k *rsaPublic) addAlgorithm(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidRSA)
		b.AddASN1NULL()
	})
}

func (k *rsaPublic) addInfo(b *cryptobyte.Builder) {
	addKeyInfo(b, k.addAlgorithm, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(k.n)
			b.AddASN1BigInt(k.e)
		})
	})
}

func (k *dsaPublic) addAlgorithm(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidDSA)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(k.p)
			b.AddASN1BigInt(k.q)
			b.AddASN1BigInt(k.g)
		})
	})
}

func (k *dsaPublic) addInfo(b *cryptobyte.Builder) {
	addKeyInfo(b, k.addAlgorithm, func(b *cryptobyte.Builder) { b.AddASN1BigInt(k.y) })
}

func (k *ecdsaPublic) addAlgorithm(b *cryptobyte.Builder) {
	curve := map[int]OID{256: oidCurve256, 384: oidCurve384, 521: oidCurve521}[k.Bits()]
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidECDSA)
		b.AddASN1ObjectIdentifier(curve)
	})
}

func (k *ecdsaPublic) addInfo(b *cryptobyte.Builder) {
	point, err := k.key.Bytes()
	if err != nil {
		b.SetError(err)
		return
	}
	addKeyInfo(b, k.addAlgorithm, func(b *cryptobyte.Builder) { b.AddBytes(point) })
}

func addKeyInfo(b *cryptobyte.Builder, algorithm, key func(*cryptobyte.Builder)) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		algorithm(b)
		b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) {
			b.AddUint8(0)
			key(b)
		})
	})
}
