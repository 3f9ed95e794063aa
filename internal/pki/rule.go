package pki

import (
	"slices"
	"strings"
)

// Rule is what an IPsec rule demands of a peer's certificate. No usage for IPsec
// is ever demanded (claim C214).
type Rule struct {
	// Roots are the names of the root authorities that the rule accepts, in its
	// order of preference. A root that the computer trusts and the rule does not
	// name is not accepted (claim C228).
	Roots    []Name
	CRLCheck CRLCheck
	// Keys are the kinds of key that the certificate's subject may have; none: RSA, as Windows
	// Server 2003 demands (claim C213). Authorities may have any key.
	Keys []string
	// MinBits is the least length of the subject's RSA or DSA key; zero: any.
	MinBits int
	// Usage is what the subject's key is used for: one of these bits must be in its
	// key usage, if there is one. Zero means digitalSignature or nonRepudiation,
	// for authentication by signature (RFC 4945, Section 5.1.3.2).
	Usage KeyUsage
}

// CRLCheck is the level of checking revocation: the value StrongCRLCheck of the
// registry, strongcrlcheck of netsh.
type CRLCheck int

const (
	// CRLNone does not look at revocation lists.
	CRLNone CRLCheck = iota
	// CRLIfRevoked fails if a list names the certificate; any trouble with lists is passed over.
	CRLIfRevoked
	// CRLStrict fails also if there is no usable list.
	CRLStrict
)

func (r Rule) keys() []string {
	if r.Keys == nil {
		return []string{RSA}
	}
	return r.Keys
}

// accepts reports whether the rule names a root.
func (r Rule) accepts(root *Certificate) bool {
	for _, n := range r.Roots {
		if n.key() == root.subjectKey {
			return true
		}
	}
	return false
}

// subject checks the key of the certificate that speaks for the peer.
func (r Rule) subject(c *Certificate) *Error {
	usage := r.Usage
	if usage == 0 {
		usage = DigitalSignature | NonRepudiation
	}
	switch {
	case c.Key == nil:
		return errorOf(Unsupported, c, "%v", c.KeyError)
	case !slices.Contains(r.keys(), c.Key.Algorithm()):
		return errorOf(WrongKeyType, c, "the key is %s, and the rule demands %s", c.Key.Algorithm(), strings.Join(r.keys(), " or "))
	case c.Key.Algorithm() != ECDSA && c.Key.Bits() < r.MinBits:
		return errorOf(WeakKey, c, "the key has %d bits, and the rule demands %d", c.Key.Bits(), r.MinBits)
	case c.Usage != 0 && c.Usage&usage == 0:
		return errorOf(WrongUsage, c, "the key is for %s, not for %s", c.Usage, usage)
	}
	return nil
}
