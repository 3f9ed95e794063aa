package scenarios_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
)

// requireTrace wants a folder to hold the events of a run, however it ended.
func requireTrace(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "trace.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	events, err := trace.Read(f)
	require.NoError(t, err)
	require.NotEmpty(t, events)
}

// A full disk is an error of the run, whichever file it hits.
func TestEvidenceOnAFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("needs %s: %v", full, err)
	}
	for _, name := range []string{"trace.jsonl", "capture.pcapng"} {
		for _, file := range []string{"h2h_server_to_server.yaml", "mtu_1300_link.yaml"} { // fits the buffers; fails on the way
			dir := t.TempDir()
			require.NoError(t, os.Symlink(full, filepath.Join(dir, name)))
			r, err := scenarios.Run(t.Context(), load(t, file), scenarios.Options{Dir: dir})
			require.ErrorContains(t, err, "no space left on device", "%s of %s", name, file)
			require.Nil(t, r)
			require.NoFileExists(t, filepath.Join(dir, "result.json"))
		}
	}
}

// A folder that cannot be made or written is an error before anything runs.
func TestEvidenceFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := scenarios.Run(t.Context(), load(t, "h2h_server_to_server.yaml"), scenarios.Options{Dir: filepath.Join(file, "below")})
	require.ErrorContains(t, err, "scenarios: evidence folder:")
	taken := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(taken, "capture.pcapng"), 0o700))
	_, err = scenarios.Run(t.Context(), load(t, "h2h_server_to_server.yaml"), scenarios.Options{Dir: taken})
	require.ErrorContains(t, err, "capture.pcapng")
}

// When a run into a used folder breaks, the verdict of the earlier run is gone.
func TestABrokenRunLeavesNoOldVerdict(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"result.json", "report.html"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("passed"), 0o600))
	}
	ctx := &endsAfter{Context: t.Context(), looks: 5}
	_, err := scenarios.Run(ctx, load(t, "h2h_server_to_server.yaml"), scenarios.Options{Dir: dir})
	require.Error(t, err)
	require.NoFileExists(t, filepath.Join(dir, "result.json"))
	require.NoFileExists(t, filepath.Join(dir, "report.html"))
}
