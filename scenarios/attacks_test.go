package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// An attacker's frames are no leak of those in whose name they come, and a leak
// of a host is one although an attacker has had it in hand.
func TestOracleKnowsAttackersByTheirPort(t *testing.T) {
	s := load(t, "attack_spoofed_clear.yaml")
	r, packets, events := checked(t, s)
	require.Equal(t, scenarios.Passed, r.Invariants[0].Outcome)
	forged := map[int]bool{}
	for _, e := range events {
		if a, ok := e.Body.(trace.Attack); ok {
			require.Equal(t, "mallory", e.Node)
			forged[a.Frame] = true
		}
	}
	require.Len(t, forged, 10)
	for _, p := range packets {
		require.Equal(t, forged[p.Number], strings.HasPrefix(p.Comment, "spoofed by mallory: "), "frame %d: %s", p.Number, p.Comment)
	}

	all, err := scenarios.LoadAllFS(scenarios.Catalogue(), "attack_outer_header.yaml")
	require.NoError(t, err)
	i := slices.IndexFunc(all, func(s *spec.Scenario) bool { return s.Name == "attack_outer_header/esp-ttl" })
	s = all[i]
	s.Steps[1].Tamper.Protocol = "udp"
	s.Steps = s.Steps[:3]
	dir := t.TempDir()
	r, err = scenarios.Run(t.Context(), s, scenarios.Options{Dir: dir, Faults: map[string]hosts.Faults{"client": {PassClear: 2}}})
	require.NoError(t, err)
	require.Equal(t, scenarios.Failed, r.Invariants[0].Outcome, "wire oracle")
	require.Contains(t, r.Invariants[0].Reason, "left client in the clear")
	_, events = evidenceOf(t, dir)
	for _, e := range events {
		if v, ok := e.Body.(trace.Violation); ok {
			require.Equal(t, "client", e.Node, "frame %d", v.Frame)
		}
	}
}
