package spec

import "fmt"

// RuleAt is where a rule of a policy is written, as file:line; empty for one that is in
// no file.
func (s *Scenario) RuleAt(policy string, rule int) string {
	p, ok := s.Policies[policy]
	switch rule -= len(predefinedPolicies[p.Predefined]); { // whose rules come first
	case !ok || rule >= len(p.Rules):
		return ""
	case rule < 0:
		return s.placeOf(child("$.policies", policy) + ".predefined")
	}
	return s.placeOf(item(child("$.policies", policy)+".rules", rule))
}

// FilterAt is where a filter of a filter list is written, likewise.
func (s *Scenario) FilterAt(list string, filter int) string {
	if filter >= len(s.FilterLists[list]) {
		return ""
	}
	return s.placeOf(item(child("$.filter-lists", list), filter))
}

func (s *Scenario) placeOf(path string) string {
	line := s.Line(path)
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", s.File(), line)
}
