package lint

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var mainModesDoNotMeet = &Rule{
	ID: "main-mode-mismatch", Severity: Error, Claims: []string{"C088", "C108"},
	Title: "Two hosts that are to negotiate have no main-mode method in common",
	Why:   "No main mode comes about, and what the policies want protected is dropped, or goes in the clear where they fall back.",
	Fix:   "Give the `main-mode` of both policies a method with the same cipher, hash and group.",
}

var authDoesNotMeet = &Rule{
	ID: "auth-mismatch", Severity: Error, Claims: []string{"C041", "C101", "C105"},
	Title: "Two hosts that are to negotiate authenticate in different ways, or with different keys",
	Why:   "Main mode fails, and all that needs it is cut off.",
	Fix:   "Give both sides the same key or method for the pair (`authentication`).",
}

var quickModesDoNotMeet = &Rule{
	ID: "quick-mode-mismatch", Severity: Error, Claims: []string{"C108"},
	Title: "Two hosts that are to negotiate have no security method in common",
	Why:   "Main mode succeeds and no SA comes of it.",
	Fix:   "Give both filter actions a method with the same algorithms (`security-methods`).",
}

var pfsOneSided = &Rule{
	ID: "pfs-one-side", Severity: Error, Claims: []string{"C222"},
	Title: "One of two hosts demands perfect forward secrecy, and the other does not offer it",
	Why:   "Who starts decides whether it works: the host that has it refuses what the other starts. New keys may come from either.",
	Fix:   "Select session key perfect forward secrecy on both sides (`pfs: true`), or on neither.",
}

var oneSided = &Rule{
	ID: "one-sided", Severity: Warning, Claims: []string{"C081", "C116"},
	Title: "A host demands protection of its traffic with another one, which has nothing to negotiate about it",
	Why:   "The other host refuses, or does not answer, and the traffic is dropped; or it goes in the clear where the first falls back.",
	Fix:   "Add the rule to the other host's policy (`rules`), or permit the traffic (`action: permit`).",
}

// start is a policy on a host from the start.
type start struct {
	*unit
	host *Host
}

// starts are the policies that hosts start with, by host.
func (l *linter) starts() (starts []start) {
	for i := range l.in.Hosts {
		for _, p := range l.policies {
			for _, u := range p.units {
				if u.host == &l.in.Hosts[i] && u.host.Policy == p.Name && u.compiled != nil {
					starts = append(starts, start{u, u.host})
				}
			}
		}
	}
	return starts
}

// checkPairs compares what two hosts want of each other with the policies that they start with.
func checkPairs(l *linter) {
	starts := l.starts()
	said := map[[3]string]bool{}
	for _, a := range starts {
		l.alone(a)
		for _, b := range starts {
			if a.host != b.host {
				l.compare(a, b, said)
			}
		}
	}
}

// alone looks for hosts with which a demands protection and that never have a policy.
// Where it falls back to clear, that is what it is for.
func (l *linter) alone(a start) {
	for _, f := range a.filters {
		demands := f.Kind == policy.Negotiate && !a.Rules[f.Rule].Action.Soft
		if !demands || !f.Outbound || f.Tunnel() || !f.Selector.Dst.IsSingleIP() {
			continue
		}
		remote := f.Selector.Dst.Addr()
		if h := l.hostOf(remote); h != nil && len(h.Policies) == 0 {
			l.report(oneSided, a.filter(f), "rule %s negotiates %s, and %s has no policy", a.at(f), f.Selector, h.Name)
		}
	}
}

// once reports whether a rule has not yet been said of two parties, in either order.
func once(said map[[3]string]bool, r *Rule, a, b string) bool {
	k := [3]string{r.ID, min(a, b), max(a, b)}
	defer func() { said[k] = true }()
	return !said[k]
}

// compare looks at what a wants protected of its traffic with b.
func (l *linter) compare(a, b start, said map[[3]string]bool) {
	for _, local := range a.host.Addrs {
		for _, remote := range b.host.Addrs {
			if local.Is4() == remote.Is4() {
				l.between(a, b, local, remote, said)
			}
		}
	}
}

func (l *linter) between(a, b start, local, remote netip.Addr, said map[[3]string]bool) {
	mine, ok := a.compiled.MainMode(local, remote)
	if !ok {
		return
	}
	theirs, answers := b.compiled.MainMode(remote, local)
	asked := false
	for _, f := range a.filters {
		if f.Kind != policy.Negotiate || !f.Outbound {
			continue
		}
		s, ok := f.Selector, f.TunnelEnd == remote && a.begins(f, local)
		if !f.Tunnel() {
			s, ok = a.decided(f, local, remote)
		}
		if !ok {
			continue
		}
		asked = true
		q, ok := b.compiled.QuickMode(local, s.Reverse())
		if !answers || !ok {
			if narrow(f.Generic) || f.Tunnel() { // else it may be meant for others
				l.report(oneSided, a.filter(f), "rule %s negotiates %s, and policy %s of %s has nothing to negotiate about it", a.at(f), s, b.Name, b.host.Name)
			}
			continue
		}
		l.quickModes(a, b, f, q, said)
	}
	if !asked || !answers {
		return
	}
	meet := slices.ContainsFunc(mine.Proposals, func(p ike.MainModeProposal) bool { return slices.Contains(theirs.Proposals, p) })
	if !meet && once(said, mainModesDoNotMeet, a.Name, b.Name) {
		l.report(mainModesDoNotMeet, Ref{Part: MainModeSettings, Policy: a.Name}, "policy %s of %s and policy %s of %s have no main-mode method in common: %s, and %s",
			a.Name, a.host.Name, b.Name, b.host.Name, mainModeNames(mine), mainModeNames(theirs))
	}
	if !authenticateAlike(a.methods(mine), b.methods(theirs)) && once(said, authDoesNotMeet, local.String(), remote.String()) {
		at := Ref{Part: WholePolicy, Policy: a.Name}
		if r, ok := a.authenticates(local, remote); ok {
			at = place{a.reviewed, r}.ref(WholeRule)
		}
		l.report(authDoesNotMeet, at, "policy %s of %s and policy %s of %s do not authenticate alike for %s and %s",
			a.Name, a.host.Name, b.Name, b.host.Name, local, remote)
	}
}

