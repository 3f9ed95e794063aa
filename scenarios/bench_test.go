package scenarios_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// BenchmarkBusinessDay is eight virtual hours with hourly rekeys; "limit" is the
// share of the second of wall time that it may take.
func BenchmarkBusinessDay(b *testing.B) {
	const limit = time.Second
	s, err := scenarios.LoadFS(scenarios.Catalogue(), "time_business_day.yaml")
	require.NoError(b, err)
	for b.Loop() {
		r, err := scenarios.Run(b.Context(), s, scenarios.Options{Dir: b.TempDir()})
		require.NoError(b, err)
		require.Equal(b, scenarios.Passed, r.Outcome)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(limit), "limit")
}

// BenchmarkCatalogue is one run of every scenario, one after the other, with evidence.
func BenchmarkCatalogue(b *testing.B) {
	files := catalogueFiles(b)
	for b.Loop() {
		for _, file := range files {
			_, err := scenarios.Run(b.Context(), load(b, file), scenarios.Options{Dir: b.TempDir()})
			require.NoError(b, err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N*len(files)), "ms/scenario")
}
