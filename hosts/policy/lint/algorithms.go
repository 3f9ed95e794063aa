package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var des = &Rule{
	ID: "des", Severity: Error, Source: "RFC 8221, Section 5; RFC 8247, Section 2.1",
	Title: "DES is offered or accepted",
	Why:   "Its keys of 56 bits are found by trying all of them. A peer, or who stands in between with the key, chooses the weakest that is offered.",
	Fix:   "Take DES out of the methods (`security-methods`); 3DES is there on every Windows since 2000.",
}

var md5 = &Rule{
	ID: "md5", Severity: Warning, Source: "RFC 8221, Section 6; RFC 8247, Section 2.2 and 2.3",
	Title: "MD5 is offered or accepted",
	Why:   "MD5 is broken as a hash, and no longer recommended for keyed use either; SHA-1 is there wherever MD5 is.",
	Fix:   "Take MD5 out of the methods (`security-methods`), and use SHA1.",
}

var group1 = &Rule{
	ID: "group-1", Severity: Error, Source: "RFC 8247, Section 2.4",
	Title: "Main mode offers or accepts Diffie–Hellman group 1",
	Why:   "Its 768 bits are within reach, and who breaks the exchange reads everything that it protects.",
	Fix:   "Offer in the `security-methods` of `main-mode` group 3 (2048 bits, IANA group 14) where the system has it, as Windows Server 2003 has, and group 2 for the others.",
}

var group2 = &Rule{
	ID: "group-2-only", Severity: Info, Claims: []string{"C070"}, Source: "RFC 8247, Section 2.4",
	Title: "Main mode offers no group of 2048 bits or more",
	Why: "Windows Server 2003 has group 3 of 2048 bits; the 1024 bits of group 2 are for peers before it. Hosts whose operating system " +
		"has no such group are asked for the largest that it has.",
	Fix: "Offer the largest group of the system first in the `security-methods` of `main-mode`, such as 3DES-SHA1-3 on Windows Server 2003, and group 2 behind it where older peers need it.",
}

var weakFirst = &Rule{
	ID: "weak-first", Severity: Warning, Source: "RFC 2408, Section 4.2",
	Title: "A weaker method stands before a stronger one",
	Why:   "Methods are in order of preference: two hosts that both have the stronger one agree on the weaker.",
	Fix:   "Sort the methods (`security-methods`), the strongest first.",
}

var nullWithEncryption = &Rule{
	ID: "null-with-encryption", Severity: Info, Claims: []string{"C029"},
	Title: "A filter action takes both encryption and integrity alone",
	Why:   "A peer that offers integrity alone gets it: nothing that the action selects is sure to be encrypted.",
	Fix:   "Where the data is to be secret, leave AH, and ESP with None, out of the `security-methods`.",
}

var ahAlone = &Rule{
	ID: "ah-nat", Severity: Info, Claims: []string{"C067"},
	Title: "A filter action has no method but AH",
	Why:   "AH protects the addresses, which a NAT changes: it does not pass one, and there is no encapsulation in UDP for it.",
	Fix:   "Use ESP in the `security-methods`, with None for encryption where the data need not be secret.",
}

var offersPruned = &Rule{
	ID: "offers-left-out", Severity: Info, Claims: []string{"C070"}, Source: "MS-GPIPSEC 2.2.1.2",
	Title: "A host leaves out offers that its operating system does not know",
	Why:   "What the policy prefers is not what the host offers: with Windows 2000 and XP, whatever has the group of 2048 bits is left out without a word.",
	Fix:   "Know that peers of this host agree on less; update it (`os`), or give it a policy of its own (`assignments`).",
}

