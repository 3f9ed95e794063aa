package scenarios_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy/lint"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// How to mend a finding names what to change in the scenario file, by keys that it has.
func TestLintFixesNameKeys(t *testing.T) {
	schema, err := spec.Schema()
	require.NoError(t, err)
	quoted := regexp.MustCompile("`([^`]*)`")
	for _, r := range lint.Rules() {
		words := quoted.FindAllStringSubmatch(r.Fix, -1)
		require.NotEmpty(t, words, "%s: %s", r.ID, r.Fix)
		for _, w := range words {
			key, _, _ := strings.Cut(w[1], ":")
			require.Contains(t, string(schema), `"`+key+`":`, "%s: %s", r.ID, r.Fix)
		}
	}
	require.Contains(t, lint.RuleNamed("exempt-kerberos").Fix, "`no-default-exempt: 3`")
}
