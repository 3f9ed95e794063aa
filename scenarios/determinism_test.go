package scenarios_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

var runs = flag.Int("determinism.runs", 2, "how often TestDeterminism runs each scenario at each GOMAXPROCS")

// evidenceSum runs a scenario and sums its capture, its trace and its result.
func evidenceSum(t *testing.T, s *spec.Scenario, seed uint64) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if !assert.NoError(t, err) {
		return ""
	}
	defer os.RemoveAll(dir) // now rather than at the end: many runs are many captures
	if _, err = scenarios.Run(t.Context(), s, scenarios.Options{Seed: seed, Dir: dir}); !assert.NoError(t, err, s.Name) {
		return ""
	}
	h := sha256.New()
	for _, name := range []string{"capture.pcapng", "trace.jsonl", "result.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		assert.NoError(t, err)
		assert.NotEmpty(t, b, "%s of %s", name, s.Name)
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// sums runs every scenario, and gives what evidenceSum makes of each, by name.
func sums(t *testing.T, all []*spec.Scenario, seed uint64) map[string]string {
	t.Helper()
	of := make([]string, len(all))
	atOnce(all, func(i int, s *spec.Scenario) { of[i] = evidenceSum(t, s, seed) })
	byName := make(map[string]string, len(all))
	for i, s := range all {
		byName[s.Name] = of[i]
	}
	return byName
}

// The same seed gives the same bytes, whatever the processors do and whatever
// other worlds run beside; another seed gives others.
func TestDeterminism(t *testing.T) {
	all := loadAll(t, catalogueFiles(t)...)
	var first map[string]string
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		for run := range *runs {
			again := sums(t, all, 0)
			if first == nil {
				first = again
			}
			require.Equal(t, first, again, "run %d at GOMAXPROCS %d differs from the first", run+1, procs)
		}
	}
	for name, sum := range sums(t, all, 2) {
		require.NotEqual(t, first[name], sum, "%s: another seed gives the same bytes", name)
	}
	t.Logf("%d scenarios, %d runs each at GOMAXPROCS 1, 2 and 8: one sum each", len(all), *runs)
}
