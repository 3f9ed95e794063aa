package pki

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Request is a PKCS #10 certification request (RFC 2986), read.
type Request struct {
	Raw       []byte
	Subject   Name
	Key       PublicKey
	Algorithm SignatureAlgorithm
	// Asked are the extensions that the request asks for (RFC 2985, Section
	// 5.4.2): usages, alternative names, basic constraints. Others are left out.
	Asked Template
	// Challenge is the challenge password (RFC 2985, Section 5.4.1); "": there is none.
	Challenge string

	tbs, signature []byte
}

// NewRequest makes a request for a key: the template's subject and extensions, and a
// challenge password where it is not empty, signed with the template's hash. Times and
// serial number are the authority's affair.
func NewRequest(t Template, challenge string, key PrivateKey) (*Request, error) {
	fail := func(err error) (*Request, error) {
		return nil, fmt.Errorf("pki: request a certificate for %s: %w", t.Subject, err)
	}
	algorithm, err := SignatureWith(key.Public(), t.Hash)
	if err != nil {
		return fail(err)
	}
	explicit := asn1.Tag(0).ContextSpecific().Constructed()
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		t.Subject.add(b)
		key.Public().addInfo(b)
		b.AddASN1(explicit, func(b *cryptobyte.Builder) {
			if challenge != "" {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidChallenge)
					b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
						b.AddASN1(stringTag(challenge), func(b *cryptobyte.Builder) { b.AddBytes([]byte(challenge)) })
					})
				})
			}
			if !t.asks() {
				return
			}
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidExtensionRequest)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { t.addExtensions(b, nil, nil) })
				})
			})
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return fail(err)
	}
	der, err := addSigned(tbs, algorithm, key)
	if err != nil {
		return fail(err)
	}
	return ParseRequest(der)
}

// stringTag is PrintableString where the characters allow it, else UTF8String.
func stringTag(s string) asn1.Tag {
	const others = " '()+,-./:=?"
	for _, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune(others, c) {
			return asn1.UTF8String
		}
	}
	return asn1.PrintableString
}

// asks reports whether the template has extensions.
func (t Template) asks() bool {
	return t.Authority != nil || t.Usage != 0 || len(t.ExtUsage) > 0 || !t.AltNames.empty() || len(t.CRLPoints) > 0 || len(t.Extensions) > 0
}

// ParseRequest reads a request in DER. Errors are of kind [BadEncoding], or of
// the key. Its signature is not verified: [Request.CheckSignature].
func ParseRequest(der []byte) (*Request, error) {
	bad := func(what string) (*Request, error) {
		return nil, &Error{Kind: BadEncoding, Detail: "a request for a certificate has " + what}
	}
	if len(der) > maxCertificate {
		return bad(fmt.Sprintf("%d octets; at most %d are read", len(der), maxCertificate))
	}
	p, ok := readSigned(bytes.Clone(der))
	if !ok {
		return bad("not the form SEQUENCE { certificationRequestInfo, algorithm, signature }")
	}
	r := &Request{Raw: p.raw, Algorithm: p.algorithm, tbs: p.tbs, signature: p.value}
	in := p.body
	var version int
	var key, attributes cryptobyte.String
	var err error
	if !in.ReadASN1Integer(&version) || version != 0 {
		return bad("no version 1")
	}
	if r.Subject, err = readName(&in); err != nil {
		return bad("a subject that is no name")
	}
	if !in.ReadASN1Element(&key, asn1.SEQUENCE) ||
		!in.ReadASN1(&attributes, asn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return bad("no key and attributes")
	}
	if r.Key, err = ParsePublicKey(key); err != nil {
		return nil, &Error{Kind: Unsupported, Detail: err.Error()}
	}
	for !attributes.Empty() {
		var attribute, values cryptobyte.String
		var oid OID
		if !attributes.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) ||
			!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() {
			return bad("a bad attribute")
		}
		if oid.Equal(oidExtensionRequest) && !r.readAsked(&values) {
			return bad("a bad request for extensions")
		}
		if oid.Equal(oidChallenge) {
			var value cryptobyte.String
			var tag asn1.Tag
			if r.Challenge != "" || !values.ReadAnyASN1(&value, &tag) || !values.Empty() || !utf8.Valid(value) ||
				!slices.Contains([]asn1.Tag{asn1.PrintableString, asn1.UTF8String, asn1.T61String, asn1.IA5String}, tag) {
				return bad("a bad challenge password")
			}
			r.Challenge = string(value)
		}
	}
	r.Asked.Subject = r.Subject
	return r, nil
}

func (r *Request) readAsked(in *cryptobyte.String) bool {
	extensions, ok := readExtensions(in)
	if !ok || !in.Empty() {
		return false
	}
	var c Certificate
	for _, e := range extensions {
		if _, ok := c.read(e); !ok {
			return false
		}
	}
	r.Asked = Template{Authority: c.Authority, Usage: c.Usage, ExtUsage: c.ExtUsage, AltNames: c.AltNames, CRLPoints: c.CRLPoints}
	return true
}

// CheckSignature verifies that the sender has the private key.
func (r *Request) CheckSignature() error { return r.Algorithm.verify(r.Key, r.tbs, r.signature) }

// IssueRequest grants a request: what the template says, and the subject, alternative
// names and usages that were asked for where it says nothing. That a requester
// becomes an authority only the template can say.
func (a *Authority) IssueRequest(rand io.Reader, r *Request, t Template) (*Certificate, error) {
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("pki: the request of %s: %w", r.Subject, err)
	}
	if t.Subject == nil {
		t.Subject = r.Subject
	}
	if t.AltNames.empty() {
		t.AltNames = r.Asked.AltNames
	}
	if t.Usage == 0 {
		t.Usage = r.Asked.Usage
	}
	if t.ExtUsage == nil {
		t.ExtUsage = r.Asked.ExtUsage
	}
	return a.Issue(rand, t, r.Key)
}
