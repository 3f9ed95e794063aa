package spec

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// The names that the scenario file knows are those of package policy, and mean the same.
func TestPredefinedNames(t *testing.T) {
	policies, lists, actions := sorted(predefinedPolicies), predefinedLists, sorted(predefinedActions)
	require.ElementsMatch(t, policy.PredefinedPolicies(), policies)
	require.ElementsMatch(t, policy.PredefinedFilterLists(), lists)
	require.ElementsMatch(t, policy.PredefinedFilterActions(), actions)
	for _, name := range policies {
		p, ok := policy.Predefined(name)
		require.True(t, ok, name)
		var rules []string
		for _, r := range p.Rules {
			rules = append(rules, r.Name)
		}
		want, ok := PredefinedRules(name)
		require.True(t, ok)
		require.Equal(t, want, rules, name)
	}
	for _, name := range lists {
		_, ok := policy.PredefinedFilterList(name)
		require.True(t, ok, name)
	}
	for _, name := range actions {
		a, ok := policy.PredefinedFilterAction(name)
		require.True(t, ok, name)
		require.Equal(t, predefinedActions[name], a.Kind.String(), name)
	}
}
