package scenarios

import (
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

// LintOptions are what a scenario does not say of its policies.
type LintOptions struct {
	Domain bool // they come from the directory, and are no local policies
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
	in := &lint.Input{
		Lists: slices.Sorted(maps.Keys(s.FilterLists)), Actions: slices.Sorted(maps.Keys(s.FilterActions)),
		Where: func(r lint.Ref) lint.Position {
			m := s.Errorf(partPath(s, policies, r), "")
			return lint.Position{File: m.File, Line: m.Line, Column: m.Column}
		},
	}
	assigned := map[string][]string{}
	for host, name := range s.Assignments {
		assigned[host] = []string{name}
	}
	for _, step := range s.Steps {
		if a := step.AssignPolicy; a != nil && !a.Unassigns() {
			assigned[a.Host] = append(assigned[a.Host], a.Policy)
		}
	}
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		in.Hosts = append(in.Hosts, lintHost(s, name, assigned[name]))
		for _, p := range assigned[name] {
			used[p] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		in.Policies = append(in.Policies, lint.Policy{Policy: policies[name], Domain: o.Domain, Assigned: used[name]})
	}
	return lint.Lint(in), nil
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
func lintHost(s *spec.Scenario, name string, policies []string) lint.Host {
	n := s.Nodes[name]
	h := lint.Host{
		Name: name, Addrs: s.NodeAddrs(name), Options: optionsOf(s, n), Policy: s.Assignments[name], Policies: policies,
		NoDefaultExempt: n.Settings().DefaultExempt(),
	}
	for _, v := range n.Serves {
		switch {
		case v.TCP != 0:
			h.Serves = append(h.Serves, lint.Service{Protocol: ipsec.ProtoTCP, Port: uint16(v.TCP)})
		case v.UDP != 0:
			h.Serves = append(h.Serves, lint.Service{Protocol: ipsec.ProtoUDP, Port: uint16(v.UDP)})
		}
	}
	return h
}

// partPath is the path in the file of a part of the policies.
func partPath(s *spec.Scenario, policies map[string]*policy.Policy, r lint.Ref) string {
	whole := "$.policies." + r.Policy
	rule := fmt.Sprintf("%s.rules[%d]", whole, r.Rule)
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
	case lint.HostIPv6:
		return "$.nodes." + r.Name + ".ipsec.ipv6"
	case lint.FilterList:
		return "$.filter-lists." + r.Name
	case lint.FilterAction:
		return "$.filter-actions." + r.Name
	}
	return whole
}
