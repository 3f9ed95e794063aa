package policy

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Error is one mistake in a policy. Compile reports all of them, joined.
type Error struct {
	Policy string
	Rule   int    // index in Policy.Rules; -1: the mistake is not in a rule
	Name   string // of the rule
	Filter int    // index in the rule's filter list; -1: the mistake is not in a filter
	Reason string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("policy: %q: ", e.Policy)
	if e.Rule >= 0 {
		s += fmt.Sprintf("rule %d (%q): ", e.Rule+1, e.Name)
	}
	if e.Filter >= 0 {
		s += fmt.Sprintf("filter %d: ", e.Filter+1)
	}
	return s + e.Reason
}

// checker collects the mistakes of one policy.
type checker struct {
	policy       *Policy
	kerberos     bool // a preshared key stands in for it
	certificates bool // the host has a store of them
	errs         []error
}

func (c *checker) policyf(format string, args ...any) {
	c.errs = append(c.errs, &Error{Policy: c.policy.Name, Rule: -1, Filter: -1, Reason: fmt.Sprintf(format, args...)})
}

func (c *checker) rulef(rule int, format string, args ...any) { c.filterf(rule, -1, format, args...) }

func (c *checker) filterf(rule, filter int, format string, args ...any) {
	c.errs = append(c.errs, &Error{
		Policy: c.policy.Name, Rule: rule, Name: c.policy.Rules[rule].Name, Filter: filter, Reason: fmt.Sprintf(format, args...),
	})
}

// check finds what is wrong with a policy for a host with these addresses.
func check(p *Policy, local []netip.Addr, o Options) error {
	c := &checker{policy: p, kerberos: o.KerberosKey != "", certificates: o.Certificates != nil}
	if p.Name == "" {
		c.policyf("the policy has no name")
	}
	c.local(local)
	c.mainMode()
	names := map[string]int{}
	for i, r := range p.Rules {
		if first, ok := names[r.Name]; ok && r.Name != "" {
			c.rulef(i, "rule %d has the same name: rename one of them", first+1)
		} else {
			names[r.Name] = i
		}
		c.rule(i, r)
	}
	c.defaultResponse()
	c.system(system{o.System, o.FirstGeneration})
	return errors.Join(c.errs...)
}

func (c *checker) local(local []netip.Addr) {
	seen := map[netip.Addr]bool{}
	for _, a := range local {
		switch {
		case !a.IsValid() || a == netip.IPv6Unspecified() || a.IsMulticast(): // 0.0.0.0 is "this host": RFC 1122, Section 3.2.1.3
			c.policyf("%s is not the address of a host", a)
		case a.Is4In6() || a.Zone() != "":
			c.policyf("%s is an address of the host in another form: write it as it stands in packets", a)
		case seen[a]:
			c.policyf("address %s of the host is given twice", a)
		}
		seen[a] = true
	}
}

func (c *checker) mainMode() {
	m := c.policy.MainMode
	switch {
	case m.Lifetime < 0 || m.Lifetime%time.Second != 0:
		c.policyf("main-mode lifetime %s is not a number of whole seconds", m.Lifetime)
	case m.Lifetime/time.Second > math.MaxUint32:
		c.policyf("main-mode lifetime %s does not fit the 32 bits of seconds that IKE sends", m.Lifetime)
	}
	if p := c.policy.Polling; p < 0 || p%time.Second != 0 {
		c.policyf("polling interval %s is not a number of whole seconds", p)
	}
	if m.QuickModes < 0 {
		c.policyf("%d quick modes per main mode: the number is 0 (unlimited) or more", m.QuickModes)
	}
	for i, p := range m.Proposals {
		cipher := suite.CipherNamed(p.Cipher)
		switch {
		case cipher == nil || !cipher.CBC():
			c.policyf("main-mode proposal %d: unsupported: encryption %q", i+1, p.Cipher)
		case suite.HashNamed(p.Hash) == nil:
			c.policyf("main-mode proposal %d: unsupported: hash %q", i+1, p.Hash)
		case suite.GroupNumbered(p.Group) == nil:
			c.policyf("main-mode proposal %d: unsupported: group %d", i+1, p.Group)
		}
	}
}

func (c *checker) rule(i int, r Rule) {
	if r.Name == "" {
		c.rulef(i, "the rule has no name")
	}
	if len(r.Filters.Filters) == 0 {
		c.rulef(i, "filter list %q is empty: the rule would select nothing", r.Filters.Name)
	}
	c.action(i, r)
	c.tunnel(i, r)
	if r.Connections > RemoteAccess {
		c.rulef(i, "its connections are none of all, lan and dialup")
	}
	seen := map[Filter]int{}
	for n, f := range r.Filters.Filters {
		c.filter(i, n, f)
		f.Description = ""
		if first, ok := seen[f]; ok {
			c.filterf(i, n, "it repeats filter %d (%s)", first+1, f)
		} else {
			seen[f] = n
		}
	}
}