// strength orders what can be ordered: more is stronger. It stops at 128 bits: beyond,
// the order is a matter of taste and speed.
var strength = map[string]int{
	"des-cbc": 1, "3des-cbc": 2, "aes128-cbc": 3, "aes192-cbc": 3, "aes256-cbc": 3,
	"aes128-ctr": 3, "aes192-ctr": 3, "aes256-ctr": 3,
	"aes128-gcm8": 3, "aes192-gcm8": 3, "aes256-gcm8": 3, "aes128-gcm12": 3, "aes192-gcm12": 3, "aes256-gcm12": 3,
	"aes128-gcm16": 3, "aes192-gcm16": 3, "aes256-gcm16": 3,
	"aes128-ccm8": 3, "aes192-ccm8": 3, "aes256-ccm8": 3, "aes128-ccm12": 3, "aes192-ccm12": 3, "aes256-ccm12": 3,
	"aes128-ccm16": 3, "aes192-ccm16": 3, "aes256-ccm16": 3,
	"md5": 1, "sha1": 2, "sha256": 3, "sha384": 3, "sha512": 3,
	"des-iv32": 1, "des-iv64": 1, "keyed-md5": 1, "aes-xcbc-96": 3, "aes128-gmac": 3, "aes192-gmac": 3, "aes256-gmac": 3,
	"hmac-md5-96": 1, "hmac-sha1-96": 2, "hmac-sha256-128": 3, "hmac-sha384-192": 3, "hmac-sha512-256": 3,
}

// groupBits are the sizes of the MODP groups (RFC 2409, Section 6; RFC 3526).
var groupBits = map[uint16]int{1: 768, 2: 1024, 5: 1536, 14: 2048, 15: 3072, 16: 4096, 17: 6144, 18: 8192}

// goodGroup is the size that group-2-only asks for, in bits.
const goodGroup = 2048

func checkMainModeMethods(l *linter) {
	for _, p := range l.policies {
		best := 0
		for i, m := range p.MainMode.Proposals {
			at := Ref{Part: MainModeMethod, Policy: p.Name, Index: i}
			name := mainModeName(m)
			if m.Cipher == "des-cbc" {
				l.report(des, at, "main mode of policy %s: %s encrypts with DES", p.Name, name)
			}
			if m.Hash == "md5" {
				l.report(md5, at, "main mode of policy %s: %s uses MD5", p.Name, name)
			}
			if m.Group == 1 {
				l.report(group1, at, "main mode of policy %s: %s uses group 1 of 768 bits", p.Name, name)
			}
			best = max(best, groupBits[m.Group])
			for _, later := range p.MainMode.Proposals[i+1:] {
				if weaker(mainModeStrength(m), mainModeStrength(later)) {
					l.report(weakFirst, at, "main mode of policy %s: %s stands before %s, which is stronger", p.Name, name, mainModeName(later))
					break
				}
			}
		}
		if len(p.MainMode.Proposals) > 0 {
			l.largestGroup(p, best)
		}
	}
}

// largestGroup compares the largest group that a policy offers, in bits, with those of
// the operating systems that have the policy.
func (l *linter) largestGroup(p *reviewed, best int) {
	bits, who := 0, ""
	for _, u := range p.units {
		if n := u.groupBits(); n > bits {
			bits = n
			if u.host != nil {
				who = u.host.Name
			}
		}
	}
	at := Ref{Part: MainModeMethod, Policy: p.Name}
	switch {
	case best >= min(bits, goodGroup):
	case bits >= goodGroup:
		l.report(group2, at, "main mode of policy %s has no group of %d bits or more", p.Name, goodGroup)
	default:
		l.report(group2, at, "main mode of policy %s has no group of more than %d bits, and %s has one of %d", p.Name, best, who, bits)
	}
}

// groupBits is the size of the largest group that the operating system of a host knows;
// one of which nothing is known has the one that group-2-only asks for.
func (u *unit) groupBits() (bits int) {
	if u.host == nil || u.host.Options.System == nil || len(u.host.Options.System.MainModeGroups) == 0 {
		return goodGroup
	}
	for _, g := range u.host.Options.System.MainModeGroups {
		bits = max(bits, groupBits[g])
	}
	return bits
}

func mainModeName(m ike.MainModeProposal) string {
	if name, ok := policy.FormatMainModeMethod(m); ok {
		return name
	}
	return m.String()
}

func mainModeStrength(m ike.MainModeProposal) []int {
	return []int{strength[m.Cipher], strength[m.Hash], min(groupBits[m.Group], goodGroup)}
}

// weaker reports whether a is in nothing better than b, and in something worse.
func weaker(a, b []int) bool {
	worse := false
	for i := range a {
		if a[i] > b[i] {
			return false
		}
		worse = worse || a[i] < b[i]
	}
	return worse
}

