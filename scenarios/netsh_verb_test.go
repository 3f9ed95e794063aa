package scenarios_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// ran is a scenario in which netsh runs commands on a host.
func ran(t *testing.T, run, expect string) *spec.Scenario {
	t.Helper()
	s, err := spec.Parse("s.yaml", []byte(`title: netsh runs
network: {segments: {lan: {}}}
nodes:
  a: {interfaces: [{segment: lan, address: 10.0.0.1/24}]}
  b: {interfaces: [{segment: lan, address: 10.0.0.2/24}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {block: {action: block}, permit: {action: permit}}
policies: {Closed: {rules: [{name: all, filter-list: all, filter-action: block}]}}
assignments: {a: Closed}
steps:
  - netsh: {host: a, run: "`+strings.ReplaceAll(strings.ReplaceAll(run, `"`, `\"`), "\n", `\n`)+`"}
  - ping: {from: a, to: b, timeout: 1s}
    expect: `+expect+"\n"))
	require.NoError(t, err)
	return s
}

// Commands find the policies that the host has, with their filter lists and filter
// actions, and change or replace them.
func TestNetshRuns(t *testing.T) {
	for _, tc := range []struct{ run, expect string }{
		{"netsh ipsec static show all", `{result: timeout, rule: {from: Closed/all}}`},
		{"netsh ipsec static set policy closed assign=no", `{result: ok, rule: {from: no match}}`},
		{"netsh ipsec static set filteraction block action=permit", `{result: timeout, rule: {from: Closed/all}}`}, // until the agent polls
		{"ipsec static\nset policy Closed newname=Open\nset filteraction block action=permit", `{result: ok, rule: {from: Open/all}}`},
		{"ipsec static\nadd policy New assign=y activ=n\nadd rule r New all block", `{result: timeout, rule: {from: New/r}}`},
		{"ipsec static\nset policy Closed assign=no\nset store persistent\nadd policy P activ=n assign=y\nadd filter all me any\nadd filteraction block action=block\nadd rule r P all block",
			`{result: timeout, rule: {from: P/r}}`},
	} {
		scenarios.Check(t, ran(t, tc.run, tc.expect), scenarios.Options{})
	}
}

// What cannot be run is a mistake of the scenario, found without running it.
func TestNetshRunMistakes(t *testing.T) {
	for _, tc := range []struct{ run, want string }{
		{"nonsense", `run: line 1, column 1: there is no command "nonsense"`},
		{"ipsec static\nadd policy closed", `run: line 2, column 12: ipsec static add policy: there is a policy "closed" already`},
		{"ipsec dynamic add mmpolicy m", "ipsec dynamic add mmpolicy: unsupported: dynamic commands on a host that runs"},
		{"ipsec dynamic delete sa", "ipsec dynamic delete sa: unsupported: dynamic commands on a host that runs"},
		{"ipsec static\nadd policy p assign=yes", "run: policy p on a: policy: \"p\": default response rule: unsupported"},
	} {
		err := scenarios.Validate(ran(t, tc.run, "{result: ok}"))
		require.ErrorContains(t, err, tc.want)
		require.Equal(t, 11, spec.Mistakes(err)[0].Line)
	}
	err := scenarios.Validate(ran(t, "netsh ipsec static show all", "{rule: {from: Other/x}}"))
	require.ErrorContains(t, err, `from: no policy is called "Other"`)
	err = scenarios.Validate(ran(t, "netsh ipsec static show all", "{rule: {from: Closed/x}}"))
	require.ErrorContains(t, err, `from: policy Closed has no rule called "x"`)
}
