package netsh

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Dynamic is what dynamic commands have put into the policy database. It is gone when
// the policy agent stops; how it goes with the static policy is the agent's.
type Dynamic struct {
	MainModes  []*MMPolicy
	QuickModes []*QMPolicy
	Rules      []*DynamicRule
}

// MMPolicy is a main-mode policy.
type MMPolicy struct {
	Name             string
	MainMode         policy.MainMode
	SoftSAExpiration time.Duration // softsaexpirationtime; 0: not given
}

// QMPolicy is a quick-mode policy.
type QMPolicy struct {
	Name    string
	Methods []ipsec.Proposal
	PFS     bool
	Soft    bool
}

// DynamicRule is a rule, which its filter, its connections and its tunnel tell from others.
type DynamicRule struct {
	Filter      policy.Filter
	Tunnel      netip.Addr
	Connections policy.ConnectionType
	MainMode    *MMPolicy
	QuickMode   *QMPolicy // nil: DefaultSecurityMethods
	Inbound     policy.Kind
	Outbound    policy.Kind
	Auth        []policy.AuthMethod // none: Kerberos
}

// Name is what verdicts call the rule: dynamic rules have no names, so it is the filter.
func (r *DynamicRule) Name() string {
	name := "dynamic " + r.Filter.String()
	if r.Connections != policy.AllConnections {
		name += ", " + r.Connections.String()
	}
	if r.Tunnel.IsValid() {
		name += ", tunnel " + r.Tunnel.String()
	}
	return name
}

func (d *Dynamic) mainMode(name string) *MMPolicy {
	return named(d.MainModes, name, func(p *MMPolicy) string { return p.Name })
}

func (d *Dynamic) quickMode(name string) *QMPolicy {
	return named(d.QuickModes, name, func(p *QMPolicy) string { return p.Name })
}

