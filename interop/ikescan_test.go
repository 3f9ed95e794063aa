package interop

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/scans"
	"github.com/ipseclab/ipseclab/scenarios"
)

// The real ike-scan names what the profiles of hosts claim. It measures by this machine's clock, for two minutes.
func TestIKEScanNamesProfiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes of waiting")
	}
	t.Parallel()
	d := driverOf(t, "namespace")
	store, err := images.Open("")
	require.NoError(t, err)
	if _, _, err := store.Rootfs("ike-scan"); err != nil {
		needs.Missing(t, "namespace", err.Error())
	}
	s, err := scenarios.LoadFS(scans.Files, "fingerprints.yaml")
	require.NoError(t, err)
	r := scenarios.Check(t, s, scenarios.Options{Peers: d, Dir: t.TempDir()})
	require.Equal(t, scenarios.Passed, r.Outcome, r.Reason)
	require.Len(t, r.Peers, 1)
	require.Contains(t, r.Peers[0].Daemon, "ike-scan 1.9.5")
}
