package pki

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Bundle is what a file of certificates holds, in the order of the file.
type Bundle struct {
	Certificates []*Certificate
	Keys         []PrivateKey
	Lists        []*RevocationList
	Requests     []*Request
}

// maxBundle bounds the parts of one file.
const maxBundle = 1000

// ParseBundle reads a file: PEM with any number of parts, or the DER of one
// certificate, revocation list, PKCS #7 collection, PKCS #10 request or PKCS #8
// key. Encrypted keys are not supported, other than in PKCS #12 ([ParsePKCS12]).
func ParseBundle(file []byte) (*Bundle, error) {
	b := &Bundle{}
	if !bytes.Contains(file, []byte("-----BEGIN ")) {
		return b, b.addDER(file)
	}
	found := false
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		found = true
		if err := b.addBlock(block); err != nil {
			return nil, err
		}
		if len(b.Certificates)+len(b.Keys)+len(b.Lists)+len(b.Requests) > maxBundle {
			return nil, fmt.Errorf("pki: a file of more than %d parts", maxBundle)
		}
	}
	if !found {
		return nil, errors.New("pki: a file has a line BEGIN, and no whole part of PEM")
	}
	return b, nil
}

// addBlock takes the labels of RFC 7468 and the older ones of OpenSSL.
func (b *Bundle) addBlock(block *pem.Block) error {
	der := block.Bytes
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") || block.Type == "ENCRYPTED PRIVATE KEY" {
		return errors.New("pki: an encrypted private key in PEM is not supported; decrypt it, or use PKCS #12")
	}
	switch block.Type {
	case "CERTIFICATE", "X509 CERTIFICATE":
		return addTo(&b.Certificates, der, ParseCertificate)
	case "X509 CRL":
		return addTo(&b.Lists, der, ParseRevocationList)
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		return addTo(&b.Requests, der, ParseRequest)
	case "PRIVATE KEY":
		return addTo(&b.Keys, der, ParsePrivateKey)
	case "RSA PRIVATE KEY":
		return addTo(&b.Keys, der, parseRSAPrivate)
	case "DSA PRIVATE KEY":
		return addTo(&b.Keys, der, func(der []byte) (PrivateKey, error) { return parseDSAPrivate(der) })
	case "EC PRIVATE KEY":
		return addTo(&b.Keys, der, func(der []byte) (PrivateKey, error) { return parseECPrivate(der, 0) })
	case "EC PARAMETERS", "DSA PARAMETERS": // stand before a key, which has them too
		return nil
	case "PKCS7":
		certificates, lists, err := ParsePKCS7(der)
		b.Certificates = append(b.Certificates, certificates...)
		b.Lists = append(b.Lists, lists...)
		return err
	}
	return fmt.Errorf("pki: a part %q of PEM is not supported", block.Type)
}

func addTo[T any](list *[]T, der []byte, parse func([]byte) (T, error)) error {
	one, err := parse(der)
	if err == nil {
		*list = append(*list, one)
	}
	return err
}

func (b *Bundle) addDER(der []byte) error {
	for _, kind := range []string{"CERTIFICATE", "X509 CRL", "PKCS7", "CERTIFICATE REQUEST", "PRIVATE KEY"} {
		if b.addBlock(&pem.Block{Type: kind, Bytes: der}) == nil {
			return nil
		}
	}
	return &Error{Kind: BadEncoding, Detail: "a file is neither PEM nor the DER of a certificate, a revocation list, PKCS #7, a request or a private key"}
}

// PEM writes the bundle: keys, certificates, lists, requests.
func (b *Bundle) PEM() ([]byte, error) {
	var out bytes.Buffer
	part := func(kind string, der []byte) { out.Write(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})) }
	for _, k := range b.Keys {
		der, err := MarshalPrivateKey(k)
		if err != nil {
			return nil, err
		}
		part("PRIVATE KEY", der)
	}
	for _, c := range b.Certificates {
		part("CERTIFICATE", c.Raw)
	}
	for _, l := range b.Lists {
		part("X509 CRL", l.Raw)
	}
	for _, r := range b.Requests {
		part("CERTIFICATE REQUEST", r.Raw)
	}
	return out.Bytes(), nil
}
