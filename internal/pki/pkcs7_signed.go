package pki

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SignedAttribute is an authenticated attribute of a signer with its one value, in DER.
type SignedAttribute struct {
	ID    OID
	Value []byte
}

// Signed is a SignedData of one signer (RFC 2315, Section 9), read. Its
// signature is not verified: [Signed.CheckSignature].
type Signed struct {
	Content      []byte // what is signed; nil: there is none
	Certificates []*Certificate
	// Issuer and Serial name the signer's certificate.
	Issuer Name
	Serial *big.Int
	Hash   string // of the signature, as [SignatureWith] names it; "": not supported
	// Attributes are authenticated by the signature; type and digest of the content are not among them.
	Attributes []SignedAttribute

	digest    []byte // of the content, as the signer says
	covered   []byte // what the signature covers: SET OF Attribute
	signature []byte
}

var (
	explicit0 = asn1.Tag(0).ContextSpecific().Constructed()
	implicit1 = asn1.Tag(1).ContextSpecific().Constructed()
)

// RFC 3370, Section 2; RFC 5754, Section 2.
var digestOIDs = []struct {
	hash string
	oid  OID
}{
	{"md5", OID{1, 2, 840, 113549, 2, 5}},
	{"sha1", OID{1, 3, 14, 3, 2, 26}},
	{"sha256", OID{2, 16, 840, 1, 101, 3, 4, 2, 1}},
	{"sha384", OID{2, 16, 840, 1, 101, 3, 4, 2, 2}},
	{"sha512", OID{2, 16, 840, 1, 101, 3, 4, 2, 3}},
}

// digestOf finds a hash by its name in the schemes of RSA.
func digestOf(hash string, k PublicKey) (crypto.Hash, SignatureAlgorithm, OID, error) {
	if k.Algorithm() != RSA {
		return 0, 0, nil, fmt.Errorf("pki: a PKCS #7 message is signed with RSA, not with %s", k.Algorithm())
	}
	a, err := SignatureWith(k, hash)
	if err != nil {
		return 0, 0, nil, err
	}
	for _, d := range digestOIDs {
		if d.hash == hash {
			return signatureSchemes[a].hash, a, d.oid, nil
		}
	}
	return 0, 0, nil, fmt.Errorf("pki: no hash %q", hash)
}

func sum(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// MarshalSigned is a SignedData of content, which may be nil, by one signer with
// an RSA key, with authenticated attributes and further certificates. hash is "md5" to "sha512".
func MarshalSigned(content []byte, attributes []SignedAttribute, hash string, signer Own, certificates ...*Certificate) ([]byte, error) {
	if signer.Key == nil || signer.Certificate == nil {
		return nil, errors.New("pki: a signer of a PKCS #7 message has a certificate and its key")
	}
	h, algorithm, oid, err := digestOf(hash, signer.Key.Public())
	if err != nil {
		return nil, err
	}
	covered, err := signedSet(sum(h, content), attributes)
	if err != nil {
		return nil, err
	}
	value, err := algorithm.sign(signer.Key, covered)
	if err != nil {
		return nil, err
	}
	digest := func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid); b.AddASN1NULL() })
	}
	var b cryptobyte.Builder
	addContentInfo(&b, oidSignedData, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SET, digest)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidData)
			if content != nil {
				b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
			}
		})
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			for _, c := range append([]*Certificate{signer.Certificate}, certificates...) {
				b.AddBytes(c.Raw)
			}
		})
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				AddIssuerAndSerial(b, signer.Certificate.Issuer, signer.Certificate.Serial)
				digest(b)
				b.AddBytes(append([]byte{byte(explicit0)}, covered[1:]...)) // [0] IMPLICIT
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidRSA); b.AddASN1NULL() })
				b.AddASN1OctetString(value)
			})
		})
	})
	return b.Bytes()
}

// signedSet is SET OF Attribute in DER, whose order is that of the octets (X.690, Section 11.6).
func signedSet(digest []byte, attributes []SignedAttribute) ([]byte, error) {
	var contentType, messageDigest cryptobyte.Builder
	contentType.AddASN1ObjectIdentifier(oidData)
	messageDigest.AddASN1OctetString(digest)
	all := append([]SignedAttribute{
		{oidContentType, contentType.BytesOrPanic()}, {oidMessageDigest, messageDigest.BytesOrPanic()},
	}, attributes...)
	var encoded [][]byte
	for _, a := range all {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(a.ID)
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(a.Value) })
		})
		der, err := b.Bytes()
		if err != nil {
			return nil, err
		}
		encoded = append(encoded, der)
	}
	slices.SortFunc(encoded, bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(encoded, nil)) })
	return b.Bytes()
}

// addContentInfo is SEQUENCE { contentType, [0] content } of RFC 2315, Section 7.
func addContentInfo(b *cryptobyte.Builder, kind OID, content cryptobyte.BuilderContinuation) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, content) })
	})
}

// AddIssuerAndSerial adds what PKCS #7 names certificates by (RFC 2315, Section 6.7).
func AddIssuerAndSerial(b *cryptobyte.Builder, issuer Name, serial *big.Int) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		issuer.add(b)
		b.AddASN1BigInt(serial)
	})
}
