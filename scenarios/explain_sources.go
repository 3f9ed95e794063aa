package scenarios

import (
	"fmt"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// sources know where the filters of a scenario's policies are written: in its file, or
// in the script that makes a policy.
type sources struct {
	spec    *spec.Scenario
	scripts scriptPlaces
	stored  map[storedPolicy]bool
}

func sourcesOf(s *spec.Scenario, stored map[storedPolicy]bool) sources {
	return sources{s, placesOf(s), stored}
}

// fill says where a host's matches are written, as file:line. Once a step has stored
// another policy under a name, it is open which of them is in force.
func (s sources) fill(host string, matches []policy.Match) {
	for i := range matches {
		m := &matches[i]
		if p := m.Place; p.Policy != "" && !s.stored[storedPolicy{host, p.Policy}] {
			m.RuleSource, m.FilterSource = s.of(p)
		}
	}
}

// predefinedInWindows is where those stand that no file holds.
const predefinedInWindows = "predefined in Windows"

func (s sources) of(p policy.Place) (rule, filter string) {
	script, ok := s.scripts[p.Policy]
	if !ok {
		rule, filter = s.spec.RuleAt(p.Policy, p.Rule), s.spec.FilterAt(p.List, p.Filter)
		if own, ok := s.spec.Policies[p.Policy]; !ok || own.Predefined != "" {
			rule = predefinedInWindows
		}
		if _, ok := s.spec.FilterLists[p.List]; !ok {
			filter = predefinedInWindows
		}
		return rule, filter
	}
	at := func(l netsh.Line, ok bool) string {
		if !ok {
			return ""
		}
		return fmt.Sprintf("%s:%d", l.File, l.Line)
	}
	return at(script.places.Rule(script.name, p.Rule)), at(script.places.Filter(script.name, p.Rule, p.Filter))
}
