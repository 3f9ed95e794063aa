package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// parse reads a scenario that is written in a test.
func parse(t testing.TB, text string) *spec.Scenario {
	t.Helper()
	s, err := spec.Parse("in_a_test.yaml", []byte(text))
	require.NoError(t, err)
	return s
}

// twoHomes are two hosts that are both on two segments, and a third whose
// address begins like that of the first.
const twoHomes = `
title: two segments
network: {segments: {l1: {}, l2: {}}}
nodes:
  a: {interfaces: [{segment: l1, address: 10.0.1.1/24}, {segment: l2, address: 10.0.2.1/24}]}
  b: {interfaces: [{segment: l1, address: 10.0.1.2/24}, {segment: l2, address: 10.0.2.2/24}], serves: [{udp: 7}]}
  c: {interfaces: [{segment: l1, address: 10.0.1.10/24}]}
filter-lists:
  one: [{source: me, destination: 10.0.1.0/24}]
  two: [{source: me, destination: 10.0.2.0/24}]
  ten: [{source: me, destination: 10.0.1.10}]
  from-99: [{source: 10.0.1.0/24, destination: 10.0.1.2, protocol: udp, source-port: 99}]
filter-actions: {permit: {action: permit}}
policies:
  p:
    rules:
      - {filter-list: one, filter-action: permit}
      - {filter-list: two, filter-action: permit}
      - {filter-list: ten, filter-action: permit}
      - {filter-list: from-99, filter-action: permit}
  q: {rules: [{name: of-q, filter-list: one, filter-action: permit}]}
assignments: {a: p, b: p}
steps:
`

// The rules that decided about a step are those of its own packets: to the
// address that the step names, from the port that it names, under the policy of
// its time, and not those of a host with a similar address.
func TestRulesOfAStep(t *testing.T) {
	for name, steps := range map[string]string{
		"second address": `
  - ping: {from: a, to: 10.0.2.2}
    expect: {rule: {from: p/two, to: p/two}}
  - udp: {from: a, to: 10.0.2.2, port: 7}
    expect: {rule: {from: p/two, to: p/two}}
  - ping: {from: a, to: b}
    expect: {rule: {from: p/one, to: p/one}}
`,
		"similar address": `
  - ping: {from: a, to: b}
    background: true
    expect: {rule: {from: p/one, to: p/one}}
  - ping: {from: c, to: b}
    expect: {rule: {to: p/ten}}
`,
		"source port": `
  - udp: {from: a, to: b, port: 7, from-port: 99}
    expect: {rule: {from: p/from-99, to: p/from-99}}
  - udp: {from: a, to: b, port: 7}
    expect: {rule: {from: p/one, to: p/one}}
  - udp: {from: a, to: b, port: 7, from-port: 99}
    expect: {rule: {from: p/from-99, to: p/from-99}}
`,
		"another policy": `
  - ping: {from: a, to: b}
    expect: {rule: {from: p/one, to: p/one}}
  - assign-policy: {host: b, policy: q}
  - ping: {from: a, to: b}
    expect: {rule: {from: p/one, to: q/of-q}}
  - assign-policy: {host: b}
  - ping: {from: a, to: b}
    expect: {rule: {to: no match}}
`,
	} {
		t.Run(name, func(t *testing.T) { scenarios.Check(t, parse(t, twoHomes+steps), scenarios.Options{}) })
	}
}

// A decision under a former policy is none about a step that sends nothing: its
// port is taken.
func TestNoRuleDecidesUnderAFormerPolicy(t *testing.T) {
	s := parse(t, twoHomes+`
  - udp: {from: a, to: b, port: 7, from-port: 99}
    expect: {rule: {from: p/from-99}}
  - assign-policy: {host: a, policy: q}
  - udp: {from: a, to: 10.0.2.2, port: 7, from-port: 99, count: 2}
    background: true
  - udp: {from: a, to: b, port: 7, from-port: 99}
    expect: {result: error, rule: {from: p/from-99}}
`)
	r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
	require.NoError(t, err)
	require.Equal(t, scenarios.Passed, r.Steps[0].Outcome)
	require.Equal(t, "error", r.Steps[3].Checks[0].Got)
	require.Equal(t, "no decision", r.Steps[3].Checks[1].Got)
}

// A decision of an earlier step is none about packets that never arrived.
func TestNoRuleDecidesAboutWhatDoesNotArrive(t *testing.T) {
	s := parse(t, twoHomes+`
  - ping: {from: a, to: b}
    expect: {rule: {to: p/one}}
  - set-link: {node: a, segment: l1, loss: 1}
  - ping: {from: a, to: b}
    expect: {rule: {to: p/one}}
`)
	r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
	require.NoError(t, err)
	require.Equal(t, scenarios.Passed, r.Steps[0].Outcome)
	require.Equal(t, scenarios.Failed, r.Steps[2].Outcome)
	require.Equal(t, "no decision", r.Steps[2].Checks[0].Got)
}
