package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/profile"
)

// An operating system that does not know all offers of a policy leaves out those that it
// does not know. Windows says so with one of these numbers (MS-ERREF) when the policy is
// added; Windows 2000 and XP leave out the 2048-bit group like that (MS-GPIPSEC 2.2.1.2; C070).
const (
	MainModePruned  = 13024 // WARNING_IPSEC_MM_POLICY_PRUNED
	QuickModePruned = 13025 // WARNING_IPSEC_QM_POLICY_PRUNED
)

// Pruned are offers that a policy names and the operating system of a host does not know.
type Pruned struct {
	Code   int      // MainModePruned or QuickModePruned
	Where  string   // "main mode", or the rule
	Offers []string // in the form of netsh, where it has one
}

// String is the warning for people.
func (p Pruned) String() string {
	return fmt.Sprintf("%d: offers of %s are not known here and left out: %s", p.Code, p.Where, strings.Join(p.Offers, " "))
}

// Pruned are the offers that the policy names and that were left out of it on this host.
func (c *Compiled) Pruned() []Pruned { return c.pruned }

// system is what an operating system makes of policies. Without a profile it knows
// everything but the first generation of AH and ESP, which takes a setting.
type system struct {
	*profile.Profile
	firstGeneration bool
}

// knows reports whether a system has a word; one of which nothing is known has all.
func knows[T comparable](known []T, word T) bool {
	return len(known) == 0 || slices.Contains(known, word)
}

// knowsMainMode reports whether the system can make an offer of main mode.
func (s system) knowsMainMode(p ike.MainModeProposal) bool {
	return s.Profile == nil || knows(s.MainModeCiphers, spell(p.Cipher, mainModeCiphers)) &&
		knows(s.MainModeHashes, spell(p.Hash, mainModeHashes)) && knows(s.MainModeGroups, p.Group)
}

// knowsMethod reports whether the system can make an offer of quick mode.
func (s system) knowsMethod(p ipsec.Proposal) bool {
	return !slices.ContainsFunc(p.Transforms, func(t ipsec.Transform) bool { return !s.knowsTransform(t) })
}

func (s system) knowsTransform(t ipsec.Transform) bool {
	switch {
	case old(t):
		return s.firstGeneration && (s.Profile == nil || knows(s.Protocols, t.Protocol.String()))
	case s.Profile == nil:
		return true
	case t.ESN && !s.ExtendedSequence:
		return false
	}
	integrity := t.Auth == "" || knows(s.Integrity, spell(t.Auth, ahAuths))
	return knows(s.Protocols, t.Protocol.String()) && integrity && (t.Protocol != ipsec.ESP || knows(s.ESPCiphers, spell(t.Cipher, espCiphers)))
}

// defaults gives a policy's main mode what the system has where the policy says nothing.
func (s system) defaults(m MainMode) MainMode {
	if s.Profile == nil {
		return m
	}
	if len(m.Proposals) == 0 {
		for _, word := range s.MainModeDefault {
			if p, err := ParseMainModeMethod(word); err == nil { // a test reads those of all profiles
				m.Proposals = append(m.Proposals, p)
			}
		}
	}
	if m.Lifetime == 0 {
		m.Lifetime = s.MainModeLifetime
	}
	if m.QuickModes == 0 {
		m.QuickModes = s.MainModeQuickModes
	}
	return m
}

// mainModes are the offers of main mode that the system knows, and the others.
func (s system) mainModes(all []ike.MainModeProposal) (known []ike.MainModeProposal, others []string) {
	for _, p := range all {
		if s.knowsMainMode(p) {
			known = append(known, p)
			continue
		}
		text, ok := FormatMainModeMethod(p)
		if !ok {
			text = fmt.Sprintf("%s/%s/%d", p.Cipher, p.Hash, p.Group)
		}
		others = append(others, text)
	}
	return known, others
}

// methods are the security methods that the system knows, and the others.
func (s system) methods(all []ipsec.Proposal) (known []ipsec.Proposal, others []string) {
	for _, p := range all {
		if s.knowsMethod(p) {
			known = append(known, p)
			continue
		}
		text, ok := FormatSecurityMethod(p)
		if !ok {
			text = p.String()
		}
		text, _, _ = strings.Cut(text, ":") // without the lifetime
		others = append(others, text)
	}
	return known, others
}

// prune leaves out of a policy what the system does not know, and notes what the policy
// names of it: defaults are the lab's, and nobody misses them. check has seen to it that
// something is left.
func (c *Compiled) prune(s system, p *Policy) {
	warn := func(code int, where string, named int, offers []string) {
		if named > 0 && len(offers) > 0 {
			c.pruned = append(c.pruned, Pruned{Code: code, Where: where, Offers: offers})
		}
	}
	if s.Profile != nil {
		named := len(p.MainMode.Proposals)
		p.MainMode = s.defaults(p.MainMode)
		var others []string
		p.MainMode.Proposals, others = s.mainModes(p.MainMode.proposals())
		warn(MainModePruned, "main mode", named, others)
	}
	for i := range p.Rules {
		if a := &p.Rules[i].Action; a.Kind == Negotiate {
			named := len(a.Methods)
			var others []string
			a.Methods, others = s.methods(a.Methods)
			warn(QuickModePruned, "rule "+p.Rules[i].Name, named, others)
		}
	}
	if d := p.DefaultResponse; d != nil {
		named := len(d.Methods)
		var others []string
		d.Methods, others = s.methods(d.methods())
		warn(QuickModePruned, DefaultResponseName, named, others)
	}
}