// methodList are the security methods of a filter action or of the default response rule.
type methodList struct {
	who     string
	methods []ipsec.Proposal
	ref     func(i int) Ref
	whole   Ref
}

// methodLists are those that an administrator has written, of rules in force.
func (l *linter) methodLists() (lists []methodList) {
	l.rules(func(p place, r *policy.Rule) {
		if r.Action.Kind == policy.Negotiate {
			lists = append(lists, methodList{
				"filter action " + r.Action.Name, r.Action.Methods,
				func(i int) Ref { return p.item(ActionMethod, i) }, p.ref(RuleAction),
			})
		}
	})
	for _, p := range l.policies {
		if d := p.DefaultResponse; d != nil && len(d.Methods) > 0 {
			lists = append(lists, methodList{
				"the default response rule of " + p.Name, d.Methods,
				func(i int) Ref { return Ref{Part: DefaultResponseMethod, Policy: p.Name, Index: i} }, Ref{Part: DefaultResponseRule, Policy: p.Name},
			})
		}
	}
	return lists
}

func checkSecurityMethods(l *linter) {
	for _, list := range l.methodLists() {
		encrypts, plain, esp := 0, 0, 0
		for i, m := range list.methods {
			name := methodName(m)
			if uses(m, func(t ipsec.Transform) bool { return strings.HasPrefix(t.Cipher, "des-") }) {
				l.report(des, list.ref(i), "%s: %s encrypts with DES", list.who, name)
			}
			if uses(m, func(t ipsec.Transform) bool { return t.Auth == "hmac-md5-96" || t.Auth == "keyed-md5" }) {
				l.report(md5, list.ref(i), "%s: %s uses MD5", list.who, name)
			}
			for _, later := range list.methods[i+1:] {
				if sameShape(m, later) && weaker(methodStrength(m), methodStrength(later)) {
					l.report(weakFirst, list.ref(i), "%s: %s stands before %s, which is stronger", list.who, name, methodName(later))
					break
				}
			}
			if hides(m) {
				encrypts++
			} else {
				plain++
			}
			if uses(m, func(t ipsec.Transform) bool { return t.Protocol == ipsec.ESP }) && len(m.Transforms) == 1 {
				esp++
			}
		}
		if encrypts > 0 && plain > 0 {
			l.report(nullWithEncryption, list.whole, "%s takes methods with encryption and without", list.who)
		}
		if esp == 0 && len(list.methods) > 0 {
			l.report(ahAlone, list.whole, "%s has no method without AH, which no NAT lets through", list.who)
		}
	}
}

// methodName is a method as netsh writes it, with its lifetime unless that is the default.
func methodName(m ipsec.Proposal) string {
	usual := ipsec.Lifetime{Duration: policy.DefaultQuickModeSeconds * time.Second, Kilobytes: policy.DefaultQuickModeKilobytes}
	m.Mode = ipsec.Transport // netsh writes no mode: it follows from the rule
	if name, ok := policy.FormatSecurityMethod(m); ok {
		if m.Lifetime == usual {
			name, _, _ = strings.Cut(name, ":")
		}
		return name
	}
	return m.String()
}

func uses(m ipsec.Proposal, what func(ipsec.Transform) bool) bool {
	return slices.ContainsFunc(m.Transforms, what)
}

// hides reports whether a method encrypts.
func hides(m ipsec.Proposal) bool {
	return uses(m, func(t ipsec.Transform) bool { return t.Protocol == ipsec.ESP && !plain(t.Cipher) })
}

// plain reports whether a cipher of ESP encrypts nothing (RFC 2410, RFC 4543).
func plain(cipher string) bool { return cipher == "null" || strings.HasSuffix(cipher, "-gmac") }

// sameShape reports whether two methods do the same with other algorithms.
func sameShape(a, b ipsec.Proposal) bool {
	shape := func(m ipsec.Proposal) (s string) {
		for _, t := range m.Transforms {
			s += fmt.Sprintf("%s %t %t;", t.Protocol, plain(t.Cipher), t.Auth == "")
		}
		return s
	}
	return shape(a) == shape(b)
}

func methodStrength(m ipsec.Proposal) (all []int) {
	for _, t := range m.Transforms {
		all = append(all, strength[t.Cipher], strength[t.Auth])
	}
	return all
}
