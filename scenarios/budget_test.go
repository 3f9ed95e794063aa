package scenarios_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// A scenario of the catalogue may take 50 ms of wall time on two processors, in the
// mean over those that are not marked as long (docs/speed.md). A busy machine would
// break a test of that. Its frames and the memory that it allocates go with its time,
// and hang on nothing but the scenario.
func TestBudget(t *testing.T) {
	const maxFrames, maxAllocated = 600, 4 << 20 // for each scenario, in the mean
	all := slices.DeleteFunc(loadAll(t, catalogueFiles(t)...), func(s *spec.Scenario) bool { return s.Long })
	var before, after runtime.MemStats
	var total atomic.Int64
	runtime.ReadMemStats(&before)
	atOnce(all, func(_ int, s *spec.Scenario) {
		if r, err := scenarios.Run(t.Context(), s, scenarios.Options{}); assert.NoError(t, err) {
			total.Add(int64(r.Frames))
		}
	})
	runtime.ReadMemStats(&after)
	frames, allocated := int(total.Load())/len(all), (after.TotalAlloc-before.TotalAlloc)/uint64(len(all))
	t.Logf("%d scenarios, %d frames and %d kB allocated each", len(all), frames, allocated>>10)
	const advice = "the catalogue is over its budget: find what grew, make it smaller, or mark a scenario that has to be large as long"
	require.LessOrEqual(t, frames, maxFrames, advice)
	require.LessOrEqual(t, allocated, uint64(maxAllocated), advice)
}