// system finds what of a policy an operating system cannot do at all.
func (c *checker) system(s system) {
	if s.Profile == nil {
		c.generation(s)
		return
	}
	if !s.IPsec {
		c.policyf("%s does not know IPsec", s.Title)
		return
	}
	main := s.defaults(c.policy.MainMode)
	known, others := s.mainModes(main.proposals())
	switch {
	case len(known) == 0:
		c.policyf("%s knows none of the offers of main mode: %s", s.Title, strings.Join(others, " "))
	case s.MainModeOffers > 0 && len(known) > s.MainModeOffers:
		c.policyf("%s makes at most %d offer of main mode, and the policy has %d", s.Title, s.MainModeOffers, len(known))
	}
	for i, r := range c.policy.Rules {
		if !r.Inactive {
			c.systemRule(s, i, r)
		}
	}
	if d := c.policy.DefaultResponse; d != nil {
		if !s.DefaultResponse {
			c.policyf("%s has no default response rule", s.Title)
		} else if reason := s.unusable("the default response rule", d.methods(), d.Auth); reason != "" {
			c.policyf("%s", reason)
		}
	}
}

// generation finds rules that a host of which nothing is known cannot use: it may lack the
// first generation of AH and ESP alone.
func (c *checker) generation(s system) {
	for i, r := range c.policy.Rules {
		if r.Inactive || r.Action.Kind != Negotiate || len(r.Action.Methods) == 0 {
			continue
		}
		if known, others := s.methods(r.Action.Methods); len(known) == 0 {
			c.rulef(i, "filter action %q has methods of the first generation of AH and ESP alone, which the host does not know (first-generation): %s",
				r.Action.Name, strings.Join(others, " "))
		}
	}
}

// unusable says why the system cannot negotiate with these; "" when it can.
func (s system) unusable(who string, methods []ipsec.Proposal, auth []AuthMethod) string {
	if known, others := s.methods(methods); len(known) == 0 {
		return fmt.Sprintf("%s knows none of the security methods of %s: %s", s.Title, who, strings.Join(others, " "))
	}
	for _, a := range effective(auth) {
		if word := a.word(); !knows(s.Authentication, word) {
			return fmt.Sprintf("%s cannot authenticate by %s, as %s wants; it has %s", s.Title, a, who, strings.Join(s.Authentication, " and "))
		}
		if a.XAuth != nil && !s.XAuth {
			return fmt.Sprintf("%s has no XAUTH, as %s wants", s.Title, who)
		}
	}
	return ""
}

func (c *checker) systemRule(s system, i int, r Rule) {
	a := r.Action
	mode := "transport"
	if r.Tunnel.IsValid() {
		mode = "tunnel"
	}
	switch {
	case a.Kind != Negotiate:
		c.systemPermit(s, i, r)
	case !knows(s.Modes, mode):
		c.rulef(i, "%s has no %s mode", s.Title, mode)
	case a.Soft && !s.FallBack:
		c.rulef(i, "%s cannot fall back to clear, as filter action %q has it", s.Title, a.Name)
	case a.InPass && !s.InboundPassthrough:
		c.rulef(i, "%s cannot accept unsecured communication and answer with IPsec, as filter action %q has it", s.Title, a.Name)
	default:
		if reason := s.unusable(fmt.Sprintf("filter action %q", a.Name), a.Methods, r.Auth); reason != "" {
			c.rulef(i, "%s", reason)
		}
	}
	for n, f := range r.Filters.Filters {
		switch {
		case (f.Source.IsMe() || f.Destination.IsMe()) && !s.MyAddress:
			c.filterf(i, n, "%s has no \"me\" in filters: name the address (%s)", s.Title, f)
		case !f.Mirrored && !r.Tunnel.IsValid() && !s.OneWayFilters:
			c.filterf(i, n, "%s has mirrored filters alone (%s)", s.Title, f)
		case (f.Source.ServerKind() != 0 || f.Destination.ServerKind() != 0) && !s.ServerFilters:
			c.filterf(i, n, "%s has no filters for the servers that it is told to use (%s)", s.Title, f)
		}
	}
}

// systemPermit checks the authentication of a rule that permits or blocks. On Windows
// 2000 and XP it has to be that of the rules that negotiate; the user interface of
// Server 2003 does not ask for it (C122). Left out it is Kerberos, there as elsewhere.
func (c *checker) systemPermit(s system, i int, r Rule) {
	if !s.AuthenticationOnPermit {
		return
	}
	var others []string
	for _, other := range c.policy.Rules {
		if other.Inactive || other.Action.Kind != Negotiate {
			continue
		}
		if slices.Equal(effective(other.Auth), effective(r.Auth)) {
			return
		}
		others = append(others, other.Name)
	}
	if len(others) > 0 {
		c.rulef(i, "on %s rules that permit or block need the authentication of those that negotiate, and this one has another than %s: give it the same",
			s.Title, strings.Join(others, " and "))
	}
}

// effective are the authentication methods as written; none is Kerberos.
func effective(auth []AuthMethod) []AuthMethod { return usable(auth, "") }

// word is how profiles call the method.
func (a AuthMethod) word() string {
	switch {
	case a.Kerberos:
		return "kerberos"
	case a.RootCA == "":
		return "psk"
	}
	return map[ike.AuthMethod]string{
		ike.RSASignature: "certificates", ike.DSSSignature: "dss-signature",
		ike.RSAEncryption: "rsa-encryption", ike.RevisedRSAEncryption: "revised-rsa-encryption",
	}[a.by()]
}
