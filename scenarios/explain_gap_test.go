package scenarios_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// In the gap at boot the answer is what the driver does: with boot exemptions, with what
// the host has asked for, and with IPv6 where its policies do not concern it.
func TestExplainInTheGap(t *testing.T) {
	s, err := spec.Parse("gap.yaml", []byte(`
title: the gap
network: {segments: {lan: {}}}
nodes:
  server:
    interfaces: [{segment: lan, addresses: [10.0.0.10/24, "fd00::10/64"]}]
    ipsec: {agent-delay: 1h, boot-mode: stateful, boot-exemptions: ["tcp:0:3389:inbound"], ipv6: bypass}
  peer: {interfaces: [{segment: lan, addresses: [10.0.0.20/24, "fd00::20/64"]}], serves: [{udp: 7}]}
steps:
  - udp: {from: server, to: peer, port: 7, from-port: 1025}
`))
	require.NoError(t, err)
	for _, c := range []struct {
		q    scenarios.Question
		want string
	}{
		{scenarios.Question{From: "peer", To: "server", Protocol: "tcp", Port: 3389}, "pass"},
		{scenarios.Question{From: "peer", To: "server", Protocol: "tcp", Port: 445}, "drop"},
		{scenarios.Question{From: "peer", To: "server", Protocol: "udp", FromPort: 7, Port: 1025}, "pass"},
		{scenarios.Question{From: "peer", To: "server", Protocol: "udp", FromPort: 7, Port: 1026}, "drop"},
		{scenarios.Question{From: "fd00::20", To: "fd00::10", Protocol: "tcp", Port: 445}, "pass"},
	} {
		c.q.Direction = scenarios.DirectionIn
		x, err := scenarios.ExplainAt(t.Context(), s, c.q, time.Minute)
		require.NoError(t, err)
		require.Equal(t, c.want, x.Views[0].Now.Result, "%+v: %s", c.q, x)
	}
}
