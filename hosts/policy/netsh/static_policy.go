package netsh

import (
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

func addPolicy(s *session, a *args) error {
	name := a.name("name")
	c := s.store.current()
	if c.policyNamed(name) != nil {
		a.fail("name", "there is a policy %q already", name)
	}
	p := &Policy{Name: name}
	p.Default.Active = true
	if a.policy(p); a.err != nil {
		return a.err
	}
	c.Policies = append(c.Policies, p)
	if p.Assigned {
		c.assign(p)
	}
	return nil
}

func setPolicy(s *session, a *args) error {
	if a.has("gponame") {
		return a.unsupported("gponame", "group policy objects: there is no domain")
	}
	c := s.store.current()
	p, err := pick(a, "policy", c.existingPolicy)
	if err != nil {
		return err
	}
	next := *p
	next.Name = a.rename(p.Name)
	if other := c.policyNamed(next.Name); other != nil && other != p {
		a.fail("newname", "there is a policy %q already", next.Name)
	}
	if a.policy(&next); a.err != nil {
		return a.err
	}
	*p = next
	if p.Assigned {
		c.assign(p)
	}
	return nil
}

// policy reads what a policy has beside its rules.
func (a *args) policy(p *Policy) {
	if a.has("description") {
		p.Description = a.text("description")
	}
	if a.has("qmpermm") {
		p.MainMode.QuickModes = a.number("qmpermm", 0, 1<<31-1)
	}
	if a.has("mmpfs") {
		switch pfs := a.yes("mmpfs", false); {
		case pfs && a.has("qmpermm") && p.MainMode.QuickModes != 1:
			// Master key PFS is one quick mode per main mode (MS-GPIPSEC 2.2.1.2).
			a.note("qmpermm is ignored: mmpfs=yes is one quick mode per main mode")
			p.MainMode.QuickModes = 1
		case pfs:
			p.MainMode.QuickModes = 1
		case p.MainMode.QuickModes == 1 && !a.has("qmpermm"):
			p.MainMode.QuickModes = 0
		}
	}
	if a.has("mmlifetime") {
		p.MainMode.Lifetime = a.minutes("mmlifetime")
	}
	if a.has("pollinginterval") {
		p.Polling = a.minutes("pollinginterval")
	}
	if a.has("mmsecmethods") {
		p.MainMode.Proposals = a.mainModeMethods()
	}
	p.Default.Active = a.yes("activatedefaultrule", p.Default.Active)
	p.Assigned = a.yes("assign", p.Assigned)
}

// deletePolicy deletes policies with their rules. One that is assigned is no longer.
func deletePolicy(s *session, a *args) error {
	c := s.store.current()
	left, err := remove(a, "policy", c.Policies, c.policyNamed, func(p *Policy) string { return p.Name }, func(*Policy) string { return "" })
	c.Policies = left
	return err
}

// deleteEverything empties the location.
func deleteEverything(s *session, _ *args) error {
	*s.store.current() = Container{}
	return nil
}

// policyOf is the policy that an option names.
func (a *args) policyOf(c *Container) *Policy {
	p := c.existingPolicy(a.name("policy"))
	if p == nil {
		a.fail("policy", "there is no policy %q", a.text("policy"))
	}
	return p
}

func addRule(s *session, a *args) error {
	c := s.store.current()
	r := &Rule{Name: a.name("name"), Description: a.text("description")}
	p := a.policyOf(c)
	if p != nil && p.rule(r.Name) != nil {
		a.fail("name", "policy %q has a rule %q already", p.Name, r.Name)
	}
	if a.rule(c, r); a.err != nil {
		return a.err
	}
	p.Rules = append(p.Rules, r)
	return nil
}

func setRule(s *session, a *args) error {
	c := s.store.current()
	p, r := a.ruleOf(c)
	if a.err != nil {
		return a.err
	}
	next := *r
	next.Name = a.rename(r.Name)
	if other := p.rule(next.Name); other != nil && other != r {
		a.fail("newname", "policy %q has a rule %q already", p.Name, next.Name)
	}
	if a.has("description") {
		next.Description = a.text("description")
	}
	if a.rule(c, &next); a.err != nil {
		return a.err
	}
	*r = next
	return nil
}

// ruleOf is the rule that a command is for.
func (a *args) ruleOf(c *Container) (*Policy, *Rule) {
	p := a.policyOf(c)
	switch {
	case a.has("id"):
		a.fail("id", "unsupported: id: how rules are numbered is not published: name the rule")
	case !a.has("name"):
		a.fail("name", "name= is missing")
	}
	if a.err != nil {
		return nil, nil
	}
	r := p.rule(a.text("name"))
	if r == nil {
		a.fail("name", "policy %q has no rule %q", p.Name, a.text("name"))
	}
	return p, r
}

// rule reads what a rule joins.
func (a *args) rule(c *Container, r *Rule) {
	if a.has("filterlist") {
		if r.Filters = c.existingList(a.name("filterlist")); r.Filters == nil {
			a.fail("filterlist", "there is no filter list %q", a.text("filterlist"))
		}
	}
	if a.has("filteraction") {
		if r.Action = c.existingAction(a.name("filteraction")); r.Action == nil {
			a.fail("filteraction", "there is no filter action %q", a.text("filteraction"))
		}
	}
	if a.has("tunnel") {
		r.Tunnel = a.tunnel("tunnel")
	}
	if a.has("conntype") {
		r.Connections = a.connections()
	}
	r.Inactive = !a.yes("activate", !r.Inactive)
	if auth, stated := a.auth(); stated {
		r.Auth = auth // all are replaced by those that are stated
		if len(auth) == 0 && r.Action != nil && r.Action.Kind == policy.Negotiate {
			a.fail("kerberos", "kerberos=no leaves the rule without a way to authenticate: give it psk or rootca")
		}
	}
}

func deleteRule(s *session, a *args) error {
	c := s.store.current()
	p := a.policyOf(c)
	if a.err != nil {
		return a.err
	}
	if a.has("all") && !a.has("name") && !a.has("id") {
		p.Rules = nil
		return nil
	}
	_, r := a.ruleOf(c)
	if a.err != nil {
		return a.err
	}
	p.Rules = slices.DeleteFunc(p.Rules, func(x *Rule) bool { return x == r })
	return nil
}

// setDefaultRule changes the default response rule of a policy.
func setDefaultRule(s *session, a *args) error {
	p := a.policyOf(s.store.current())
	if p == nil {
		return a.err
	}
	next := p.Default
	next.PFS = a.yes("qmpfs", next.PFS)
	next.Active = a.yes("activate", next.Active)
	if a.has("qmsecmethods") {
		next.Methods = a.securityMethods()
	}
	if auth, stated := a.auth(); stated {
		if next.Auth = auth; len(auth) == 0 {
			a.fail("kerberos", "kerberos=no leaves the rule without a way to authenticate: give it psk or rootca")
		}
	}
	if a.err != nil {
		return a.err
	}
	p.Default = next
	return nil
}

// setStore chooses the location that static commands change.
func setStore(s *session, a *args) error {
	location := a.word("location", "", "local", "persistent", "domain")
	if a.err != nil {
		return a.err
	}
	s.store.inDomain, s.store.persistent = location == "domain", location == "persistent"
	switch {
	case location == "domain": // what follows must not end up elsewhere
		return a.unsupported("location", "the store of a domain: there is no domain. What follows is refused until set store location=local")
	case a.has("domain"):
		return a.refuse("domain", "domain= is for location=domain")
	}
	return nil
}

// setBatch has netsh collect changes and make them all at once. What comes of them is
// the same, and here nobody looks at the store in between.
func setBatch(s *session, a *args) error {
	mode := a.word("mode", "", "enable", "disable")
	if a.err != nil {
		return a.err
	}
	s.store.batch = mode == "enable"
	return nil
}
