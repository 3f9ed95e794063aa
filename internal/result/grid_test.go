package result_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

// Cells of one file are one grid, in the order of the run; a single cell is none, nor is a
// file with cells that measures nothing.
func TestGrids(t *testing.T) {
	cell := func(name string, m *result.Measured) *result.Scenario {
		return &result.Scenario{Name: name, Title: "Doors: " + name, Outcome: result.Passed, Seed: 7, Grid: &result.Place{Rows: "a", Columns: "b", Table: "c"}, Measured: m}
	}
	works := &result.Measured{Outcome: "works"}
	broken := cell("doors/2", nil)
	broken.Outcome = result.Broken
	run := &result.Run{Interrupted: true, Scenarios: []result.Entry{{Name: "doors/1", Dir: "doors/1"}, {Name: "doors/2", Reason: "it broke"}}}
	all := result.Grids(run, []*result.Scenario{
		cell("doors/1", works), {Name: "plain"}, broken, cell("doors/3", works), cell("alone/1", works), {Name: "cells/1"}, {Name: "cells/2"},
	})
	require.Len(t, all, 1)
	g := all[0]
	require.Equal(t, []string{"doors", "Doors", "a", "b"}, []string{g.Name, g.Title, g.Rows, g.Columns})
	require.True(t, g.Interrupted)
	require.Equal(t, map[string]int{"works": 2, result.Unmeasured: 1}, g.Totals)
	require.Equal(t, []result.GridCell{
		{Name: "1", Table: "c", Outcome: result.Passed, Measured: works, Dir: "doors/1"},
		{Name: "2", Table: "c", Outcome: result.Broken, Reason: "it broke"},
		{Name: "3", Table: "c", Outcome: result.Passed, Measured: works},
	}, g.Cells)
}
