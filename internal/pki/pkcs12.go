package pki

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"
)

// maxPKCS12 and maxIterations bound what is read: a file says itself how often
// its password is hashed.
const (
	maxPKCS12     = 1 << 20
	maxIterations = 200_000
)

// MarshalPKCS12 is a PKCS #12 file (RFC 7292) of a certificate, its key and the
// authorities of its path, as Windows Server 2003 reads it: 3DES and SHA-1. Salts
// are from the stream: the same stream gives the same file. DSA keys are not
// supported, nor certificates that crypto/x509 does not read.
func MarshalPKCS12(rand io.Reader, own Own, authorities []*Certificate, password string) ([]byte, error) {
	if rand == nil {
		return nil, errors.New("pki: there is no stream of random octets")
	}
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("pki: write PKCS #12: %w", err) }
	var key any
	switch k := own.Key.(type) {
	case *rsaPrivate:
		key = k.key
	case *ecdsaPrivate:
		key = k.key
	case *dsaPrivate:
		return fail(errors.New("a DSA key is not supported"))
	default:
		return fail(errors.New("there is no private key"))
	}
	leaf, err := x509.ParseCertificate(own.Certificate.Raw)
	if err != nil {
		return fail(err)
	}
	var chain []*x509.Certificate
	for _, c := range authorities {
		parsed, err := x509.ParseCertificate(c.Raw)
		if err != nil {
			return fail(err)
		}
		chain = append(chain, parsed)
	}
	der, err := pkcs12.LegacyDES.WithRand(fullReader{rand}).Encode(key, leaf, chain, password)
	if err != nil {
		return fail(err)
	}
	return der, nil
}

// fullReader never reads less than asked, unlike what the encoder expects of a reader.
type fullReader struct{ io.Reader }

func (r fullReader) Read(b []byte) (int, error) { return io.ReadFull(r.Reader, b) }

// ParsePKCS12 reads a PKCS #12 file with one private key, encrypted with 3DES,
// RC2 or AES: the certificate of that key and the other certificates.
func ParsePKCS12(der []byte, password string) (Own, []*Certificate, error) {
	fail := func(err error) (Own, []*Certificate, error) {
		return Own{}, nil, fmt.Errorf("pki: read PKCS #12: %w", err)
	}
	if len(der) > maxPKCS12 {
		return fail(fmt.Errorf("%d octets; at most %d are read", len(der), maxPKCS12))
	}
	if tooManyIterations(der, 0) {
		return fail(fmt.Errorf("it hashes the password more than %d times", maxIterations))
	}
	key, first, rest, err := pkcs12.DecodeChain(der, password)
	if err != nil {
		return fail(err)
	}
	var own Own
	switch k := key.(type) {
	case *rsa.PrivateKey:
		own.Key, err = newRSAPrivate(k)
	case *ecdsa.PrivateKey:
		curve := curveOf(k.Params().BitSize)
		if curve == nil {
			return fail(fmt.Errorf("a key on the curve %s is not supported", k.Params().Name))
		}
		own.Key = &ecdsaPrivate{k}
	default:
		err = fmt.Errorf("a private key %T is not supported", key)
	}
	if err != nil {
		return fail(err)
	}
	var others []*Certificate
	for _, parsed := range append([]*x509.Certificate{first}, rest...) {
		c, err := ParseCertificate(parsed.Raw)
		if err != nil {
			return fail(err)
		}
		if own.Certificate == nil && SameKey(c.Key, own.Key.Public()) {
			own.Certificate = c
		} else {
			others = append(others, c)
		}
	}
	if own.Certificate == nil {
		return fail(errors.New("no certificate is of the private key"))
	}
	return own, others, nil
}

// tooManyIterations looks for parameters of a password's hash, SEQUENCE { salt,
// count … } or the end { …, salt, count } of MacData, in DER and in the octet
// strings of it. What is encrypted cannot be seen; the MAC is verified before it is read.
func tooManyIterations(der cryptobyte.String, depth int) bool {
	salt := false
	for depth < 32 && !der.Empty() {
		var content cryptobyte.String
		var tag asn1.Tag
		element := der
		if !der.ReadAnyASN1(&content, &tag) {
			return false
		}
		switch {
		case tag == asn1.INTEGER && salt:
			var count int64
			if !element.ReadASN1Integer(&count) || count > maxIterations {
				return true
			}
		case tag == asn1.OCTET_STRING, tag&0x20 != 0:
			if tooManyIterations(content, depth+1) {
				return true
			}
		}
		salt = tag == asn1.OCTET_STRING
	}
	return false
}
