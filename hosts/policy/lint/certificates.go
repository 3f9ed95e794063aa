package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// Certificates are what is known of a host's store of certificates. Authorities are
// distinguished names, in any spelling.
type Certificates struct {
	Roots     []string // that the host trusts
	Own       []string // the root of each certificate of which it has the private key
	CRLLevel  int      // StrongCRLCheck
	Unmatched bool     // it shows its first certificate, whatever it is asked for
}

// Issued is a certificate of an authority or of a computer.
type Issued struct {
	Name      string
	Authority bool
	Key, Hash string // rsa-1024, sha1
	From      time.Time
	Until     time.Time
}

var rootUntrusted = &Rule{
	ID: "root-untrusted", Severity: Error, Claims: []string{"C103", "C213"},
	Title: "A rule names an authority that the host does not trust",
	Why:   "The rule asks peers for a certificate that the host refuses then: a chain has to end at a root in the store of the computer.",
	Fix:   "Put the authority's certificate into the computer's store (`roots`), or take the authority out of the rule (`root-ca`).",
}

var certificateNone = &Rule{
	ID: "certificate-none", Severity: Error, Claims: []string{"C213", "C216"},
	Title: "A host has a rule with certificates, and no certificate for it",
	Why: "The method of authentication is agreed on before anybody looks for a certificate: where it is chosen main mode fails with " +
		"13806, even if another method of the rule would have worked.",
	Fix: "Enrol the host with an authority of the rule (`own`), or leave certificates out of its rule, or behind what it can do (`authentication`).",
}

var certificateExpires = &Rule{
	ID: "certificate-expires", Severity: Warning, Claims: []string{"C213"},
	Title: "A certificate is not valid all the time",
	Why:   "SAs live on, and the next main mode fails: at a time at which nobody has changed anything.",
	Fix:   "Issue it for long enough (`not-before`, `not-after`), or give the host another one besides, in time.",
}

var certificateWeak = &Rule{
	ID: "certificate-weak", Severity: Info, Source: "RFC 6151; RFC 6194; NIST SP 800-131A",
	Title: "Certificates are signed with MD5 or SHA-1, or have RSA keys of less than 2048 bits",
	Why:   "They were usual with Windows Server 2003. A forged certificate has been made with MD5, and collisions of SHA-1 as well; 1024 bits are within reach.",
	Fix:   "Use `hash: sha256` and `key: rsa-2048` where the systems know them.",
}

var revocationOff = &Rule{
	ID: "revocation-off", Severity: Info, Source: "StrongCRLCheck 0 of Windows; RFC 5280, Section 6.3",
	Title: "Hosts with certificates look at no revocation list",
	Why:   "A certificate whose key was stolen is good until it expires, for whoever has the key.",
	Fix:   "Set `strong-crl-check` to 1 or 2, and see to it that the lists are there in time (`revocation-lists`).",
}

var mappingNoAccounts = &Rule{
	ID: "mapping-no-accounts", Severity: Error, Claims: []string{"C242"},
	Title: "A rule maps certificates to accounts, and there are none",
	Why:   "Who has no account is refused, however good the certificate is: nobody gets in.",
	Fix:   "Give the peers accounts (`accounts`), or leave `certificate-mapping` out.",
}

var pskBeside = &Rule{
	ID: "psk-beside-certificates", Severity: Warning, Claims: []string{"C105"},
	Title: "A rule takes a preshared key beside certificates",
	Why:   "A peer chooses what it offers: who has the key needs no certificate. The key is for tests, and for the time until there are certificates.",
	Fix:   "Take the preshared key out of the rule (`psk`) when all peers have certificates.",
}

func checkCertificates(l *linter) {
	l.rules(func(p place, r *policy.Rule) {
		if r.Action.Kind == policy.Negotiate {
			l.rootsOf(p, r.Auth)
		}
	})
	l.issued()
	l.revocation()
}

