package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// A scan by a host that has no address finds nothing, and the lab is whole.
func TestScanWithoutAnAddress(t *testing.T) {
	for _, protocol := range []string{"tcp", "udp"} {
		s, err := spec.Parse("nowhere.yaml", []byte(`
title: nowhere
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: none}]}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}]}
steps:
  - {scan: {from: client, to: server, protocol: `+protocol+`, ports: 1..300}, expect: {ports: {open: [], refused: 0, silent: 300}}}
`))
		require.NoError(t, err)
		r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
		require.NoError(t, err)
		require.Equal(t, scenarios.Passed, r.Outcome, "%s: %v", protocol, r.Steps)
	}
}