// methods are the ways of authentication that a main mode of the policy has, which marked has
// put a key in the place of.
func (u *unit) methods(m ike.MainMode) []policy.AuthMethod {
	var all []policy.AuthMethod
	key := string(m.Auth[0].PreSharedKey)
	for _, r := range u.Rules {
		if authKey(r.Auth) == key {
			all = r.Auth
		}
	}
	if d := u.DefaultResponse; d != nil && authKey(d.Auth) == key {
		all = d.Auth
	}
	if len(all) == 0 {
		all = []policy.AuthMethod{{Kerberos: true}}
	}
	return all
}

// authenticateAlike reports whether two lists have a way in common. A preshared key is to be
// the same one. With certificates both sides take one authority: what a host shows is of an
// authority of its own rule, and one that the peer asks for (claim C216).
func authenticateAlike(mine, theirs []policy.AuthMethod) bool {
	return slices.ContainsFunc(mine, func(a policy.AuthMethod) bool {
		return slices.ContainsFunc(theirs, func(b policy.AuthMethod) bool {
			switch {
			case (a.XAuth == nil) != (b.XAuth == nil) || a.XAuth != nil && a.XAuth.Asks == b.XAuth.Asks:
				return false
			case a.RootCA != "" && b.RootCA != "":
				return cmp.Or(a.By, ike.RSASignature) == cmp.Or(b.By, ike.RSASignature) && listed([]string{a.RootCA}, b.RootCA)
			}
			return a.RootCA == b.RootCA && a.Kerberos == b.Kerberos && a.PreSharedKey == b.PreSharedKey
		})
	})
}

// begins reports whether a tunnel begins at an address: the one for the other direction ends there.
func (a start) begins(f policy.SpecificFilter, local netip.Addr) bool {
	return slices.ContainsFunc(a.filters, func(g policy.SpecificFilter) bool {
		return g.TunnelEnd == local && g.Selector == f.Selector.Reverse()
	})
}

// decided is what a filter selects of the outbound traffic between two addresses, if it
// decides about all of that.
func (a start) decided(f policy.SpecificFilter, local, remote netip.Addr) (ipsec.Selector, bool) {
	s := f.Selector
	if s.Src.IsValid() && !s.Src.Contains(local) || s.Dst.IsValid() && !s.Dst.Contains(remote) {
		return s, false
	}
	s.Src, s.Dst = ipsec.Host(local), ipsec.Host(remote)
	if a.compiled.Exempts(ipsec.Outbound, s) {
		return s, false
	}
	if i, ok := a.outbound.holder(s); ok {
		g := &a.filters[i]
		return s, g.Rule == f.Rule && g.Filter == f.Filter
	}
	return s, false
}

// authenticates is the rule whose authentication is taken between two addresses.
func (a start) authenticates(local, remote netip.Addr) (rule int, ok bool) {
	for _, f := range a.filters {
		between := has(f.Selector, local, remote) || has(f.Selector, remote, local)
		if f.Tunnel() {
			between = f.TunnelEnd == remote
		}
		if f.Kind == policy.Negotiate && (f.Outbound || f.Inbound) && between {
			return f.Rule, true
		}
	}
	return 0, false
}

// has reports whether a selector has packets from src to dst.
func has(s ipsec.Selector, src, dst netip.Addr) bool {
	return (!s.Src.IsValid() || s.Src.Contains(src)) && (!s.Dst.IsValid() || s.Dst.Contains(dst))
}

// quickModes compares the methods of a filter with those that the other side accepts.
func (l *linter) quickModes(a, b start, f policy.SpecificFilter, theirs ike.QuickMode, said map[[3]string]bool) {
	action := a.Rules[f.Rule].Action
	meet := slices.ContainsFunc(action.Methods, func(m ipsec.Proposal) bool {
		return slices.ContainsFunc(theirs.Proposals, func(o ipsec.Proposal) bool { return slices.Equal(m.Transforms, o.Transforms) })
	})
	switch at := a.at(f); {
	case !meet && once(said, quickModesDoNotMeet, at.String(), theirs.Rule):
		l.report(quickModesDoNotMeet, at.ref(RuleAction), "rule %s on %s and rule %s on %s have no security method in common: %s, and %s",
			at, a.host.Name, theirs.Rule, b.host.Name, methodNames(action.Methods), methodNames(theirs.Proposals))
	case meet && theirs.PFS && !action.PFS:
		l.report(pfsOneSided, at.ref(RuleAction), "rule %s on %s has no perfect forward secrecy, and rule %s on %s refuses what comes without",
			at, a.host.Name, theirs.Rule, b.host.Name)
	}
}

func mainModeNames(m ike.MainMode) string {
	var names []string
	for _, p := range m.Proposals {
		names = append(names, mainModeName(p))
	}
	return strings.Join(names, " ")
}

func methodNames(methods []ipsec.Proposal) string {
	var names []string
	for _, m := range methods {
		name, _, _ := strings.Cut(methodName(m), ":") // lifetimes are no matter of agreement
		names = append(names, name)
	}
	return strings.Join(names, " ")
}