// rootsOf compares the authorities of a rule with the stores of the hosts that have it.
func (l *linter) rootsOf(p place, auth []policy.AuthMethod) {
	first, psk := -1, -1
	for i, a := range auth {
		switch {
		case a.PreSharedKey != "":
			psk = i
		case a.RootCA == "":
			continue
		}
		if a.RootCA == "" {
			continue
		}
		if first < 0 {
			first = i
		}
		if who := p.hosts(func(c *Certificates) bool { return !listed(c.Roots, a.RootCA) }); who != "" {
			l.report(rootUntrusted, p.item(RuleAuth, i), "rule %s names %s, which is not trusted by %s", p, a.RootCA, who)
		}
		if a.CertMapping && len(l.in.Hosts) > 0 && l.in.Accounts == 0 {
			l.report(mappingNoAccounts, p.item(RuleAuth, i), "rule %s maps certificates to accounts, and there is no account", p)
		}
	}
	if first < 0 {
		return
	}
	if psk >= 0 {
		l.report(pskBeside, p.item(RuleAuth, psk), "rule %s takes a preshared key and certificates", p)
	}
	none := func(c *Certificates) bool {
		return !(c.Unmatched && len(c.Own) > 0) && !slices.ContainsFunc(auth, func(a policy.AuthMethod) bool { return a.RootCA != "" && listed(c.Own, a.RootCA) })
	}
	if who := p.hosts(none); who != "" {
		l.report(certificateNone, p.item(RuleAuth, first), "rule %s has certificates, and none of its authorities has issued one for %s", p, who)
	}
}

// hosts names those with the policy whose store is as asked; "": none.
func (p place) hosts(asked func(*Certificates) bool) string {
	var names []string
	for _, u := range p.units {
		if u.host != nil && u.host.Certificates != nil && asked(u.host.Certificates) {
			names = append(names, u.host.Name)
		}
	}
	return strings.Join(names, " and ")
}

// listed reports whether a distinguished name is among others, however they are spelled (claim C111).
func listed(names []string, name string) bool {
	n, err := pki.ParseName(name)
	return err == nil && slices.ContainsFunc(names, func(other string) bool {
		o, err := pki.ParseName(other)
		return err == nil && n.Equal(o)
	})
}

// issued looks at the certificates themselves.
func (l *linter) issued() {
	var weak []string
	var at Ref
	for _, c := range l.in.Issued {
		ref := Ref{Part: IssuedCertificate, Name: c.Name}
		what := "certificate "
		if c.Authority {
			ref.Part, what = IssuedAuthority, "authority "
		}
		switch {
		case c.From.After(l.in.Start):
			l.report(certificateExpires, ref, "%s%s is valid from %s on, and all begins at %s", what, c.Name, stamp(c.From), stamp(l.in.Start))
		case c.Until.Before(l.in.Start):
			l.report(certificateExpires, ref, "%s%s has expired at %s, and all begins at %s", what, c.Name, stamp(c.Until), stamp(l.in.Start))
		case c.Until.Before(l.in.End):
			l.report(certificateExpires, ref, "%s%s expires at %s, and the steps go on until %s", what, c.Name, stamp(c.Until), stamp(l.in.End))
		}
		if why := weakness(c); why != "" {
			at = cmp.Or(at, ref)
			weak = append(weak, fmt.Sprintf("%s (%s)", c.Name, why))
		}
	}
	if weak != nil {
		l.report(certificateWeak, at, "certificates are weak: %s", strings.Join(weak, ", "))
	}
}

// weakness is what is no longer recommended of a certificate; "": nothing.
func weakness(c Issued) string {
	var why []string
	if c.Key == "rsa-1024" || c.Key == "rsa-1536" || c.Key == "dsa-1024" {
		why = append(why, c.Key)
	}
	if c.Hash == "md5" || c.Hash == "sha1" {
		why = append(why, c.Hash)
	}
	return strings.Join(why, ", ")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// revocation names the hosts that authenticate by certificates and look at no list.
func (l *linter) revocation() {
	var names []string
	for i := range l.in.Hosts {
		h := &l.in.Hosts[i]
		if h.Certificates == nil || h.Certificates.CRLLevel != 0 {
			continue
		}
		if slices.ContainsFunc(l.policies, func(p *reviewed) bool { return slices.Contains(h.Policies, p.Name) && byCertificate(p) }) {
			names = append(names, h.Name)
		}
	}
	if names != nil {
		l.report(revocationOff, Ref{Part: HostCertificates, Name: names[0]}, "hosts with certificates look at no revocation list: %s", strings.Join(names, ", "))
	}
}

// byCertificate reports whether a rule in force has certificates.
func byCertificate(p *reviewed) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool {
		return !r.Inactive && r.Action.Kind == policy.Negotiate && slices.ContainsFunc(r.Auth, func(a policy.AuthMethod) bool { return a.RootCA != "" })
	})
}
