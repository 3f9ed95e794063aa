package pki

import (
	"fmt"
	"strings"
)

// Account is the computer account of the domain that a certificate speaks for.
// Whether there is such an account, and what it may do, is the directory's affair.
type Account struct {
	Name   string // HOSTA$
	Domain string // lab.example, in lower case
	// Principal is the account as text: HOSTA$@lab.example.
	Principal string
	// From says what the mapping is from: "upn" or "dns".
	From string
}

// maxComputerName is the length of a NetBIOS name; the account of a computer has
// it and a dollar sign.
const maxComputerName = 15

// AccountOf maps a certificate to a computer account, as Windows Server 2003 does
// when a rule asks for it: by the user principal name in the subject alternative
// name, else by the first DNS name of it (MS-GPIPSEC 2.2.1.2 has the
// flag of the rule). A principal name is HOSTA$@domain or host/hosta.domain, with @domain or
// not. The account is the first label of a DNS name, in upper case, cut to 15
// characters; the other labels are its domain. That other forms are no account
// is a choice of the lab.
func AccountOf(c *Certificate) (Account, error) {
	for _, upn := range c.AltNames.UPN {
		if a, ok := accountOfUPN(upn); ok {
			return a, nil
		}
	}
	for _, name := range c.AltNames.DNS {
		if a, ok := accountOfDNS(name, "dns"); ok {
			return a, nil
		}
	}
	return Account{}, fmt.Errorf("pki: %s: no alternative name is of a computer account; there are the principal names %q and the DNS names %q",
		c.Subject, c.AltNames.UPN, c.AltNames.DNS)
}

func accountOfUPN(upn string) (Account, bool) {
	name, domain, at := strings.Cut(upn, "@")
	if len(name) > 5 && strings.EqualFold(name[:5], "host/") {
		return accountOfDNS(name[5:], "upn")
	}
	label, computer := strings.CutSuffix(name, "$")
	if !at || !computer || !isLabel(label) || len(label) > maxComputerName || !isDomain(domain) {
		return Account{}, false // of a user
	}
	return newAccount(label, domain, "upn"), true
}

func accountOfDNS(name, from string) (Account, bool) {
	label, domain, _ := strings.Cut(strings.TrimSuffix(name, "."), ".")
	if !isLabel(label) || !isDomain(domain) {
		return Account{}, false
	}
	return newAccount(label[:min(len(label), maxComputerName)], domain, from), true
}

func newAccount(label, domain, from string) Account {
	a := Account{Name: strings.ToUpper(label) + "$", Domain: strings.ToLower(domain), From: from}
	a.Principal = a.Name + "@" + a.Domain
	return a
}

func isDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isLabel reports whether s is letters, digits, hyphens and underscores; a wildcard is not.
func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}
