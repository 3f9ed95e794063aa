package lint

import (
	"slices"
	"unicode/utf8"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// The advice on preshared keys is in two sentences of the interoperability paper: local
// policy alone, a random value of 25 characters or more, and another one for each pair of
// addresses (C105); and why: it is kept in plaintext (C104).

// minKey is the least number of characters of a preshared key (C105).
const minKey = 25

// minDifferent is how many different characters a key of that length has at least: a
// random one of 26 letters has fewer in one of 270 million.
const minDifferent = 8

var pskShort = &Rule{
	ID: "psk-short", Severity: Error, Claims: []string{"C105"},
	Title: "A preshared key has fewer than 25 characters",
	Why:   "Whoever records a key exchange can try keys on it at leisure, and a short one is found.",
	Fix:   "Use a random key of 25 characters or more (`psk`), or certificates.",
}

var pskSimple = &Rule{
	ID: "psk-simple", Severity: Warning, Claims: []string{"C105"},
	Title: "A preshared key is made of few different characters",
	Why:   "A key is to be random: one that repeats itself is long for its owner and short for who guesses.",
	Fix:   "Use a random key of 25 characters or more (`psk`).",
}

var pskDomain = &Rule{
	ID: "psk-domain", Severity: Error, Claims: []string{"C104", "C105"},
	Title: "A domain policy has a preshared key",
	Why:   "The key is in plaintext in the directory, and every computer of the domain can read it there.",
	Fix:   "Authenticate by Kerberos (`kerberos: true`) or certificates in domain policies, and keep preshared keys in local policies.",
}

var pskManyPeers = &Rule{
	ID: "psk-many-peers", Severity: Warning, Claims: []string{"C105"},
	Title: "One preshared key is for all hosts of a subnet, or for all there are",
	Why:   "Whoever has the key can pose as any of them to any other, and it changes on all of them or on none.",
	Fix:   "Use a rule with a key of its own for each peer, or authenticate by Kerberos (`kerberos: true`) or certificates.",
}

var pskReused = &Rule{
	ID: "psk-reused", Severity: Warning, Claims: []string{"C105"},
	Title: "Several pairs of hosts share a preshared key",
	Why:   "Each host that has the key can pose as another one, or read how two others negotiate.",
	Fix:   "Give each pair of addresses a key of its own, in rules of their own (`authentication`).",
}

var severalAuth = &Rule{
	ID: "port-several-auth", Severity: Error, Claims: []string{"C117"},
	Title: "Filters with protocols or ports have several ways of authentication for one pair of hosts",
	Why: "Main mode knows addresses alone: one way of authentication serves all traffic of the pair, and the rule that is " +
		"searched first decides which. The other rule's is never used, and a peer that expects it fails.",
	Fix: "Authenticate all traffic between two hosts in one way (`authentication`).",
}

// psks calls f for each preshared key of rules in force; r is nil for the default response rule.
func (l *linter) psks(f func(p *reviewed, r *policy.Rule, key string, at Ref, who string)) {
	for _, p := range l.policies {
		for i := range p.Rules {
			r := &p.Rules[i]
			if r.Inactive || r.Action.Kind != policy.Negotiate {
				continue
			}
			for n, a := range r.Auth {
				if a.PreSharedKey != "" {
					f(p, r, a.PreSharedKey, place{p, i}.item(RuleAuth, n), "rule "+place{p, i}.String())
				}
			}
		}
		if d := p.DefaultResponse; d != nil {
			for n, a := range d.Auth {
				if a.PreSharedKey != "" {
					f(p, nil, a.PreSharedKey, Ref{Part: DefaultResponseAuth, Policy: p.Name, Index: n}, "the default response rule of "+p.Name)
				}
			}
		}
	}
}

func checkKeys(l *linter) {
	l.psks(func(p *reviewed, r *policy.Rule, key string, at Ref, who string) {
		n, different := utf8.RuneCountInString(key), map[rune]bool{}
		for _, c := range key {
			different[c] = true
		}
		switch {
		case n < minKey:
			l.report(pskShort, at, "the preshared key of %s has %d characters, fewer than %d", who, n, minKey)
		case len(different) < minDifferent:
			l.report(pskSimple, at, "the preshared key of %s has %d characters and only %d different ones", who, n, len(different))
		}
		if p.Domain {
			l.report(pskDomain, at, "%s is in a domain policy, and its preshared key in plaintext in the directory", who)
		}
		switch {
		case r == nil:
			l.report(pskManyPeers, at, "%s answers every host with the same preshared key", who)
		case !r.Tunnel.IsValid():
			for _, f := range r.Filters.Filters {
				if !narrow(f) {
					l.report(pskManyPeers, at, "%s has one preshared key for all hosts of filter %s", who, f)
					break
				}
			}
		}
	})
}

// narrow reports whether a filter is for one pair of hosts.
func narrow(f policy.Filter) bool { return single(f.Source) && single(f.Destination) }

func checkSeveralAuth(l *linter) {
	l.rules(func(p place, r *policy.Rule) {
		named := func(f policy.Filter) bool { return f.Protocol != ipsec.ProtoAny }
		if r.Action.Kind == policy.Negotiate && len(r.Auth) > 1 && !r.Tunnel.IsValid() && slices.ContainsFunc(r.Filters.Filters, named) {
			l.report(severalAuth, p.item(RuleAuth, 1), "rule %s has filters with protocols or ports and %d ways of authentication: %s", p, len(r.Auth), authWords(r.Auth))
		}
	})
	for _, p := range l.policies {
		for _, u := range p.units {
			for i := range u.filters {
				f := &u.filters[i]
				if f.Kind != policy.Negotiate || f.Tunnel() || f.Selector.Proto == ipsec.ProtoAny || u.host != nil && !f.Outbound && !f.Inbound {
					continue
				}
				for j := range u.filters[i+1:] {
					if g := &u.filters[i+1+j]; p.auth[f.Rule] != p.auth[g.Rule] && clash(f, g) {
						l.report(severalAuth, p.at(*f).ref(WholeRule),
							"rule %s (%s) and rule %s authenticate the same two hosts in different ways: %s, and %s",
							p.at(*f), f.Generic, p.at(*g), l.methods(p, *f), l.methods(p, *g))
					}
				}
			}
		}
	}
}

// clash reports whether f, which is searched before g and is for a protocol, takes a part
// of the traffic between hosts, and g would have another.
func clash(f, g *policy.SpecificFilter) bool {
	if g.Kind != policy.Negotiate || g.Tunnel() || f.Selector == g.Selector {
		return false
	}
	s := f.Selector
	s.Proto, s.SrcPort, s.DstPort = g.Selector.Proto, g.Selector.SrcPort, g.Selector.DstPort
	return g.Holds(s)
}

// methods words the authentication of a filter's rule.
func (l *linter) methods(p *reviewed, f policy.SpecificFilter) string {
	auth := p.Rules[f.Rule].Auth
	if len(auth) == 1 && auth[0].PreSharedKey != "" {
		return "a preshared key of " + p.Rules[f.Rule].Name
	}
	return authWords(auth)
}
