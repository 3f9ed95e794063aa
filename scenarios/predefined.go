package scenarios

import (
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// addPredefined puts the filter lists and filter actions of Windows beside those of a
// file, which keep their names.
func addPredefined(lists map[string]policy.FilterList, actions map[string]policy.FilterAction) {
	for _, name := range policy.PredefinedFilterLists() {
		if _, ok := lists[name]; !ok {
			lists[name], _ = policy.PredefinedFilterList(name)
		}
	}
	for _, name := range policy.PredefinedFilterActions() {
		if _, ok := actions[name]; !ok {
			actions[name], _ = policy.PredefinedFilterAction(name)
		}
	}
}

// predefinedPolicy is a policy of Windows. As on a computer, where rules refer to shared
// objects, it has the filter list or action that the file has given one of those names.
// A name that spec refuses makes an empty policy.
func predefinedPolicy(name string, lists map[string]policy.FilterList, actions map[string]policy.FilterAction) *policy.Policy {
	p, ok := policy.Predefined(name)
	if !ok {
		return &policy.Policy{Name: name}
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		r.Filters, r.Action = lists[r.Filters.Name], actions[r.Action.Name]
	}
	return p
}

// authenticate gives the rules of a predefined policy other authentication than Kerberos.
func authenticate(p *policy.Policy, auth []policy.AuthMethod) {
	if len(auth) == 0 {
		return
	}
	for i := range p.Rules {
		p.Rules[i].Auth = slices.Clone(auth) // also of those that permit: Windows 2000 and XP want it the same (C122)
	}
	if p.DefaultResponse != nil {
		p.DefaultResponse.Auth = slices.Clone(auth)
	}
}
