package scenarios_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// A policy that comes from another computer shows its preshared key to whoever is on
// the way (C104).
func TestPolicyOnTheWireShowsItsKey(t *testing.T) {
	dir := t.TempDir()
	scenarios.Check(t, load(t, "agent_cache.yaml"), scenarios.Options{Dir: dir})
	capture, err := os.ReadFile(filepath.Join(dir, "capture.pcapng"))
	require.NoError(t, err)
	require.True(t, bytes.Contains(capture, []byte("sent on a postcard to everybody")))
}
