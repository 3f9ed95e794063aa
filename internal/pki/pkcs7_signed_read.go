package pki

import (
	"crypto/hmac"
	"fmt"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxPKCS7 bounds what is read as a message of PKCS #7, in octets.
const maxPKCS7 = maxList + 1<<16

// ParseSigned reads a SignedData of one signer in DER; encodings of indefinite
// length are not supported. Errors are of kind [BadEncoding].
func ParseSigned(der []byte) (*Signed, error) {
	bad := func(what string) (*Signed, error) {
		return nil, &Error{Kind: BadEncoding, Detail: "a signed PKCS #7 message has " + what}
	}
	in, ok := readContentInfo(der, oidSignedData)
	if !ok {
		return bad("no SignedData")
	}
	s := new(Signed)
	var version int
	var info, certs, signers cryptobyte.String
	var oid OID
	var has bool
	if !in.ReadASN1Integer(&version) || !in.SkipASN1(asn1.SET) || !in.ReadASN1(&info, asn1.SEQUENCE) ||
		!in.ReadOptionalASN1(&certs, &has, explicit0) || !in.SkipOptionalASN1(implicit1) ||
		!in.ReadASN1(&signers, asn1.SET) || !in.Empty() {
		return bad("parts of a SignedData that are missing or out of order")
	}
	if !info.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidData) {
		return bad("content that is not data")
	}
	if !info.Empty() {
		var explicit, content cryptobyte.String
		if !info.ReadASN1(&explicit, explicit0) || !info.Empty() || !explicit.ReadASN1(&content, asn1.OCTET_STRING) || !explicit.Empty() {
			return bad("content that is no octet string")
		}
		s.Content = append([]byte{}, content...)
	}
	for !certs.Empty() {
		var one cryptobyte.String
		if len(s.Certificates) == maxBundle || !certs.ReadASN1Element(&one, asn1.SEQUENCE) {
			return bad(fmt.Sprintf("something else than at most %d certificates", maxBundle))
		}
		c, err := ParseCertificate(one)
		if err != nil {
			return nil, err
		}
		s.Certificates = append(s.Certificates, c)
	}
	var signer cryptobyte.String
	if !signers.ReadASN1(&signer, asn1.SEQUENCE) || !signers.Empty() {
		return bad("not just one signer")
	}
	if what := s.readSigner(signer); what != "" {
		return bad(what)
	}
	return s, nil
}

// readSigner reads a SignerInfo (RFC 2315, Section 9.2).
func (s *Signed) readSigner(in cryptobyte.String) (wrong string) {
	var version int
	var digest, attributes, encryption, value cryptobyte.String
	var oid OID
	if !in.ReadASN1Integer(&version) || version != 1 {
		return "a signer of another version than 1"
	}
	var ok bool
	if s.Issuer, s.Serial, ok = ReadIssuerAndSerial(&in); !ok {
		return "a signer without issuer and serial number"
	}
	if !in.ReadASN1(&digest, asn1.SEQUENCE) || !digest.ReadASN1ObjectIdentifier(&oid) {
		return "a signer without a hash"
	}
	for _, d := range digestOIDs {
		if d.oid.Equal(oid) {
			s.Hash = d.hash
		}
	}
	if !in.ReadASN1Element(&attributes, explicit0) {
		return "a signer without authenticated attributes"
	}
	s.covered = append([]byte{byte(asn1.SET)}, attributes[1:]...)
	if !in.ReadASN1(&encryption, asn1.SEQUENCE) || !encryption.ReadASN1ObjectIdentifier(&oid) ||
		!in.ReadASN1(&value, asn1.OCTET_STRING) || !in.SkipOptionalASN1(implicit1) || !in.Empty() {
		return "a signer without a signature"
	}
	if !oid.Equal(oidRSA) && !slices.ContainsFunc([]SignatureAlgorithm{MD5WithRSA, SHA1WithRSA, SHA256WithRSA, SHA384WithRSA, SHA512WithRSA},
		func(a SignatureAlgorithm) bool { return signatureSchemes[a].oid.Equal(oid) }) {
		s.Hash = ""
	}
	s.signature = append([]byte{}, value...)
	return s.readAttributes(attributes)
}

