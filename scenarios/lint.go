package scenarios

import (
	"cmp"
	"fmt"
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
	server, _ := s.NodeOf(source.Server)
	for _, step := range s.Steps {
		if a := step.StorePolicy; a != nil && a.Host == server && a.Name() == source.Policy {
			all = append(all, a.Policy)
		}
	}
	return all
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
		Dynamic:         dynamic(s, name),
		NoDefaultExempt: settings.DefaultExempt(),
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

// givenAt is where a host gets a policy that is not in the file: a predefined one.
func givenAt(s *spec.Scenario, policy string) string {
	for _, host := range slices.Sorted(maps.Keys(s.Assignments)) {
		if s.Assignments[host] == policy {
			return "$.assignments." + host
		}
	}
	for i, step := range s.Steps {
		if a := step.AssignPolicy; a != nil && a.Policy == policy {
			return fmt.Sprintf("$.steps[%d].assign-policy", i)
		}
	}
	return "$"
}

// partPath is the path in the file of a part of the policies.
func partPath(s *spec.Scenario, policies map[string]*policy.Policy, r lint.Ref) string {
	whole := "$.policies." + r.Policy
	written, ok := s.Policies[r.Policy]
	if !ok && r.Policy != "" {
		return givenAt(s, r.Policy)
	}
	base, _ := spec.PredefinedRules(written.Predefined) // which come first
	rule := fmt.Sprintf("%s.rules[%d]", whole, r.Rule-len(base))
	if r.Rule < len(base) {
		rule = whole + ".predefined"
	}
	action := func(key string) string {
		name := policies[r.Policy].Rules[r.Rule].Action.Name
		if _, ok := s.FilterActions[name]; !ok {
			return rule
		}
		return "$.filter-actions." + name + key
	}
	switch r.Part {
	case lint.MainModeSettings:
		return whole + ".main-mode"
	case lint.MainModeLifetime:
		return whole + ".main-mode.lifetime"
	case lint.MainModeMethod:
		return fmt.Sprintf("%s.main-mode.security-methods[%d]", whole, r.Index)
	case lint.DefaultResponseRule:
		return whole + ".default-response"
	case lint.DefaultResponseMethod:
		return fmt.Sprintf("%s.default-response.security-methods[%d]", whole, r.Index)
	case lint.DefaultResponseAuth:
		return fmt.Sprintf("%s.default-response.authentication[%d]", whole, r.Index)
	case lint.WholeRule:
		return rule
	case lint.RuleAuth:
		return fmt.Sprintf("%s.authentication[%d]", rule, r.Index)
	case lint.RuleTunnel:
		return rule + ".tunnel"
	case lint.RuleConnections:
		return rule + ".connections"
	case lint.RuleActive:
		return rule + ".active"
	case lint.RuleFilter:
		name := policies[r.Policy].Rules[r.Rule].Filters.Name
		if _, ok := s.FilterLists[name]; !ok {
			return rule
		}
		return fmt.Sprintf("$.filter-lists.%s[%d]", name, r.Index)
	case lint.RuleAction:
		return action("")
	case lint.ActionMethod:
		return action(fmt.Sprintf(".security-methods[%d]", r.Index))
	case lint.ActionPFS:
		return action(".pfs")
	case lint.ActionSoft:
		return action(".soft")
	case lint.HostAssignment:
		if _, ok := s.Assignments[r.Name]; ok {
			return "$.assignments." + r.Name
		}
		return "$.nodes." + r.Name
	case lint.HostNoDefaultExempt:
		return "$.nodes." + r.Name + ".ipsec.no-default-exempt"
	case lint.HostBootMode:
		return "$.nodes." + r.Name + ".ipsec.boot-mode"
	case lint.HostIPv6:
		return "$.nodes." + r.Name + ".ipsec.ipv6"
	case lint.FilterList:
		return "$.filter-lists." + r.Name
	case lint.FilterAction:
		return "$.filter-actions." + r.Name
	}
	return whole
}
