package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/scenarios"
)

// What should have gone through a tunnel and leaves in the clear is caught, of either
// family inside, and where another rule's filter for it is more specific and permits.
func TestWireOracleCatchesALeakBesideATunnel(t *testing.T) {
	for file, rules := range map[string][2]string{
		"tunnel_host_to_host.yaml":     {"west", "west/to-east"},
		"tunnel_before_transport.yaml": {"client", "client/out"},
	} {
		for _, s := range loadAll(t, file) {
			r, err := scenarios.Run(t.Context(), s, scenarios.Options{Faults: map[string]hosts.Faults{rules[0]: {PassClear: 3}}})
			require.NoError(t, err)
			require.Equal(t, scenarios.Failed, r.Invariants[0].Outcome, s.Name)
			require.Contains(t, r.Invariants[0].Reason, "left "+rules[0]+" in the clear", s.Name)
			require.Contains(t, r.Invariants[0].Reason, rules[1], s.Name)
		}
	}
}
