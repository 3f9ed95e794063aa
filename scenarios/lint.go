package scenarios

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/lint"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Finding is what a rule of package hosts/policy/lint found in a policy.
type Finding = lint.Finding

// Severity is how bad a finding is.
type Severity = lint.Severity

// The severities, in rising order.
const (
	SeverityInfo    = lint.Info
	SeverityWarning = lint.Warning
	SeverityError   = lint.Error
)

// LintOptions are what a scenario does not say of its policies.
type LintOptions struct {
	Domain bool // all of them come from the directory, not only those that hosts fetch from a policy server
}

// Lint reviews the policies of a scenario with what it says of its hosts. Nothing is run.
// Mistakes in the scenario are an error.
func Lint(s *spec.Scenario, o LintOptions) ([]Finding, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	policies, err := policiesOf(s)
	if err != nil {
		return nil, err
	}
	scripts := placesOf(s)
	in := &lint.Input{
		Lists: slices.Sorted(maps.Keys(s.FilterLists)), Actions: slices.Sorted(maps.Keys(s.FilterActions)),
		Where: func(r lint.Ref) lint.Position {
			if script, ok := scripts[r.Policy]; ok {
				r.Policy = script.name
				return scriptPosition(script.places, r)
			}
			m := s.Errorf(partPath(s, policies, r), "")
			return lint.Position{File: m.File, Line: m.Line, Column: m.Column}
		},
	}
	lintCertificates(s, in)
	used, fetched := map[string]bool{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		h := lintHost(s, name)
		in.Hosts = append(in.Hosts, h)
		for _, p := range h.Policies {
			used[p] = true
		}
		for _, p := range fetchedPolicies(s, name) {
			fetched[p] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		in.Policies = append(in.Policies, lint.Policy{Policy: policies[name], Domain: o.Domain || fetched[name], Assigned: used[name]})
	}
	return lint.Lint(in), nil
}

// firstPolicy is the policy that a host starts with, where several are in force the one
// that other computers deal with first: the directory's goes before a local one.
func firstPolicy(s *spec.Scenario, host string) string {
	source := ""
	if p := s.Nodes[host].Settings().PolicySource; p != nil {
		source = p.Policy
	}
	return cmp.Or(source, s.Assignments[host], s.Persistent[host])
}

// policiesFor are the names of all policies that a host gets, in the course of time and
// from wherever.
func policiesFor(s *spec.Scenario, host string) (all []string) {
	add := func(name string) {
		if name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	add(s.Assignments[host])
	add(s.Persistent[host])
	for _, name := range fetchedPolicies(s, host) {
		add(name)
	}
	server := slices.ContainsFunc(s.Nodes[host].Serves, func(v spec.Service) bool { return len(v.Policies) > 0 })
	for _, step := range s.Steps {
		if a := step.AssignPolicy; a != nil && a.Host == host && !a.Unassigns() {
			add(a.Policy)
		}
		if a := step.StorePolicy; a != nil && a.Host == host && !server { // what a policy server stores is for others
			add(a.Policy)
		}
	}
	return all
}

// fetchedPolicies are the names of the policies that a host gets from a policy server.
func fetchedPolicies(s *spec.Scenario, host string) (all []string) {
	source := s.Nodes[host].Settings().PolicySource
	if source == nil {
		return nil
	}
	all = append(all, source.Policy)
	server, _ := s.NodeOf(host, source.Server)
	for _, step := range s.Steps {
		if a := step.StorePolicy; a != nil && a.Host == server && a.Name() == source.Policy {
			all = append(all, a.Policy)
		}
	}
	return all
}

// LintPolicy reviews a policy of which nothing is known but what it says, such as a
// predefined one. Findings have no places.
func LintPolicy(p *policy.Policy, o LintOptions) []Finding {
	return lint.Lint(&lint.Input{Policies: []lint.Policy{{Policy: p, Domain: o.Domain, Assigned: true}}})
}

// LintAll is Lint for all cells of a file, as LoadAll gives them. What several cells
// have at one place is found once, as the first of them has it; a policy or a list that
// one cell uses is used.
func LintAll(cells []*spec.Scenario, o LintOptions) ([]Finding, error) {
	var found [][]Finding
	for _, s := range cells {
		f, err := Lint(s, o)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return lint.Merge(found), nil
}

// lintHost is what lint has to know of a node.
func lintHost(s *spec.Scenario, name string) lint.Host {
	n := s.Nodes[name]
	settings := n.Settings()
	system, ok := n.Profile()
	bootModes := !ok || system.BootFiltering // else there is nothing to set
	h := lint.Host{
		Name: name, Addrs: s.NodeAddrs(name), Options: optionsOf(s, n), Policy: firstPolicy(s, name), Policies: policiesFor(s, name),
		NoIPsec: settings.NoIKE, Router: n.Router(),
		Dynamic:         dynamic(s, name),
		NoDefaultExempt: settings.DefaultExempt(),
		Certificates:    lintStore(s, name),
		OpenAtBoot:      bootModes && settings.BootMode == spec.BootPermit && (s.Persistent[name] == "" || settings.PersistentSince() == spec.FromAgent),
	}
	for _, v := range n.Serves {
		switch {
		case v.TCP != 0:
			h.Serves = append(h.Serves, lint.Service{Protocol: ipsec.ProtoTCP, Port: uint16(v.TCP)})
		case v.DHCP != nil:
			h.Serves = append(h.Serves, lint.Service{Protocol: ipsec.ProtoUDP, Port: 67})
		case v.UDP != 0:
			h.Serves = append(h.Serves, lint.Service{Protocol: ipsec.ProtoUDP, Port: uint16(v.UDP)})
		}
	}
	return h
}

// dynamic reports whether a node has other addresses in the course of time.
func dynamic(s *spec.Scenario, name string) bool {
	byDHCP := slices.ContainsFunc(s.Nodes[name].Interfaces, func(i spec.Interface) bool { return i.Unnumbered() })
	return byDHCP || slices.ContainsFunc(s.Steps, func(step spec.Step) bool { return step.SetAddress != nil && step.SetAddress.Node == name })
}