func (c *checker) action(i int, r Rule) {
	a := r.Action
	switch a.Kind {
	case Permit, Block:
		if len(a.Methods) > 0 || a.PFS {
			c.rulef(i, "filter action %q is %s, which has neither security methods nor perfect forward secrecy", a.Name, a.Kind)
		}
		if a.InPass || a.Soft {
			c.rulef(i, "filter action %q is %s: inbound passthrough and fall back to clear are for negotiate", a.Name, a.Kind)
		}
		return
	case Negotiate:
	default:
		c.rulef(i, "filter action %q is none of permit, block and negotiate", a.Name)
		return
	}
	if len(a.Methods) == 0 {
		c.rulef(i, "filter action %q negotiates without a security method: add one, such as ESP[3DES,SHA1]", a.Name)
	}
	for n, m := range a.Methods {
		if reason := unsupportedMethod(m); reason != "" {
			c.rulef(i, "security method %d of filter action %q: unsupported: %s", n+1, a.Name, reason)
		}
	}
	if !r.Inactive {
		if reason := c.unsupportedAuth(r.Auth); reason != "" {
			c.rulef(i, "%s", reason)
		}
	}
}

// unsupportedAuth says why authentication methods cannot be used; "" when they can.
func (c *checker) unsupportedAuth(auth []AuthMethod) string {
	keys := 0
	for _, a := range auth {
		set := 0
		for _, is := range []bool{a.Kerberos, a.RootCA != "", a.PreSharedKey != ""} {
			if is {
				set++
			}
		}
		switch {
		case set == 0:
			return "the preshared key is empty"
		case set > 1:
			return "an authentication method is one of a preshared key, Kerberos and a certificate, not several"
		case a.Kerberos && a.XAuth != nil:
			return "unsupported: Kerberos with XAUTH, which has no number for it"
		case a.RootCA != "":
			if reason := c.unusableCA(a); reason != "" {
				return reason
			}
		case a.Kerberos && !c.kerberos:
			return "unsupported: it authenticates by Kerberos, and there is no domain: " + otherThanKerberos
		default:
			keys++
		}
	}
	switch {
	case keys > 1:
		// Main mode needs the key before it learns which of them the peer has (RFC 2409, Section 5.4).
		return fmt.Sprintf("unsupported: %d preshared keys, one that stands in for Kerberos included; supported: one per rule", keys)
	case len(auth) == 0 && !c.kerberos:
		return "unsupported: without an authentication method of its own it authenticates by Kerberos, and there is no domain: " + otherThanKerberos
	}
	return ""
}

const otherThanKerberos = "add a preshared key or a certificate, or a key that stands in for Kerberos"

// unusableCA says why a method by certificates cannot be used; "" when it can.
func (c *checker) unusableCA(a AuthMethod) string {
	name, err := pki.ParseName(a.RootCA)
	if err == nil {
		_, err = name.Marshal()
	}
	switch {
	case err != nil:
		return fmt.Sprintf("root authority %q: %v", a.RootCA, err)
	case !c.certificates:
		return "unsupported: authentication by certificates, and the host has no store of them"
	case !a.by().Signature() && !a.by().Encryption():
		return fmt.Sprintf("unsupported: authentication by %v with a certificate", a.by())
	}
	return ""
}

// tunnel checks what a rule with a tunnel cannot have.
func (c *checker) tunnel(i int, r Rule) {
	switch t := r.Tunnel; {
	case t == netip.Addr{}:
	case t.IsUnspecified() || t.IsMulticast() || t.Is4In6() || t.Zone() != "":
		c.rulef(i, "its tunnel cannot end at %s: it takes the address of a host", t)
	case r.Action.Kind != Negotiate:
		c.rulef(i, "a tunnel needs a filter action that negotiates, and %q is %s", r.Action.Name, r.Action.Kind)
	case r.Action.InPass || r.Action.Soft:
		c.rulef(i, "unsupported: a tunnel with filter action %q: inbound passthrough and fall back to clear are for transport mode", r.Action.Name)
	}
}

func (c *checker) defaultResponse() {
	d := c.policy.DefaultResponse
	if d == nil {
		return
	}
	for n, m := range d.methods() {
		if reason := unsupportedMethod(m); reason != "" {
			c.policyf("security method %d of the default response rule: unsupported: %s", n+1, reason)
		}
	}
	if reason := c.unsupportedAuth(d.Auth); reason != "" {
		c.policyf("default response rule: %s", reason)
	}
}

