package scenarios_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Ten requests a second apart, of which some are lost: the longest time without an answer is
// before the first one, between two, or behind the last.
func TestSilence(t *testing.T) {
	const text = `title: requests that get lost
network: { segments: { lan: { latency: 1ms } } }
nodes:
  alice: { interfaces: [{ segment: lan, address: 10.0.0.1/24 }] }
  bob:
    interfaces: [{ segment: lan, address: 10.0.0.2/24, link: { blackholes: [{ protocol: %[1]s, direction: down, frames: %[2]q }] } }]
    serves: [{ udp: 7 }]
steps:
  - %[3]s
    expect: { silence: %[4]q, received: %[5]d }
`
	const ping, udp = "ping: { from: alice, to: bob, count: 10, timeout: 900ms }", "udp: { from: alice, to: bob, port: 7, count: 10, timeout: 900ms }"
	for _, c := range []struct {
		protocol, lost, verb, silence string
		received                      int
	}{
		{"icmp", "99", ping, "998ms..1s", 10},       // the round trip of the first has ARP in it
		{"icmp", "1..3", ping, "3001ms..3004ms", 7}, // and that of the fourth
		{"icmp", "4..6", ping, "4s", 7},
		{"icmp", "10", ping, "1898ms", 9}, // till the last one is given up
		{"icmp", "1..10", ping, "9900ms", 0},
		{"udp", "5..8", udp, "5s", 6},
	} {
		s, err := spec.Parse("f.yaml", fmt.Appendf(nil, text, c.protocol, c.lost, c.verb, c.silence, c.received))
		require.NoError(t, err)
		scenarios.Check(t, s, scenarios.Options{})
	}
	s, err := spec.Parse("f.yaml", fmt.Appendf(nil, text, "icmp", "4..6", ping, "<= 3s", 7))
	require.NoError(t, err)
	r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
	require.NoError(t, err)
	require.Equal(t, "want <= 3s, got 4s", r.Steps[0].Checks[1].Reason)
}
