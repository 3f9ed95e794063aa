package pki

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Certificate is an X.509 certificate (RFC 5280, Section 4), read.
type Certificate struct {
	Raw                 []byte // the DER, whole
	Version             int    // 1, 2 or 3
	Serial              *big.Int
	Algorithm           SignatureAlgorithm // zero: not supported
	Issuer, Subject     Name
	RawSubject          []byte // DER
	NotBefore, NotAfter time.Time
	// Key is nil when the lab does not support it; KeyError says why.
	Key      PublicKey
	KeyError error

	Authority *BasicConstraints // nil: there is no such extension
	Usage     KeyUsage          // zero: there is no such extension
	ExtUsage  []OID             // empty: there is no such extension
	AltNames  AltNames
	CRLPoints []string // addresses of revocation lists

	SubjectKeyID, AuthorityKeyID []byte
	// UnknownCritical are the critical extensions that the lab does not process.
	UnknownCritical []OID

	tbs, signature []byte
	rawKey         []byte
	issuerKey      string // Name.key of the issuer
	subjectKey     string
}

// maxCertificate bounds what is read as a certificate, in octets. IKE cannot carry 64 KiB.
const maxCertificate = 1 << 16

// ParseCertificate reads a certificate in DER. Keys and algorithms that are not
// supported are no error here, but of whoever verifies. Errors are of kind
// [BadEncoding].
func ParseCertificate(der []byte) (*Certificate, error) {
	c, what := parseCertificate(der)
	if what != "" {
		return nil, &Error{Kind: BadEncoding, Detail: "a certificate has " + what}
	}
	return c, nil
}

func parseCertificate(der []byte) (_ *Certificate, wrong string) {
	if len(der) > maxCertificate {
		return nil, fmt.Sprintf("%d octets; at most %d are read", len(der), maxCertificate)
	}
	p, ok := readSigned(bytes.Clone(der))
	if !ok {
		return nil, "not the form SEQUENCE { tbsCertificate, algorithm, signature }"
	}
	c := &Certificate{Raw: p.raw, Version: 1, Serial: new(big.Int), Algorithm: p.algorithm, tbs: p.tbs, signature: p.value}
	in := p.body
	var inner, rawKey, validity, subject cryptobyte.String
	version := 0
	if !in.ReadOptionalASN1Integer(&version, asn1.Tag(0).ContextSpecific().Constructed(), 0) || version < 0 || version > 2 {
		return nil, "no version from 1 to 3"
	}
	c.Version = version + 1
	if !readInteger(&in, c.Serial) {
		return nil, "no serial number"
	}
	if _, ok := readSignatureAlgorithm(&in, &inner); !ok || !bytes.Equal(inner, p.outer) {
		return nil, "a signature algorithm inside that differs from the one outside"
	}
	var err error
	if c.Issuer, err = readName(&in); err != nil {
		return nil, "an issuer that is no name"
	}
	if !in.ReadASN1(&validity, asn1.SEQUENCE) || !readTime(&validity, &c.NotBefore) || !readTime(&validity, &c.NotAfter) || !validity.Empty() {
		return nil, "no validity"
	}
	if copied := in; !copied.ReadASN1Element(&subject, asn1.SEQUENCE) {
		return nil, "no subject"
	}
	if c.Subject, err = readName(&in); err != nil {
		return nil, "a subject that is no name"
	}
	if !in.ReadASN1Element(&rawKey, asn1.SEQUENCE) {
		return nil, "no public key"
	}
	c.RawSubject, c.rawKey = subject, rawKey
	c.issuerKey, c.subjectKey = c.Issuer.key(), c.Subject.key()
	c.Key, c.KeyError = ParsePublicKey(rawKey)
	for _, tag := range []asn1.Tag{1, 2} { // unique identifiers, which nobody uses
		if !in.SkipOptionalASN1(tag.ContextSpecific()) {
			return nil, "a bad unique identifier"
		}
	}
	var explicit cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&explicit, &present, asn1.Tag(3).ContextSpecific().Constructed()) || !in.Empty() {
		return nil, "something after the public key that is not its extensions"
	}
	if present {
		if c.Version != 3 {
			return nil, fmt.Sprintf("extensions, and version %d", c.Version)
		}
		extensions, ok := readExtensions(&explicit)
		if !ok || !explicit.Empty() {
			return nil, "extensions that are not well formed"
		}
		for _, e := range extensions {
			known, ok := c.read(e)
			if !ok {
				return nil, fmt.Sprintf("a bad extension %v", e.ID)
			}
			if !known && e.Critical {
				c.UnknownCritical = append(c.UnknownCritical, e.ID)
			}
		}
	}
	return c, ""
}

// read takes in one extension. known is false for one that the lab does not process.
func (c *Certificate) read(e Extension) (known, ok bool) {
	in := cryptobyte.String(e.Value)
	switch {
	case e.ID.Equal(oidBasicConstraints):
		c.Authority, ok = readBasicConstraints(in)
	case e.ID.Equal(oidKeyUsage):
		c.Usage, ok = readKeyUsage(in)
	case e.ID.Equal(oidExtKeyUsage):
		c.ExtUsage, ok = readExtKeyUsage(in)
	case e.ID.Equal(oidSubjectAltName):
		ok = c.AltNames.read(in)
	case e.ID.Equal(oidCRLPoints):
		c.CRLPoints, ok = readCRLPoints(in)
	case e.ID.Equal(oidSubjectKeyID):
		var id cryptobyte.String
		ok = in.ReadASN1(&id, asn1.OCTET_STRING) && in.Empty()
		c.SubjectKeyID = id
	case e.ID.Equal(oidAuthorityKeyID):
		c.AuthorityKeyID, ok = readAuthorityKeyID(in)
	case e.ID.Equal(oidPolicies):
		// Any policy is acceptable and none is demanded (RFC 5280, Section 6.1.1,
		// with any-policy and no explicit policy), so there is nothing to check.
		ok = true
	default:
		return false, true
	}
	return true, ok
}

// CheckSignature verifies the certificate's signature with its issuer's key.
func (c *Certificate) CheckSignature(issuer PublicKey) error {
	return c.Algorithm.verify(issuer, c.tbs, c.signature)
}

// SelfIssued reports whether the certificate names one issuer and subject.
func (c *Certificate) SelfIssued() bool { return c.issuerKey == c.subjectKey }

// Thumbprint is the SHA-1 of the certificate in hexadecimal, as Windows lists certificates.
func (c *Certificate) Thumbprint() string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}

// ValidAt reports whether a time is within the validity, both ends included (RFC 5280, Section 4.1.2.5).
func (c *Certificate) ValidAt(at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// keyID is the identifier of RFC 5280, Section 4.2.1.2, method 1: the SHA-1 of the key's bits.
func keyID(k PublicKey) ([]byte, error) {
	der, err := MarshalPublicKey(k)
	if err != nil {
		return nil, err
	}
	in := cryptobyte.String(der)
	var info, bits cryptobyte.String
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.SkipASN1(asn1.SEQUENCE) || !readBitString(&info, &bits) {
		return nil, errAlgorithm
	}
	sum := sha1.Sum(bits)
	return sum[:], nil
}
