package scenarios_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/profile"
	"github.com/ipseclab/ipseclab/natbox/boxes"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// grids are the files of the catalogue that are grids.
func grids(t testing.TB) []string {
	t.Helper()
	files, err := fs.Glob(scenarios.Catalogue(), "grids/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// Every cell of every grid is as expected, and explained.
func TestGrids(t *testing.T) {
	for _, file := range grids(t) {
		all := loadAll(t, file)
		t.Run(file, func(t *testing.T) {
			atOnce(all, func(_ int, s *spec.Scenario) {
				r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
				if !assert.NoError(t, err, s.Name) || !assert.NotNil(t, r.Measured, s.Name) {
					return
				}
				assert.Equal(t, scenarios.Passed, r.Outcome, "%s: %s", s.Name, r.Measured.Explanation)
				assert.True(t, strings.HasSuffix(r.Measured.Explanation, "."), "%s: %s", s.Name, r.Measured.Explanation)
			})
			t.Logf("%d cells", len(all))
		})
	}
}

// The same cell gives the same bytes, whether it is run alone or beside others.
func TestGridsAreDeterministic(t *testing.T) {
	const every = 50
	for _, file := range grids(t) {
		var sample []*spec.Scenario
		for i, s := range loadAll(t, file) {
			if i%every == 0 {
				sample = append(sample, s)
			}
		}
		first := sums(t, sample, 0)
		require.Equal(t, first, sums(t, sample, 0))
		for name, sum := range sums(t, sample, 2) {
			require.NotEqual(t, first[name], sum, "%s: another seed gives the same bytes", name)
		}
	}
}

// The NAT grid has every named box on either side, and none, in the tables of the registry,
// and what it says of systems is what their profiles say.
func TestNATGridIsComplete(t *testing.T) {
	sides := map[string]map[string]bool{}
	for _, s := range loadAll(t, "grids/nat_grid.yaml") {
		v := map[string]string{}
		for _, setting := range s.Cell {
			v[setting.Parameter] = setting.Value
		}
		if strings.HasPrefix(v["pair"], "2003-") && len(v["pair"]) == len("2003-0") {
			if sides[v["pair"]] == nil {
				sides[v["pair"]] = map[string]bool{}
			}
			sides[v["pair"]][v["initiator"]+" "+v["responder"]] = true
			require.Equal(t, v["pair"][len("2003-"):], string(rune('0'+s.Nodes["client"].Settings().BehindNAT())))
		}
		for _, host := range []string{"client", "server"} {
			n := s.Nodes[host]
			p, ok := profile.Named(n.OS)
			require.True(t, ok, n.OS)
			if !strings.HasPrefix(n.OS, "windows") {
				require.Equal(t, []string{"rfc-3947"}, n.Settings().Speaks())
				continue
			}
			require.ElementsMatch(t, p.NATTraversal, n.Settings().Speaks(), "%s: %s", s.Name, n.OS)
			if host == "client" && n.OS != "windows-2003-sp1" {
				require.Equal(t, *p.AssumeUDPEncapsulation, n.Settings().BehindNAT(), "%s: %s", s.Name, n.OS)
			}
		}
	}
	names := append(boxes.Names(), "none")
	var want []string
	for _, a := range names {
		for _, b := range names {
			want = append(want, a+" "+b)
		}
	}
	require.Equal(t, []string{"2003-0", "2003-1", "2003-2"}, slices.Sorted(maps.Keys(sides)))
	for pair, pairs := range sides {
		require.ElementsMatch(t, want, slices.Collect(maps.Keys(pairs)), pair)
	}
}
