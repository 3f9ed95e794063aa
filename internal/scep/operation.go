package scep

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/pki"
)

// Operation is what a URL asks for: RFC 8894, Sections 3.5 and 4.
type Operation string

// The operations.
const (
	GetCACaps     Operation = "GetCACaps"
	GetCACert     Operation = "GetCACert"
	GetNextCACert Operation = "GetNextCACert"
	PKIOperation  Operation = "PKIOperation"
)

// Types of content: RFC 8894, Sections 4.1 to 4.3.
const (
	typeCert    = "application/x-x509-ca-cert"
	typeCerts   = "application/x-x509-ca-ra-cert"
	typeMessage = "application/x-pki-message"
	typeText    = "text/plain"
)

// The capabilities that the lab knows: RFC 8894, Section 3.5.2.
const (
	CapPOST    = "POSTPKIOperation"
	CapRenewal = "Renewal"
	CapSHA1    = "SHA-1"
	CapSHA256  = "SHA-256"
	CapDES3    = "DES3"
	CapAES     = "AES"
)

// AllCapabilities are the words that a server may announce.
var AllCapabilities = []string{CapPOST, CapRenewal, CapSHA1, CapSHA256, CapDES3, CapAES}

// Capabilities are what a server says that it can.
type Capabilities []string

// ParseCapabilities reads a line for each; what is not known is passed over.
func ParseCapabilities(body []byte) (all Capabilities) {
	for line := range strings.Lines(string(body)) {
		if line = strings.TrimSpace(line); slices.Contains(AllCapabilities, line) && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// Has reports whether a capability is there.
func (c Capabilities) Has(word string) bool { return slices.Contains(c, word) }

// Protection is the best that both sides know.
func (c Capabilities) Protection() Protection {
	p := Oldest
	switch {
	case c.Has(CapSHA256):
		p.Hash = "sha256"
	case c.Has(CapSHA1):
		p.Hash = "sha1"
	}
	switch {
	case c.Has(CapAES):
		p.Cipher = "aes128"
	case c.Has(CapDES3):
		p.Cipher = "3des"
	}
	return p
}

// Authorities are the certificates with which a server answers GetCACert.
type Authorities struct {
	CA *pki.Certificate // that issues
	// Above are the certificates between it and the root, and the root, as far as they came.
	Above []*pki.Certificate
	// RA are the certificates of registration authorities, which answer in its place; none: it answers itself.
	RA []*pki.Certificate
}

// ParseAuthorities reads the answer to GetCACert: a certificate, or several as PKCS #7
// (RFC 8894, Section 4.2.1). Whether the CA is the right one, only its fingerprint says.
func ParseAuthorities(contentType string, body []byte) (Authorities, error) {
	var a Authorities
	fail := func(why string) (Authorities, error) {
		return Authorities{}, fmt.Errorf("scep: the answer to GetCACert %s", why)
	}
	switch kind, _, _ := strings.Cut(contentType, ";"); strings.TrimSpace(strings.ToLower(kind)) {
	case typeCert:
		c, err := pki.ParseCertificate(body)
		if err != nil {
			return fail("is no certificate: " + err.Error())
		}
		a.CA = c
	case typeCerts:
		all, _, err := pki.ParsePKCS7(body)
		if err != nil {
			return fail("cannot be read: " + err.Error())
		}
		issues := func(c *pki.Certificate) bool { return c.Authority != nil && c.Authority.IsCA || c.Version == 1 }
		for _, c := range all {
			if !issues(c) {
				a.RA = append(a.RA, c)
			}
		}
		// The one that issued those of registration authorities, or else the lowest.
		lowest := func(c *pki.Certificate) bool {
			if len(a.RA) > 0 {
				return a.RA[0].Issuer.Equal(c.Subject)
			}
			return !slices.ContainsFunc(all, func(o *pki.Certificate) bool { return o != c && o.Issuer.Equal(c.Subject) })
		}
		for _, c := range all {
			if issues(c) && a.CA == nil && lowest(c) {
				a.CA = c
			}
		}
		if a.CA == nil {
			return fail("has no certificate of an authority")
		}
		a.Above = above(a.CA, all)
	default:
		return fail(fmt.Sprintf("is of type %q; want %s or %s", contentType, typeCert, typeCerts))
	}
	for _, ra := range a.RA {
		if err := ra.CheckSignature(a.CA.Key); err != nil {
			return fail(fmt.Sprintf("has %s, which %s has not issued", ra.Subject, a.CA.Subject))
		}
	}
	return a, nil
}

// above are those among certificates that vouch for one, from its issuer to the root: what else is
// among them, no fingerprint covers.
func above(c *pki.Certificate, all []*pki.Certificate) (path []*pki.Certificate) {
	for !c.SelfIssued() && len(path) < len(all) {
		i := slices.IndexFunc(all, func(o *pki.Certificate) bool {
			return o.Subject.Equal(c.Issuer) && o.Key != nil && c.CheckSignature(o.Key) == nil
		})
		if i < 0 {
			break
		}
		c = all[i]
		path = append(path, c)
	}
	return path
}

// forUse is the certificate to which messages go, or that signs the answers.
func (a Authorities) forUse(u pki.KeyUsage) *pki.Certificate {
	for _, c := range a.RA {
		if c.Usage == 0 || c.Usage&u != 0 {
			return c
		}
	}
	return a.CA
}

// Recipient is the certificate to which messages are encrypted.
func (a Authorities) Recipient() *pki.Certificate { return a.forUse(pki.KeyEncipherment) }

// Answers reports whether a certificate may sign answers.
func (a Authorities) Answers(c *pki.Certificate) bool {
	signer := a.forUse(pki.DigitalSignature).Raw
	return string(signer) == string(c.Raw) || string(a.CA.Raw) == string(c.Raw)
}
