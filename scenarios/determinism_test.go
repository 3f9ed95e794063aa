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
)

var runs = flag.Int("determinism.runs", 2, "how often TestDeterminism runs each scenario at each GOMAXPROCS")

// evidenceSum runs a scenario and sums its capture, its trace and its result.
func evidenceSum(t *testing.T, file string, seed uint64) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer os.RemoveAll(dir) // now rather than at the end: many runs are many captures
	_, err = scenarios.Run(t.Context(), load(t, file), scenarios.Options{Seed: seed, Dir: dir})
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
	files := catalogueFiles(t)
	first := map[string]string{}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		for run := range *runs {
			for _, file := range files {
				sum := evidenceSum(t, file, 0)
				if first[file] == "" {
					first[file] = sum
				}
				require.Equal(t, first[file], sum, "%s: run %d at GOMAXPROCS %d differs from the first", file, run+1, procs)
			}
		}
	}
	for _, file := range files {
		require.NotEqual(t, first[file], evidenceSum(t, file, 2), "%s: another seed gives the same bytes", file)
	}
	t.Logf("%d scenarios, %d runs each at GOMAXPROCS 1, 2 and 8: one sum each", len(files), *runs)
}
