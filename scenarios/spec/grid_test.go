package spec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A cell belongs to the first entry whose condition its parameters, or their fields, meet.
func TestGridEntries(t *testing.T) {
	all, err := ParseAllFile("testdata/valid/grid.yaml")
	require.NoError(t, err)
	entries := map[string]int{}
	for _, s := range all {
		entries[s.Name] = s.Grid.Entry()
		require.Zero(t, s.Measured())
		rows, columns := s.Axes()
		require.Equal(t, []string{"from", "to"}, []string{rows, columns})
	}
	require.Equal(t, map[string]int{
		"grid/one_alice_0": 1, "grid/one_alice_1400": 1, "grid/one_bob_0": 2, "grid/one_bob_1400": 2,
		"grid/two_bob_0": 2, "grid/two_bob_1400": 0, "grid/three_bob_0": 2, "grid/three_bob_1400": 0,
	}, entries)
	require.Equal(t, "1400 bytes", all[1].GridTable())
}

// What a grid leaves out: the first two parameters are the axes, the others name the
// table, and the last step that sends traffic is measured.
func TestGridDefaults(t *testing.T) {
	all, err := ParseAll("f.yaml", []byte(`title: defaults
parameters: { a: [1, 2], b: [1, 2], c: [x, y], d: [z, w] }
network: { segments: { lan: {} } }
nodes:
  alice: { interfaces: [{ segment: lan, address: 10.0.0.1/24 }] }
  bob: { interfaces: [{ segment: lan, address: 10.0.0.2/24 }] }
steps:
  - ping: { from: alice, to: bob }
  - ping: { from: bob, to: alice }
  - wait: 1s
grid: { columns: a, expect: [{ outcome: works, because: x }] }
`))
	require.NoError(t, err)
	s := all[1]
	rows, columns := s.Axes()
	require.Equal(t, []string{"b", "a"}, []string{rows, columns})
	require.Equal(t, "c x, d w", s.GridTable())
	require.Equal(t, 1, s.Measured())
	s.Grid.Columns = ""
	rows, columns = s.Axes()
	require.Equal(t, []string{"a", "b"}, []string{rows, columns})

	// built in code there are no conditions: the first entry is for the scenario
	s.Grid.Expect = []Measurement{{Outcome: OutcomeNoAnswer, Because: "x"}}
	require.NoError(t, s.Check())
	require.Zero(t, s.Grid.Entry())
	s.Cell = nil
	require.ErrorContains(t, s.Check(), "two parameters must vary")
}
