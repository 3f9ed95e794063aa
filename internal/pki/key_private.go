package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxPrivateKey bounds what is read as a private key, in octets: no supported key is longer.
const maxPrivateKey = 1 << 14

// MarshalPrivateKey is the PKCS #8 PrivateKeyInfo of a key (RFC 5208, Section 5), not encrypted.
func MarshalPrivateKey(k PrivateKey) ([]byte, error) {
	var b cryptobyte.Builder
	k.addPKCS8(&b)
	return b.Bytes()
}

// ParsePrivateKey reads a PKCS #8 PrivateKeyInfo that is not encrypted.
func ParsePrivateKey(der []byte) (PrivateKey, error) {
	if len(der) > maxPrivateKey {
		return nil, fmt.Errorf("pki: a private key of %d octets; at most %d are read", len(der), maxPrivateKey)
	}
	in := cryptobyte.String(der)
	var info, algorithm, key cryptobyte.String
	var version int
	var oid OID
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() || !info.ReadASN1Integer(&version) ||
		!info.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!info.ReadASN1(&key, asn1.OCTET_STRING) {
		return nil, errors.New("pki: a private key is no PrivateKeyInfo of PKCS #8")
	}
	switch {
	case oid.Equal(oidRSA):
		return parseRSAPrivate(key)
	case oid.Equal(oidDSA):
		d, err := readDSADomain(algorithm)
		if err != nil {
			return nil, err
		}
		x := new(big.Int)
		if !readInteger(&key, x) || !key.Empty() {
			return nil, errors.New("pki: a DSA private key is not a number")
		}
		return newDSAPrivate(d, x)
	case oid.Equal(oidECDSA):
		bits, err := readCurve(algorithm)
		if err != nil {
			return nil, err
		}
		return parseECPrivate(key, bits)
	}
	return nil, fmt.Errorf("pki: a private key of the algorithm %v, which is not supported", oid)
}

// parseRSAPrivate reads an RSAPrivateKey (RFC 8017, Appendix A.1.2).
func parseRSAPrivate(der []byte) (PrivateKey, error) {
	if len(der) > maxPrivateKey {
		return nil, fmt.Errorf("pki: a private key of %d octets; at most %d are read", len(der), maxPrivateKey)
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("pki: read an RSA private key: %w", err)
	}
	return newRSAPrivate(key)
}

// parseECPrivate reads an ECPrivateKey (RFC 5915, Section 3) of a known curve, or of the one that it names (bits 0).
func parseECPrivate(der cryptobyte.String, bits int) (PrivateKey, error) {
	var seq, d, parameters cryptobyte.String
	var version int
	var named bool
	if !der.ReadASN1(&seq, asn1.SEQUENCE) || !der.Empty() || !seq.ReadASN1Integer(&version) || version != 1 ||
		!seq.ReadASN1(&d, asn1.OCTET_STRING) || len(d) > maxInteger ||
		!seq.ReadOptionalASN1(&parameters, &named, asn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, errors.New("pki: an ECDSA private key is no ECPrivateKey")
	}
	if bits == 0 {
		var err error
		if bits, err = readCurve(parameters); err != nil {
			return nil, err
		}
	}
	return newECDSAPrivate(curveOf(bits), new(big.Int).SetBytes(d))
}

// parseDSAPrivate reads OpenSSL's own form: SEQUENCE { 0, p, q, g, y, x }.
func parseDSAPrivate(der cryptobyte.String) (PrivateKey, error) {
	var seq cryptobyte.String
	var version int
	p, q, g, y, x := new(big.Int), new(big.Int), new(big.Int), new(big.Int), new(big.Int)
	if !der.ReadASN1(&seq, asn1.SEQUENCE) || !der.Empty() || !seq.ReadASN1Integer(&version) || version != 0 ||
		!readInteger(&seq, p) || !readInteger(&seq, q) || !readInteger(&seq, g) || !readInteger(&seq, y) || !readInteger(&seq, x) {
		return nil, errors.New("pki: a DSA private key is not the numbers p, q, g, y and x")
	}
	d, err := newDSADomain(p, q, g)
	if err != nil {
		return nil, err
	}
	return newDSAPrivate(d, x)
}

func (k *rsaPrivate) addPKCS8(b *cryptobyte.Builder) {
	addPrivateInfo(b, k.public.addAlgorithm, func(b *cryptobyte.Builder) {
		b.AddBytes(x509.MarshalPKCS1PrivateKey(k.key))
	})
}

func (k *dsaPrivate) addPKCS8(b *cryptobyte.Builder) {
	addPrivateInfo(b, k.public.addAlgorithm, func(b *cryptobyte.Builder) { b.AddASN1BigInt(k.x) })
}

func (k *ecdsaPrivate) addPKCS8(b *cryptobyte.Builder) {
	public := &ecdsaPublic{&k.key.PublicKey}
	d, err := k.key.Bytes()
	if err != nil {
		b.SetError(err)
		return
	}
	point, err := public.key.Bytes()
	if err != nil {
		b.SetError(err)
		return
	}
	addPrivateInfo(b, public.addAlgorithm, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1OctetString(d)
			b.AddASN1(asn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1BitString(point) })
		})
	})
}

func addPrivateInfo(b *cryptobyte.Builder, algorithm, key func(*cryptobyte.Builder)) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		algorithm(b)
		b.AddASN1(asn1.OCTET_STRING, key)
	})
}
