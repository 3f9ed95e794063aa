package pki

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MarshalPKCS7 is a SignedData of nothing that carries certificates and lists
// (RFC 2315, Section 9.1), as files .p7b and payloads CERT of encoding 1 hold.
func MarshalPKCS7(certificates []*Certificate, lists []*RevocationList) ([]byte, error) {
	var b cryptobyte.Builder
	addContentInfo(&b, oidSignedData, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SET, func(*cryptobyte.Builder) {}) // digest algorithms
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) })
		if len(certificates) > 0 {
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
				for _, c := range certificates {
					b.AddBytes(c.Raw)
				}
			})
		}
		if len(lists) > 0 {
			b.AddASN1(implicit1, func(b *cryptobyte.Builder) {
				for _, l := range lists {
					b.AddBytes(l.Raw)
				}
			})
		}
		b.AddASN1(asn1.SET, func(*cryptobyte.Builder) {}) // signers
	})
	return b.Bytes()
}

// ParsePKCS7 reads the certificates and lists of a SignedData in DER, in its
// order. Signatures of content are not looked at; encodings of indefinite length
// are not supported. Errors are of kind [BadEncoding].
func ParsePKCS7(der []byte) ([]*Certificate, []*RevocationList, error) {
	bad := func(what string) ([]*Certificate, []*RevocationList, error) {
		return nil, nil, &Error{Kind: BadEncoding, Detail: "a PKCS #7 collection has " + what}
	}
	data, ok := readContentInfo(der, oidSignedData)
	if !ok {
		return bad("no SignedData")
	}
	var certs, crls cryptobyte.String
	var version int
	var hasCerts, hasCRLs bool
	if !data.ReadASN1Integer(&version) || !data.SkipASN1(asn1.SET) || !data.SkipASN1(asn1.SEQUENCE) ||
		!data.ReadOptionalASN1(&certs, &hasCerts, explicit0) ||
		!data.ReadOptionalASN1(&crls, &hasCRLs, implicit1) ||
		!data.SkipASN1(asn1.SET) || !data.Empty() {
		return bad("parts of a SignedData that are missing or out of order")
	}
	var certificates []*Certificate
	var lists []*RevocationList
	for !certs.Empty() {
		var one cryptobyte.String
		if len(certificates) == maxBundle || !certs.ReadASN1Element(&one, asn1.SEQUENCE) {
			return bad(fmt.Sprintf("something else than at most %d certificates", maxBundle))
		}
		c, err := ParseCertificate(one)
		if err != nil {
			return nil, nil, err
		}
		certificates = append(certificates, c)
	}
	for !crls.Empty() {
		var one cryptobyte.String
		if len(lists) == maxBundle || !crls.ReadASN1Element(&one, asn1.SEQUENCE) {
			return bad(fmt.Sprintf("something else than at most %d revocation lists", maxBundle))
		}
		l, err := ParseRevocationList(one)
		if err != nil {
			return nil, nil, err
		}
		lists = append(lists, l)
	}
	return certificates, lists, nil
}
