package pki

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SignatureAlgorithm is how a certificate, a revocation list or a request is signed.
type SignatureAlgorithm int

// The values; the zero value is an algorithm that is not supported.
const (
	MD5WithRSA SignatureAlgorithm = iota + 1
	SHA1WithRSA
	SHA256WithRSA
	SHA384WithRSA
	SHA512WithRSA
	SHA1WithDSA
	SHA256WithDSA
	SHA1WithECDSA
	SHA256WithECDSA
	SHA384WithECDSA
	SHA512WithECDSA
)

type signatureScheme struct {
	name string
	oid  OID
	key  string
	hash crypto.Hash
	info []byte // RSA: DigestInfo up to the digest (RFC 8017, Section 9.2, note 1)
}

// RFC 3279, Section 2.2; RFC 4055, Section 5; RFC 5758, Sections 3.1 and 3.2.
var signatureSchemes = map[SignatureAlgorithm]*signatureScheme{
	MD5WithRSA: {"md5WithRSAEncryption", OID{1, 2, 840, 113549, 1, 1, 4}, RSA, crypto.MD5,
		[]byte{0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10}},
	SHA1WithRSA: {"sha1WithRSAEncryption", OID{1, 2, 840, 113549, 1, 1, 5}, RSA, crypto.SHA1,
		[]byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}},
	SHA256WithRSA: {"sha256WithRSAEncryption", OID{1, 2, 840, 113549, 1, 1, 11}, RSA, crypto.SHA256,
		[]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}},
	SHA384WithRSA: {"sha384WithRSAEncryption", OID{1, 2, 840, 113549, 1, 1, 12}, RSA, crypto.SHA384,
		[]byte{0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
	SHA512WithRSA: {"sha512WithRSAEncryption", OID{1, 2, 840, 113549, 1, 1, 13}, RSA, crypto.SHA512,
		[]byte{0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
	SHA1WithDSA:     {"dsa-with-sha1", OID{1, 2, 840, 10040, 4, 3}, DSA, crypto.SHA1, nil},
	SHA256WithDSA:   {"dsa-with-sha256", OID{2, 16, 840, 1, 101, 3, 4, 3, 2}, DSA, crypto.SHA256, nil},
	SHA1WithECDSA:   {"ecdsa-with-SHA1", OID{1, 2, 840, 10045, 4, 1}, ECDSA, crypto.SHA1, nil},
	SHA256WithECDSA: {"ecdsa-with-SHA256", OID{1, 2, 840, 10045, 4, 3, 2}, ECDSA, crypto.SHA256, nil},
	SHA384WithECDSA: {"ecdsa-with-SHA384", OID{1, 2, 840, 10045, 4, 3, 3}, ECDSA, crypto.SHA384, nil},
	SHA512WithECDSA: {"ecdsa-with-SHA512", OID{1, 2, 840, 10045, 4, 3, 4}, ECDSA, crypto.SHA512, nil},
}

// String is the name that the RFCs give the algorithm, or "unsupported".
func (a SignatureAlgorithm) String() string {
	if s := signatureSchemes[a]; s != nil {
		return s.name
	}
	return "unsupported"
}

// Hash is the hash of the algorithm, as [SignatureWith] names it; "" where the algorithm is unsupported.
func (a SignatureAlgorithm) Hash() string {
	if s := signatureSchemes[a]; s != nil {
		return strings.ToLower(strings.ReplaceAll(s.hash.String(), "-", ""))
	}
	return ""
}

// SignatureWith is the algorithm of a key and a hash: "md5", "sha1", "sha256",
// "sha384" or "sha512". With "" it is SHA-1 for RSA and DSA, as a certification
// authority of Windows Server 2003 signs, and for ECDSA the hash of the curve's size.
func SignatureWith(k PublicKey, hash string) (SignatureAlgorithm, error) {
	if hash == "" {
		hash = "sha1"
		if k.Algorithm() == ECDSA {
			hash = map[int]string{256: "sha256", 384: "sha384", 521: "sha512"}[k.Bits()]
		}
	}
	for a := MD5WithRSA; a <= SHA512WithECDSA; a++ {
		s := signatureSchemes[a]
		if s.key == k.Algorithm() && strings.ToLower(strings.ReplaceAll(s.hash.String(), "-", "")) == hash {
			return a, nil
		}
	}
	return 0, fmt.Errorf("pki: no signature with %s and the hash %q", k.Algorithm(), hash)
}

var errAlgorithm = errors.New("pki: the signature algorithm is not supported, or not one of the signer's key")

// signed is what the key signs, in the form of [PrivateKey.Sign].
func (s *signatureScheme) signed(data []byte) []byte {
	h := s.hash.New()
	h.Write(data)
	return h.Sum(s.info[:len(s.info):len(s.info)])
}

// sign makes the value of a signature field.
func (a SignatureAlgorithm) sign(k PrivateKey, data []byte) ([]byte, error) {
	s := signatureSchemes[a]
	if s == nil || s.key != k.Algorithm() {
		return nil, errAlgorithm
	}
	value, err := k.Sign(s.signed(data))
	if err != nil || s.key == RSA {
		return value, err
	}
	return signatureToDER(value)
}

// verify checks the value of a signature field.
func (a SignatureAlgorithm) verify(k PublicKey, data, value []byte) error {
	s := signatureSchemes[a]
	if s == nil || k == nil || s.key != k.Algorithm() {
		return errAlgorithm
	}
	if s.key != RSA {
		var err error
		if value, err = signatureFromDER(value, k.Size()/2); err != nil {
			return err
		}
	}
	return k.Verify(s.signed(data), value)
}

// add adds the AlgorithmIdentifier. RSA has parameters NULL, the others none.
func (a SignatureAlgorithm) add(b *cryptobyte.Builder) {
	s := signatureSchemes[a]
	if s == nil {
		b.SetError(errAlgorithm)
		return
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(s.oid)
		if s.key == RSA {
			b.AddASN1NULL()
		}
	})
}

// readSignatureAlgorithm reads an AlgorithmIdentifier; what is not known is the zero value.
func readSignatureAlgorithm(in *cryptobyte.String, element *cryptobyte.String) (SignatureAlgorithm, bool) {
	var seq cryptobyte.String
	var oid OID
	if !in.ReadASN1Element(element, asn1.SEQUENCE) {
		return 0, false
	}
	copied := *element
	if !copied.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return 0, false
	}
	for a := MD5WithRSA; a <= SHA512WithECDSA; a++ {
		if signatureSchemes[a].oid.Equal(oid) {
			return a, true
		}
	}
	return 0, true
}

// addSigned is SEQUENCE { tbs, algorithm, signature }, the form of certificates, lists and requests.
func addSigned(tbs []byte, a SignatureAlgorithm, k PrivateKey) ([]byte, error) {
	value, err := a.sign(k, tbs)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		a.add(b)
		b.AddASN1BitString(value)
	})
	return b.Bytes()
}

// signedParts are the parts of such a form.
type signedParts struct {
	raw, tbs  []byte
	body      cryptobyte.String // what is in tbs
	outer     cryptobyte.String // the AlgorithmIdentifier beside the signature
	algorithm SignatureAlgorithm
	value     []byte
}

func readSigned(der []byte) (p signedParts, ok bool) {
	in := cryptobyte.String(der)
	var seq, tbs, value cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Element(&tbs, asn1.SEQUENCE) {
		return p, false
	}
	p.raw, p.tbs = der, tbs
	if !tbs.ReadASN1(&p.body, asn1.SEQUENCE) {
		return p, false
	}
	p.algorithm, ok = readSignatureAlgorithm(&seq, &p.outer)
	if !ok || !readBitString(&seq, &value) || !seq.Empty() {
		return p, false
	}
	p.value = value
	return p, true
}
