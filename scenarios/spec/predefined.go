package spec

import "slices"

// What Windows brings along as examples (TechNet cc780497) is there in each scenario under
// these names, unless the file gives a name to something of its own. Package hosts/policy
// has their contents; here is what checks need to know of them.
var (
	predefinedPolicies = map[string][]string{ // with the names of their rules
		"client-respond-only":            nil,
		"server-request-security":        {"all-ip-traffic", "all-icmp-traffic"},
		"secure-server-require-security": {"all-ip-traffic", "all-icmp-traffic"},
	}
	predefinedLists   = []string{"all-icmp-traffic", "all-ip-traffic"}
	predefinedActions = map[string]string{ // with their words
		"permit":           ActionPermit,
		"request-security": ActionNegotiate,
		"require-security": ActionNegotiate,
	}
)

// ruleDefaultResponse is what verdicts call the default response rule of a policy.
const ruleDefaultResponse = "default response"

// PredefinedRules are the names of the rules of a predefined policy; ok is false if it is none.
func PredefinedRules(policy string) (rules []string, ok bool) {
	rules, ok = predefinedPolicies[policy]
	return slices.Clone(rules), ok
}

// own reports whether the file has something of that name; then there is no predefined one.
func own[V any](m map[string]V, name string) bool {
	_, ok := m[name]
	return ok
}

// policyNames are all names that an assignment may use.
func (s *Scenario) policyNames() []string {
	return union(sorted(s.Policies), sorted(predefinedPolicies))
}

func (s *Scenario) filterListNames() []string { return union(sorted(s.FilterLists), predefinedLists) }

func (s *Scenario) filterActionNames() []string {
	return union(sorted(s.FilterActions), sorted(predefinedActions))
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// actionOf is the action of a filter action by name, the file's or a predefined one: permit, block or negotiate.
func (s *Scenario) actionOf(name string) string {
	if own(s.FilterActions, name) {
		return s.FilterActions[name].Action
	}
	return predefinedActions[name]
}

// ruleLabels are what verdicts may call the rules of a policy.
func (s *Scenario) ruleLabels(policy string) (labels []string) {
	p, mine := s.Policies[policy]
	if !mine {
		return append(slices.Clone(predefinedPolicies[policy]), ruleDefaultResponse)
	}
	labels = slices.Clone(predefinedPolicies[p.Predefined])
	for _, r := range p.Rules {
		labels = append(labels, r.Label())
	}
	if p.Responds() {
		labels = append(labels, ruleDefaultResponse)
	}
	return labels
}

// AssignedPolicies are the names of the policies that hosts get, at the start, by a step or
// from a store.
func (s *Scenario) AssignedPolicies() (names []string) {
	add := func(name string) {
		if name != "" && name != PolicyNone {
			names = append(names, name)
		}
	}
	for _, host := range sorted(s.Assignments) {
		add(s.Assignments[host])
	}
	for _, host := range sorted(s.Persistent) {
		add(s.Persistent[host])
	}
	for _, name := range sorted(s.Nodes) {
		n := s.Nodes[name]
		for _, service := range n.Serves {
			names = append(names, service.Policies...)
		}
		if n.IPsec != nil && n.IPsec.PolicySource != nil {
			add(n.IPsec.PolicySource.Policy)
		}
	}
	for _, step := range s.Steps {
		if a := step.AssignPolicy; a != nil {
			add(a.Policy)
		}
		if p := step.StorePolicy; p != nil {
			add(p.Policy)
			add(p.As)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// PredefinedInUse are the predefined policies that hosts get as they are.
func (s *Scenario) PredefinedInUse() (names []string) {
	for _, name := range s.AssignedPolicies() {
		if _, ok := predefinedPolicies[name]; ok && !own(s.Policies, name) {
			names = append(names, name)
		}
	}
	return names
}

// assigned checks the name of a policy that a host is to get. The predefined ones
// authenticate by Kerberos.
func (c *checker) assigned(path, key, name string, more ...string) {
	if !c.defined(path, key, name, "policy", "$.policies", append(c.s.policyNames(), more...)) {
		return
	}
	if _, ok := predefinedPolicies[name]; ok && !own(c.s.Policies, name) && c.s.KerberosStandIn == "" && !c.unknown("$.policies") {
		c.at(child(path, key), "%s: policy %s authenticates by Kerberos, and there is no domain: give the scenario kerberos-stand-in: SECRET, "+
			"or make a policy with predefined: %s and authentication: [{psk: SECRET}]", key, name, name)
	}
}

// predefined checks what a policy makes of a predefined one.
func (c *checker) predefined(path, name string, p Policy) {
	if p.Predefined == "" {
		if len(p.Auth) > 0 {
			c.key(child(path, "authentication"), "authentication: it is for the rules of a predefined policy, and policy %s names none: rules have their own", name)
		}
		return
	}
	known := sorted(predefinedPolicies)
	if !slices.Contains(known, p.Predefined) {
		c.at(child(path, "predefined"), "predefined: no predefined policy is called %q%s", shorten(p.Predefined), Suggest(p.Predefined, known))
		return
	}
	// Whatever of it negotiates needs authentication: its rules, and its default response rule.
	c.authentication(path, "policy "+name, p.Auth, true)
}
