package scenarios

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/lint"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// partPath is the path in the file of a part of the policies.
func partPath(s *spec.Scenario, policies map[string]*policy.Policy, r lint.Ref) string {
	switch r.Part {
	case lint.HostAssignment:
		if _, ok := s.Assignments[r.Name]; ok {
			return spec.Child("$.assignments", r.Name)
		}
		return spec.Child("$.nodes", r.Name)
	case lint.HostNoDefaultExempt:
		return spec.Child("$.nodes", r.Name) + ".ipsec.no-default-exempt"
	case lint.HostBootMode:
		return spec.Child("$.nodes", r.Name) + ".ipsec.boot-mode"
	case lint.HostIPv6:
		return spec.Child("$.nodes", r.Name) + ".ipsec.ipv6"
	case lint.HostCertificates:
		return spec.Child("$.nodes", r.Name) + ".certificates"
	case lint.IssuedAuthority:
		return spec.Child("$.pki.authorities", r.Name)
	case lint.IssuedCertificate:
		return spec.Child("$.pki.certificates", r.Name)
	case lint.FilterList:
		return spec.Child("$.filter-lists", r.Name)
	case lint.FilterAction:
		return spec.Child("$.filter-actions", r.Name)
	}
	if _, ok := s.Policies[r.Policy]; !ok {
		return predefinedPath(s, r.Policy)
	}
	return policyPath(s, policies[r.Policy], r)
}

// policyPath is the path of a part of a policy of the file.
func policyPath(s *spec.Scenario, p *policy.Policy, r lint.Ref) string {
	whole := spec.Child("$.policies", r.Policy)
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
		if d := s.Policies[r.Policy].DefaultResponse; d == nil || len(d.Auth) == 0 { // that of the predefined policy
			return fmt.Sprintf("%s.authentication[%d]", whole, r.Index)
		}
		return fmt.Sprintf("%s.default-response.authentication[%d]", whole, r.Index)
	case lint.WholePolicy:
		return whole
	}
	return rulePath(s, p, r, whole)
}

// rulePath is the path of a part of a rule. The rules of a predefined policy stand
// before those that the file adds.
func rulePath(s *spec.Scenario, p *policy.Policy, r lint.Ref, whole string) string {
	inherited, _ := spec.PredefinedRules(s.Policies[r.Policy].Predefined)
	rule := fmt.Sprintf("%s.rules[%d]", whole, r.Rule-len(inherited))
	if r.Rule < len(inherited) {
		rule = whole + ".predefined"
	}
	action := func(key string) string {
		name := p.Rules[r.Rule].Action.Name
		if _, ok := s.FilterActions[name]; !ok {
			return rule
		}
		return spec.Child("$.filter-actions", name) + key
	}
	switch r.Part {
	case lint.RuleAuth:
		if r.Rule < len(inherited) {
			return fmt.Sprintf("%s.authentication[%d]", whole, r.Index)
		}
		return fmt.Sprintf("%s.authentication[%d]", rule, r.Index)
	case lint.RuleTunnel:
		return rule + ".tunnel"
	case lint.RuleConnections:
		return rule + ".connections"
	case lint.RuleActive:
		return rule + ".active"
	case lint.RuleFilter:
		name := p.Rules[r.Rule].Filters.Name
		if _, ok := s.FilterLists[name]; !ok {
			return rule
		}
		return fmt.Sprintf("%s[%d]", spec.Child("$.filter-lists", name), r.Index)
	case lint.RuleAction:
		return action("")
	case lint.ActionMethod:
		return action(fmt.Sprintf(".security-methods[%d]", r.Index))
	case lint.ActionPFS:
		return action(".pfs")
	case lint.ActionSoft:
		return action(".soft")
	}
	return rule
}

// predefinedPath is where a host first gets a predefined policy as it is.
func predefinedPath(s *spec.Scenario, name string) string {
	for _, host := range slices.Sorted(maps.Keys(s.Assignments)) {
		if s.Assignments[host] == name {
			return spec.Child("$.assignments", host)
		}
	}
	for i, step := range s.Steps {
		if a := step.AssignPolicy; a != nil && a.Policy == name {
			return fmt.Sprintf("$.steps[%d].assign-policy.policy", i)
		}
	}
	return "$"
}
