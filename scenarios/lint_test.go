package scenarios_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/lint"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

var updateLint = flag.Bool("lint.update", false, "write what lint finds in the bad policies anew")

const (
	badPolicies  = "testdata/lint/bad"
	goodPolicies = "testdata/lint/good"
)

// lintText reviews a file. A line "# domain" in it says that its policies come from the directory.
func lintText(t *testing.T, name, text string) []scenarios.Finding {
	t.Helper()
	all, err := spec.ParseAll(name, []byte(text))
	require.NoError(t, err, name)
	found, err := scenarios.LintAll(all, scenarios.LintOptions{Domain: strings.Contains(text, "\n# domain\n")})
	require.NoError(t, err, name)
	return found
}

func has(found []scenarios.Finding, rule string) bool {
	for _, f := range found {
		if f.Rule.ID == rule {
			return true
		}
	}
	return false
}

// Each rule has a policy with that defect. It is found where it is, with nothing else
// that the file beside it does not have; and once the defect is mended, as the lines
// "# mend: old => new" say, the rule is silent.
func TestLintFindsPlantedDefects(t *testing.T) {
	for _, r := range lint.Rules() {
		t.Run(r.ID, func(t *testing.T) {
			name := filepath.Join(badPolicies, r.ID+".yaml")
			file, err := os.ReadFile(name)
			require.NoError(t, err, "a rule needs a file with its defect")
			text := string(file)
			found := lintText(t, filepath.Base(name), text)
			require.True(t, has(found, r.ID), "not found: %v", found)

			var lines strings.Builder
			for _, f := range found {
				require.NotZero(t, f.Line, "%s has no place", f)
				lines.WriteString(f.String() + "\n")
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".golden"
			if *updateLint {
				require.NoError(t, os.WriteFile(golden, []byte(lines.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), lines.String())

			mended, mends := text, 0
			for line := range strings.Lines(text) {
				if mend, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "# mend: "); ok {
					old, better, ok := strings.Cut(mend, " => ")
					require.True(t, ok, mend)
					require.Contains(t, strings.ReplaceAll(text, line, ""), old)
					mended = strings.ReplaceAll(mended, old, better)
					mends++
				}
			}
			require.NotZero(t, mends, "nothing says how the defect is mended")
			after := lintText(t, name, mended)
			require.False(t, has(after, r.ID), "still found: %v", after)
			for _, f := range after {
				require.True(t, has(found, f.Rule.ID), "the mended file has something else: %s", f)
			}
		})
	}
	files, err := filepath.Glob(badPolicies + "/*")
	require.NoError(t, err)
	require.Len(t, files, 2*len(lint.Rules()), "a file for no rule")
}

// Policies as the documents recommend them have nothing above info.
func TestLintIsSilentOnGoodPolicies(t *testing.T) {
	files, err := filepath.Glob(goodPolicies + "/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 10)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, f := range lintText(t, name, string(text)) {
			require.LessOrEqual(t, f.Severity(), lint.Info, "%s", f)
		}
	}
}

// So have the policies that Windows brings along, by themselves and on hosts.
func TestLintIsSilentOnPredefinedPolicies(t *testing.T) {
	require.Len(t, policy.PredefinedPolicies(), 3)
	for _, name := range policy.PredefinedPolicies() {
		p, ok := policy.Predefined(name)
		require.True(t, ok)
		found := scenarios.LintPolicy(p, scenarios.LintOptions{Domain: true})
		require.NotEmpty(t, found)
		text := fmt.Sprintf(`title: a predefined policy
kerberos-stand-in: "there is no domain in the lab"
network: {segments: {lan: {subnet: 10.1.0.0/16}}}
nodes:
  alice: {interfaces: [{segment: lan, address: 10.1.0.1/16}]}
  bob: {interfaces: [{segment: lan, address: 10.1.0.2/16}]}
policies:
  mine: {predefined: %[1]s}
assignments: {alice: %[1]s, bob: mine}
steps:
  - wait: 1s
`, name)
		onHosts := lintText(t, "predefined.yaml", text)
		lines := map[int]bool{}
		for _, f := range onHosts {
			lines[f.Line] = true
		}
		require.Equal(t, map[int]bool{8: true, 9: true}, lines, "where the file has them")
		for _, f := range append(found, onHosts...) {
			require.LessOrEqual(t, f.Severity(), lint.Info, "%s", f)
		}
	}
}

// Any scenario can be reviewed; each finding has a place, and they are in the order of the file.
func TestLintOfTheCatalogue(t *testing.T) {
	files, err := fs.Glob(scenarios.Catalogue(), "*.yaml")
	require.NoError(t, err)
	n := 0
	for _, file := range files {
		all, err := scenarios.LoadAllFS(scenarios.Catalogue(), file)
		require.NoError(t, err)
		found, err := scenarios.LintAll(all, scenarios.LintOptions{})
		require.NoError(t, err)
		again, err := scenarios.LintAll(all, scenarios.LintOptions{})
		require.NoError(t, err)
		require.Equal(t, found, again)
		for i, f := range found {
			n++
			require.NotZero(t, f.Line, "%s has no place", f)
			if i > 0 {
				if found[i-1].File == f.File { // a script has lines of its own
					require.LessOrEqual(t, found[i-1].Line, f.Line)
				}
				require.NotEqual(t, found[i-1], f)
			}
			t.Log(f)
		}
	}
	require.NotZero(t, n)
}

// A file that is wrong is not reviewed.
func TestLintOfAWrongFile(t *testing.T) {
	s, err := spec.ParseAll("wrong.yaml", []byte("title: no nodes\nnetwork: {segments: {lan: {}}}\nsteps: [{wait: 1s}]\n"))
	require.Error(t, err)
	require.Nil(t, s)
	_, err = scenarios.Lint(&spec.Scenario{Title: "built in code"}, scenarios.LintOptions{})
	var mistakes spec.Errors
	require.True(t, errors.As(err, &mistakes))
}
