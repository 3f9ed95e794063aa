package scenarios_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

var runs = flag.Int("determinism.runs", 2, "how often TestDeterminism runs each scenario at each GOMAXPROCS")

// evidenceSum runs a scenario and sums its capture, its trace and its result.
func evidenceSum(t *testing.T, s *spec.Scenario, seed uint64) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer os.RemoveAll(dir) // now rather than at the end: many runs are many captures
	_, err = scenarios.Run(t.Context(), s, scenarios.Options{Seed: seed, Dir: dir})
	require.NoError(t, err)
	h := sha256.New()
	for _, name := range []string{"capture.pcapng", "trace.jsonl", "result.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NotEmpty(t, b, name)
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// The same seed gives the same bytes, whatever the processors do; another seed
// gives others.
func TestDeterminism(t *testing.T) {
	all := loadAll(t, catalogueFiles(t)...)
	first := map[string]string{}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		for run := range *runs {
			for _, s := range all {
				sum := evidenceSum(t, s, 0)
				if first[s.Name] == "" {
					first[s.Name] = sum
				}
				require.Equal(t, first[s.Name], sum, "%s: run %d at GOMAXPROCS %d differs from the first", s.Name, run+1, procs)
			}
		}
	}
	for _, s := range all {
		require.NotEqual(t, first[s.Name], evidenceSum(t, s, 2), "%s: another seed gives the same bytes", s.Name)
	}
	t.Logf("%d scenarios, %d runs each at GOMAXPROCS 1, 2 and 8: one sum each", len(all), *runs)
}