// maxAttributes bounds those of a signer.
const maxAttributes = 64

func (s *Signed) readAttributes(in cryptobyte.String) (wrong string) {
	var set cryptobyte.String
	if !in.ReadASN1(&set, explicit0) {
		return "bad attributes"
	}
	var typed bool
	for n := 0; !set.Empty(); n++ {
		var attribute, values, value cryptobyte.String
		var oid OID
		var tag asn1.Tag
		if n == maxAttributes || !set.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) ||
			!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() || !values.ReadAnyASN1Element(&value, &tag) || !values.Empty() {
			return "an attribute that has not just one value"
		}
		switch {
		case oid.Equal(oidContentType):
			var of OID
			if typed || !value.ReadASN1ObjectIdentifier(&of) || !value.Empty() || !of.Equal(oidData) {
				return "an attribute that calls the content something else than data"
			}
			typed = true
		case oid.Equal(oidMessageDigest):
			var digest cryptobyte.String
			if s.digest != nil || !value.ReadASN1(&digest, asn1.OCTET_STRING) || !value.Empty() {
				return "a bad digest"
			}
			s.digest = append([]byte{}, digest...)
		default:
			s.Attributes = append(s.Attributes, SignedAttribute{oid, append([]byte{}, value...)})
		}
	}
	if !typed || s.digest == nil {
		return "no attributes for type and digest of the content"
	}
	return ""
}

// Signer is the certificate that the signer names; nil: the message does not have it.
func (s *Signed) Signer() *Certificate {
	for _, c := range s.Certificates {
		if s.By(c) {
			return c
		}
	}
	return nil
}

// By reports whether the signer names this certificate.
func (s *Signed) By(c *Certificate) bool {
	return c.Serial.Cmp(s.Serial) == 0 && c.Issuer.Equal(s.Issuer)
}

// Find is the value of the attribute of a type, in DER; nil: there is not just one.
func (s *Signed) Find(t OID) (value []byte) {
	for _, a := range s.Attributes {
		if a.ID.Equal(t) {
			if value != nil {
				return nil
			}
			value = a.Value
		}
	}
	return value
}

// CheckSignature verifies content and attributes with the signer's key.
func (s *Signed) CheckSignature(key PublicKey) error {
	if s.Hash == "" || key == nil {
		return errAlgorithm
	}
	h, algorithm, _, err := digestOf(s.Hash, key)
	if err != nil {
		return err
	}
	if !hmac.Equal(sum(h, s.Content), s.digest) {
		return fmt.Errorf("%w: the content is another one", ErrSignature)
	}
	return algorithm.verify(key, s.covered, s.signature)
}

// readContentInfo is what is in it.
func readContentInfo(der []byte, kind OID) (content cryptobyte.String, ok bool) {
	in := cryptobyte.String(der)
	var outer, explicit cryptobyte.String
	var oid OID
	ok = len(der) <= maxPKCS7 && in.ReadASN1(&outer, asn1.SEQUENCE) && in.Empty() && outer.ReadASN1ObjectIdentifier(&oid) && oid.Equal(kind) &&
		outer.ReadASN1(&explicit, explicit0) && outer.Empty() && explicit.ReadASN1(&content, asn1.SEQUENCE) && explicit.Empty()
	return content, ok
}

// ReadIssuerAndSerial reads it.
func ReadIssuerAndSerial(in *cryptobyte.String) (issuer Name, serial *big.Int, ok bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) {
		return nil, nil, false
	}
	issuer, err := readName(&seq)
	serial = new(big.Int)
	return issuer, serial, err == nil && readInteger(&seq, serial) && seq.Empty()
}