// unsupportedMethod says why a proposal cannot be used; "" when it can.
func unsupportedMethod(p ipsec.Proposal) string {
	t := p.Transforms
	both := len(t) == 2 && t[0].Protocol == ipsec.ESP && t[1].Protocol == ipsec.AH
	if !both && (len(t) != 1 || t[0].Protocol != ipsec.ESP && t[0].Protocol != ipsec.AH) {
		return p.String() + " is not ESP, AH, or ESP inside AH"
	}
	if p.Mode != ipsec.Transport {
		return p.Mode.String() + " mode"
	}
	for _, t := range t {
		if why := unsupportedTransform(t, both); why != "" {
			return why
		}
	}
	switch {
	case p.Lifetime.Duration < 0 || p.Lifetime.Duration%time.Second != 0:
		return fmt.Sprintf("a lifetime of %s: it is sent in whole seconds", p.Lifetime.Duration)
	case p.Lifetime.Duration/time.Second > math.MaxUint32 || p.Lifetime.Kilobytes > math.MaxUint32:
		return "a lifetime beyond the 32 bits that IKE sends"
	}
	return ""
}

func unsupportedTransform(t ipsec.Transform, both bool) string {
	auth := suite.AuthNamed(t.Auth)
	integrity := auth != nil
	for _, algorithm := range []string{t.Cipher, t.Auth} {
		if why := ike.Unnumbered(algorithm); why != "" {
			return why
		}
	}
	if t.ESN && old(t) {
		return "extended sequence numbers where packets have no number"
	}
	if t.Protocol == ipsec.AH {
		switch {
		case t.Cipher != "":
			return fmt.Sprintf("AH with encryption %q", t.Cipher)
		case !integrity:
			return fmt.Sprintf("integrity %q", t.Auth)
		}
		return ""
	}
	cipher := suite.CipherNamed(t.Cipher)
	switch {
	case cipher == nil:
		return fmt.Sprintf("encryption %q", t.Cipher)
	case cipher.AEAD() && t.Auth != "":
		return fmt.Sprintf("encryption %q with integrity of its own and %q", t.Cipher, t.Auth)
	case integrity && !auth.ForESP():
		return fmt.Sprintf("integrity %q in ESP", t.Auth)
	case alone(t.Cipher) && integrity:
		return fmt.Sprintf("encryption %q, which takes no integrity, and %q", t.Cipher, t.Auth)
	case alone(t.Cipher) || integrity:
		return ""
	case t.Auth == "" && both && cipher.CBC():
		return "" // AH has the integrity
	}
	return fmt.Sprintf("integrity %q", t.Auth)
}

func (c *checker) filter(rule, n int, f Filter) {
	bad := false
	for _, end := range []struct {
		name string
		a    Address
	}{{"source", f.Source}, {"destination", f.Destination}} {
		switch {
		case end.a.kind == 0:
			bad = true
			c.filterf(rule, n, "it has no %s: use Me, Any, Host or Subnet", end.name)
		case end.a.kind == addressPrefix && !end.a.prefix.IsValid():
			bad = true
			c.filterf(rule, n, "the %s is not an address", end.name)
		case end.a.kind == addressName && end.a.name == "":
			bad = true
			c.filterf(rule, n, "the %s is a DNS name and empty", end.name)
		case end.a.kind == addressServers && (end.a.servers == 0 || end.a.servers > DefaultGateways):
			bad = true
			c.filterf(rule, n, "the %s is no kind of servers", end.name)
		}
	}
	if bad {
		return
	}
	a, b := f.Source, f.Destination
	v4, v6 := a.is4() || b.is4(), a.is6() || b.is6()
	switch {
	case v4 && v6:
		c.filterf(rule, n, "source %s and destination %s are of different address families", a, b)
	case v4 && f.Protocol == ipsec.ProtoICMPv6:
		c.filterf(rule, n, "it is for IPv4 addresses, and its protocol is icmpv6: write icmp")
	case v6 && f.Protocol == ipsec.ProtoICMP:
		c.filterf(rule, n, "it is for IPv6 addresses, and its protocol is icmp: write icmpv6")
	}
	if (f.SourcePort != 0 || f.DestinationPort != 0) && !ipsec.HasPorts(f.Protocol) {
		c.filterf(rule, n, "it names a port, but its protocol is %s: ports need tcp or udp", ipsec.ProtoName(f.Protocol))
	}
}
