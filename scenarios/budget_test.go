package scenarios_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// A scenario of the catalogue may take 50 ms of wall time on two processors, in the
// mean over those that are not marked as long (docs/speed.md). A busy machine would
// break a test of that. Its frames and the memory that it allocates go with its time,
// and hang on nothing but the scenario.
func TestBudget(t *testing.T) {
	const maxFrames, maxAllocated = 600, 4 << 20 // for each scenario, in the mean
	var n, frames int
	var allocated uint64
	for _, s := range loadAll(t, catalogueFiles(t)...) {
		if s.Long {
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		n, frames, allocated = n+1, frames+r.Frames, allocated+after.TotalAlloc-before.TotalAlloc
	}
	t.Logf("%d scenarios, %d frames and %d kB allocated each", n, frames/n, allocated/uint64(n)>>10)
	const advice = "the catalogue is over its budget: find what grew, make it smaller, or mark a scenario that has to be large as long"
	require.LessOrEqual(t, frames/n, maxFrames, advice)
	require.LessOrEqual(t, allocated/uint64(n), uint64(maxAllocated), advice)
}
