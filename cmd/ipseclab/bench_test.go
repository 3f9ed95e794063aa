package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// BenchmarkScenario takes a file with two hosts, one SA pair and a TCP connection
// to its evidence in a folder, without and with the HTML report. files-ms/op is
// the limit: writing files of the same sizes into a new folder.
func BenchmarkScenario(b *testing.B) {
	const file = "../../scenarios/catalogue/suite_aes_gcm.yaml"
	for _, bb := range []struct {
		name     string
		reporter scenarios.Reporter
	}{{"evidence", nil}, {"report", reporter{}}} {
		b.Run(bb.name, func(b *testing.B) {
			dir := b.TempDir()
			var written time.Duration
			b.ReportAllocs()
			for i := range b.N {
				out := filepath.Join(dir, strconv.Itoa(i))
				s, err := scenarios.Load(file)
				require.NoError(b, err)
				r, err := scenarios.Run(b.Context(), s, scenarios.Options{Dir: out, Reporter: bb.reporter})
				require.NoError(b, err)
				require.Equal(b, scenarios.Passed, r.Outcome)
				b.StopTimer()
				start := time.Now()
				rewrite(b, out, filepath.Join(dir, "again", strconv.Itoa(i)))
				written += time.Since(start)
				b.StartTimer()
			}
			b.ReportMetric(written.Seconds()*1000/float64(b.N), "files-ms/op")
		})
	}
}

// rewrite makes files of the same sizes.
func rewrite(b *testing.B, from, to string) {
	require.NoError(b, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), make([]byte, info.Size()), 0o644)
	}))
}

// BenchmarkRun is the command over the whole catalogue, with reports, as many
// scenarios at a time as there are processors.
func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		require.Equal(b, exitOK, ipseclab(b.Context(), []string{"run", "--force", "--out", dir}, io.Discard, io.Discard))
	}
	all, err := loadAll(nil)
	require.NoError(b, err)
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N*len(all)), "ms/scenario")
}
