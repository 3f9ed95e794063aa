package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// scripted makes a policy out of its script. A line that is refused is a mistake of the
// scenario: netsh would go on, and the host would have another policy than the one that
// the script was written for.
func scripted(s *spec.Scenario, name string, p spec.Policy) (*policy.Policy, []error) {
	path := spec.Child("$.policies", name)
	store := &netsh.Store{}
	file := s.ScriptFile(p)
	result := store.Run(netsh.Script{Name: file, Text: p.Script})
	var mistakes []error
	for _, l := range result.Lines {
		switch {
		case l.Outcome == netsh.Refused:
			mistakes = append(mistakes, scriptError(file, p.Script, l, l.Reason))
		case l.Command == "ipsec dynamic set config":
			mistakes = append(mistakes, scriptError(file, p.Script, l, "it configures a host, and this script makes a policy: use the settings of the host"))
		}
	}
	if mistakes != nil {
		return nil, mistakes
	}
	found, reason := chosen(store, p.From, name)
	if reason != "" {
		at := path + ".netsh"
		if p.From != "" {
			at = path + ".policy"
		}
		return nil, []error{s.Errorf(at, "%s: %s", p.Netsh, reason)}
	}
	found.Name = name // what everything in the scenario calls it
	return found, nil
}

func scriptError(file, text string, l netsh.Line, reason string) *spec.Error {
	if l.Command != "" {
		reason = l.Command + ": " + reason
	}
	return spec.ErrorIn(file, text, l.Line, l.Column, "%s", reason)
}

// chosen is the policy of a store that is meant: the one that is named, the one that has
// the scenario's own name for it, the only one that is assigned, or the only one. The
// name of a main-mode policy is that of its dynamic rules.
func chosen(store *netsh.Store, name, own string) (*policy.Policy, string) {
	var all, assigned []*policy.Policy
	for _, c := range []*netsh.Container{&store.Local, &store.Persistent} {
		for _, n := range c.Names() {
			all = append(all, c.Policy(n))
		}
		if p := c.Assigned(); p != nil {
			assigned = append(assigned, p)
		}
	}
	all = append(all, store.Dynamic.Policies()...)
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	if name != "" {
		i := slices.IndexFunc(all, func(p *policy.Policy) bool { return strings.EqualFold(p.Name, name) })
		if i < 0 {
			return nil, fmt.Sprintf("it makes no policy %q%s", name, spec.Suggest(name, names))
		}
		return all[i], ""
	}
	i := slices.IndexFunc(all, func(p *policy.Policy) bool { return p.Name == own })
	switch {
	case len(all) == 0:
		return nil, "it makes no policy"
	case i >= 0:
		return all[i], ""
	case len(all) == 1:
		return all[0], ""
	case len(assigned) == 1 && len(store.Dynamic.Policies()) == 0:
		return assigned[0], ""
	}
	return nil, fmt.Sprintf("it makes several policies: say which one is meant with policy: one of %s", strings.Join(names, ", "))
}

// labelsOf are the names of a policy's rules as verdicts give them.
func labelsOf(p *policy.Policy) (labels []string) {
	for _, r := range p.Rules {
		labels = append(labels, r.Name)
	}
	if p.DefaultResponse != nil {
		labels = append(labels, policy.DefaultResponseName)
	}
	return labels
}

// unknownRules are the mistakes in the rules that a scenario expects of policies that
// scripts make, or steps that run netsh: made. Those of other policies spec knows by itself.
func unknownRules(s *spec.Scenario, policies map[string]*policy.Policy, made map[string][]string) (mistakes []error) {
	for i, step := range s.Steps {
		if step.Expect == nil || step.Expect.Rule == nil {
			continue
		}
		for _, end := range []struct{ key, name string }{{"from", step.Expect.Rule.From}, {"to", step.Expect.Rule.To}} {
			name, label, ok := strings.Cut(end.name, "/")
			p := policies[name]
			if !ok {
				continue
			}
			labels := slices.Clone(made[name])
			if p != nil {
				labels = append(labels, labelsOf(p)...)
			}
			for _, step := range s.Steps {
				if as := step.StorePolicy; as != nil && as.Name() == name && policies[as.Policy] != nil {
					labels = append(labels, labelsOf(policies[as.Policy])...)
				}
			}
			if _, ok := made[name]; p == nil && !ok {
				mistakes = append(mistakes, s.Errorf(fmt.Sprintf("$.steps[%d].expect.rule.%s", i, end.key), "%s: no policy is called %q", end.key, name))
			} else if !slices.Contains(labels, label) {
				mistakes = append(mistakes, s.Errorf(fmt.Sprintf("$.steps[%d].expect.rule.%s", i, end.key),
					"%s: policy %s has no rule called %q%s", end.key, name, label, spec.Suggest(label, labels)))
			}
		}
	}
	return mistakes
}
