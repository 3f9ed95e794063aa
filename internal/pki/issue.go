package pki

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Template is what a certificate says. Nothing is added that it does not say,
// but the identifiers of the keys and the serial number.
type Template struct {
	Subject             Name
	NotBefore, NotAfter time.Time
	// Hash of the signature, as [SignatureWith] names it.
	Hash string
	// Serial is drawn from the stream if nil.
	Serial    *big.Int
	Authority *BasicConstraints // nil: no such extension
	Usage     KeyUsage          // zero: no such extension
	ExtUsage  []OID
	AltNames  AltNames
	CRLPoints []string
	// Extensions are added as they are.
	Extensions []Extension
	// Version1 makes a certificate without any extension, as old roots are.
	Version1 bool
}

// Authority is a certification authority: what it takes to issue certificates
// and revocation lists. It issues what it is told to, even what it may not: a
// lab needs wrong certificates too.
type Authority struct {
	Certificate *Certificate
	Key         PrivateKey
}

// NewRoot makes an authority whose certificate is signed by its own key. Without
// basic constraints and key usage in the template it is an authority without a
// limit on paths. The stream gives the serial number.
func NewRoot(rand io.Reader, t Template, key PrivateKey) (*Authority, error) {
	c, err := issue(rand, t.authority(), key.Public(), t.Subject, key)
	if err != nil {
		return nil, err
	}
	return &Authority{c, key}, nil
}

// NewAuthority makes an authority below this one, as [NewRoot] makes one.
func (a *Authority) NewAuthority(rand io.Reader, t Template, key PrivateKey) (*Authority, error) {
	c, err := a.Issue(rand, t.authority(), key.Public())
	if err != nil {
		return nil, err
	}
	return &Authority{c, key}, nil
}

// Issue makes the certificate of a template for a public key. The stream gives the serial number.
func (a *Authority) Issue(rand io.Reader, t Template, key PublicKey) (*Certificate, error) {
	return issue(rand, t, key, a.Certificate.Subject, a.Key)
}

func (t Template) authority() Template {
	if t.Authority == nil && !t.Version1 {
		t.Authority = &BasicConstraints{IsCA: true, PathLen: -1}
	}
	if t.Usage == 0 {
		t.Usage = DigitalSignature | CertSign | CRLSign
	}
	return t
}

func issue(rand io.Reader, t Template, key PublicKey, issuer Name, signer PrivateKey) (*Certificate, error) {
	fail := func(err error) (*Certificate, error) {
		return nil, fmt.Errorf("pki: issue a certificate for %s: %w", t.Subject, err)
	}
	if t.NotAfter.Before(t.NotBefore) {
		return fail(errors.New("it ends before it begins"))
	}
	algorithm, err := SignatureWith(signer.Public(), t.Hash)
	if err != nil {
		return fail(err)
	}
	serial := t.Serial
	if serial == nil {
		if serial, err = newSerial(rand); err != nil {
			return fail(err)
		}
	}
	subjectID, err := keyID(key)
	if err != nil {
		return fail(err)
	}
	issuerID, err := keyID(signer.Public())
	if err != nil {
		return fail(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if !t.Version1 {
			b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
		}
		b.AddASN1BigInt(serial)
		algorithm.add(b)
		issuer.add(b)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, t.NotBefore)
			addTime(b, t.NotAfter)
		})
		t.Subject.add(b)
		key.addInfo(b)
		if !t.Version1 {
			b.AddASN1(asn1.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { t.addExtensions(b, subjectID, issuerID) })
			})
		}
	})
	tbs, err := b.Bytes()
	if err != nil {
		return fail(err)
	}
	der, err := addSigned(tbs, algorithm, signer)
	if err != nil {
		return fail(err)
	}
	c, err := ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	return c, nil
}

// addExtensions adds them with the criticality of RFC 5280, Section 4.2.1.
func (t Template) addExtensions(b *cryptobyte.Builder, subjectID, issuerID []byte) {
	if t.Authority != nil {
		addExtension(b, oidBasicConstraints, t.Authority.IsCA, t.Authority.add)
	}
	if t.Usage != 0 {
		addExtension(b, oidKeyUsage, true, t.Usage.add)
	}
	if len(t.ExtUsage) > 0 {
		addExtension(b, oidExtKeyUsage, false, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, oid := range t.ExtUsage {
					b.AddASN1ObjectIdentifier(oid)
				}
			})
		})
	}
	if subjectID != nil { // a request has neither
		addExtension(b, oidSubjectKeyID, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(subjectID) })
		addExtension(b, oidAuthorityKeyID, false, func(b *cryptobyte.Builder) { addAuthorityKeyID(b, issuerID) })
	}
	if !t.AltNames.empty() {
		addExtension(b, oidSubjectAltName, len(t.Subject) == 0, t.AltNames.add)
	}
	if len(t.CRLPoints) > 0 {
		addExtension(b, oidCRLPoints, false, func(b *cryptobyte.Builder) { addCRLPoints(b, t.CRLPoints) })
	}
	for _, e := range t.Extensions {
		addExtension(b, e.ID, e.Critical, func(b *cryptobyte.Builder) { b.AddBytes(e.Value) })
	}
}

func addAuthorityKeyID(b *cryptobyte.Builder, id []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(id) })
	})
}

// newSerial is a positive number of 16 octets; RFC 5280, Section 4.1.2.2, allows 20.
func newSerial(rand io.Reader) (*big.Int, error) {
	buf := make([]byte, 16)
	if err := readRandom(rand, buf); err != nil {
		return nil, err
	}
	buf[0] = buf[0]&0x3F | 0x40
	return new(big.Int).SetBytes(buf), nil
}