// Policies are the dynamic rules as policies: one for each main-mode policy that rules
// have, under its name and in the order in which they were made, since the main-mode
// settings are those of a policy there. A rule whose actions differ by direction
// becomes two, each with a filter for one way.
func (d *Dynamic) Policies() (all []*policy.Policy) {
	for _, m := range d.MainModes {
		p := &policy.Policy{Name: m.Name, MainMode: m.MainMode}
		p.MainMode.Proposals = slices.Clone(m.MainMode.Proposals)
		for _, r := range d.Rules {
			if r.MainMode == m {
				p.Rules = append(p.Rules, r.rules()...)
			}
		}
		if len(p.Rules) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// rules are the rules of package policy that do the same.
func (r *DynamicRule) rules() (all []policy.Rule) {
	rule := func(name string, f policy.Filter, kind policy.Kind) {
		action := policy.FilterAction{Name: name, Kind: kind}
		if kind == policy.Negotiate {
			if q := r.QuickMode; q != nil {
				action.Methods, action.PFS, action.Soft = clones(q.Methods), q.PFS, q.Soft
			} else {
				action.Methods = DefaultSecurityMethods()
			}
		}
		all = append(all, policy.Rule{
			Name: name, Filters: policy.FilterList{Name: name, Filters: []policy.Filter{f}}, Action: action,
			Auth: slices.Clone(r.Auth), Tunnel: r.Tunnel, Connections: r.Connections,
		})
	}
	if r.Inbound == r.Outbound {
		rule(r.Name(), r.Filter, r.Outbound)
		return all
	}
	there, back := r.Filter, r.Filter
	there.Mirrored, back.Mirrored = false, false
	back.Source, back.Destination, back.SourcePort, back.DestinationPort = there.Destination, there.Source, there.DestinationPort, there.SourcePort
	first, second := r.Outbound, r.Inbound
	if r.Filter.Destination.IsMe() {
		first, second = second, first
	}
	rule(r.Name(), there, first)
	if r.Filter.Mirrored {
		rule(r.Name()+", mirror image", back, second)
	}
	return all
}

func addMMPolicy(s *session, a *args) error {
	d := &s.store.Dynamic
	p := &MMPolicy{Name: a.name("name")}
	if d.mainMode(p.Name) != nil {
		a.fail("name", "there is a main-mode policy %q already", p.Name)
	}
	if a.mmPolicy(p); a.err != nil {
		return a.err
	}
	d.MainModes = append(d.MainModes, p)
	return nil
}

func setMMPolicy(s *session, a *args) error {
	p := s.store.Dynamic.mainMode(a.name("name"))
	if p == nil {
		return a.refuse("name", "there is no main-mode policy %q", a.text("name"))
	}
	next := *p
	if a.mmPolicy(&next); a.err != nil {
		return a.err
	}
	*p = next
	return nil
}

func (a *args) mmPolicy(p *MMPolicy) {
	if a.has("qmpermm") {
		p.MainMode.QuickModes = a.number("qmpermm", 0, 1<<31-1)
	}
	if a.has("mmlifetime") {
		p.MainMode.Lifetime = a.minutes("mmlifetime")
	}
	if a.has("mmsecmethods") {
		p.MainMode.Proposals = a.mainModeMethods()
	}
	if a.has("softsaexpirationtime") {
		p.SoftSAExpiration = time.Duration(a.number("softsaexpirationtime", 1, 1<<31-1)) * time.Second
		a.note("softsaexpirationtime is kept and has no effect: soft SAs end as the settings of the host say")
	}
}

func addQMPolicy(s *session, a *args) error {
	d := &s.store.Dynamic
	p := &QMPolicy{Name: a.name("name"), Methods: DefaultSecurityMethods()}
	if d.quickMode(p.Name) != nil {
		a.fail("name", "there is a quick-mode policy %q already", p.Name)
	}
	if a.qmPolicy(p); a.err != nil {
		return a.err
	}
	d.QuickModes = append(d.QuickModes, p)
	return nil
}

func setQMPolicy(s *session, a *args) error {
	p := s.store.Dynamic.quickMode(a.name("name"))
	if p == nil {
		return a.refuse("name", "there is no quick-mode policy %q", a.text("name"))
	}
	next := *p
	if a.qmPolicy(&next); a.err != nil {
		return a.err
	}
	*p = next
	return nil
}

func (a *args) qmPolicy(p *QMPolicy) {
	p.Soft = a.yes("soft", p.Soft)
	if a.has("pfsgroup") {
		switch a.word("pfsgroup", "", "grp1", "grp2", "grp3", "grpmm", "nopfs") {
		case "grpmm":
			p.PFS = true
		case "nopfs":
			p.PFS = false
		case "grp1", "grp2", "grp3":
			a.fail("pfsgroup", "unsupported: pfsgroup: a group other than that of the main mode: write GRPMM or NOPFS")
		}
	}
	if a.has("qmsecmethods") {
		p.Methods = a.securityMethods()
	}
}

func deleteMMPolicy(s *session, a *args) error {
	d := &s.store.Dynamic
	left, err := remove(a, "main-mode policy", d.MainModes, d.mainMode, func(p *MMPolicy) string { return p.Name },
		func(p *MMPolicy) string { return d.users(func(r *DynamicRule) bool { return r.MainMode == p }) })
	d.MainModes = left
	return err
}

func deleteQMPolicy(s *session, a *args) error {
	d := &s.store.Dynamic
	left, err := remove(a, "quick-mode policy", d.QuickModes, d.quickMode, func(p *QMPolicy) string { return p.Name },
		func(p *QMPolicy) string { return d.users(func(r *DynamicRule) bool { return r.QuickMode == p }) })
	d.QuickModes = left
	return err
}

// users are the first rule that something is in use by, in words; "" for none.
func (d *Dynamic) users(uses func(*DynamicRule) bool) string {
	for _, r := range d.Rules {
		if uses(r) {
			return "the rule for " + r.Filter.String()
		}
	}
	return ""
}

func deleteDynamic(s *session, _ *args) error {
	s.store.Dynamic = Dynamic{}
	return nil
}

func deleteSA(_ *session, a *args) error {
	a.note("a script that is read in has no SAs to delete")
	return nil
}

func addDynamicRule(s *session, a *args) error {
	d := &s.store.Dynamic
	r := &DynamicRule{
		Filter: a.filter(true), Tunnel: a.tunnel("tunneldstaddress"), Connections: a.connections(), Inbound: policy.Negotiate, Outbound: policy.Negotiate,
	}
	if a.dynamicRule(d, r); a.err != nil {
		return a.err
	}
	for _, other := range d.Rules {
		if other.same(r) {
			return refuse(a.at, "there is a rule for %s already", r.Filter)
		}
	}
	d.Rules = append(d.Rules, r)
	return nil
}

// same reports whether nothing tells two rules apart.
func (r *DynamicRule) same(other *DynamicRule) bool {
	return key(r.Filter) == key(other.Filter) && r.Tunnel == other.Tunnel && r.Connections == other.Connections
}

// dynamicRule reads what a rule does.
func (a *args) dynamicRule(d *Dynamic, r *DynamicRule) {
	if a.has("mmpolicy") {
		if r.MainMode = d.mainMode(a.name("mmpolicy")); r.MainMode == nil {
			a.fail("mmpolicy", "there is no main-mode policy %q", a.text("mmpolicy"))
		}
	}
	if a.has("qmpolicy") {
		if r.QuickMode = d.quickMode(a.name("qmpolicy")); r.QuickMode == nil {
			a.fail("qmpolicy", "there is no quick-mode policy %q", a.text("qmpolicy"))
		}
	}
	if a.has("actioninbound") {
		r.Inbound = a.kind("actioninbound")
	}
	if a.has("actionoutbound") {
		r.Outbound = a.kind("actionoutbound")
	}
	if r.Inbound != r.Outbound && r.Filter.Source.IsMe() == r.Filter.Destination.IsMe() {
		option := "actionoutbound"
		if !a.has(option) {
			option = "actioninbound"
		}
		a.fail(option, "unsupported: %s: two actions in a rule without me at one end: what is inbound is not known from the rule", option)
	}
	if auth, stated := a.auth(); stated {
		r.Auth = auth
		if len(auth) == 0 && (r.Inbound == policy.Negotiate || r.Outbound == policy.Negotiate) {
			a.fail("kerberos", "kerberos=no leaves the rule without a way to authenticate: give it psk or rootca")
		}
	}
}

// chosen are the rules that a command is for: those that have all that it gives.
func (a *args) chosen(d *Dynamic) (all []*DynamicRule) {
	f, tunnel, connections := a.filter(false), a.tunnel("tunneldstaddress"), a.connections()
	if a.err != nil {
		return nil
	}
	for _, r := range d.Rules {
		if a.selects(f, r.Filter) && (!a.has("tunneldstaddress") || tunnel == r.Tunnel) && (!a.has("conntype") || connections == r.Connections) {
			all = append(all, r)
		}
	}
	if all == nil {
		a.err = refuse(a.at, "there is no such rule")
	}
	return all
}

func setDynamicRule(s *session, a *args) error {
	d := &s.store.Dynamic
	chosen := a.chosen(d)
	next := make([]DynamicRule, len(chosen))
	for i, r := range chosen {
		next[i] = *r
		a.dynamicRule(d, &next[i])
	}
	if a.err != nil {
		return a.err
	}
	for i, r := range chosen {
		*r = next[i]
	}
	return nil
}

func deleteDynamicRule(s *session, a *args) error {
	d := &s.store.Dynamic
	chosen := a.chosen(d)
	if a.err != nil {
		return a.err
	}
	d.Rules = slices.DeleteFunc(d.Rules, func(r *DynamicRule) bool { return slices.Contains(chosen, r) })
	return nil
}
