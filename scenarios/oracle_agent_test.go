package scenarios

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// gapWorld has a server whose agent starts late, and which is tried and asks in the gap
// and after it, polls, and loses its agent.
const gapWorld = `
title: gap
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  server:
    interfaces: [{segment: lan, address: 10.0.0.10/24}]
    serves: [{tcp: 80}]
    ipsec: {agent-delay: 20s, boot-mode: permit, agent-stopped: filters}
  client: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 42}]}
filter-lists: {all: [{source: me, destination: any, protocol: udp}], web: [{source: any, destination: me, protocol: tcp, destination-port: 80}]}
filter-actions: {block: {action: block}, permit: {action: permit}}
policies:
  server: {polling: 1m, rules: [{filter-list: all, filter-action: block}, {filter-list: web, filter-action: permit}]}
  open: {rules: [{filter-list: web, filter-action: permit}]}
assignments: {server: server}
steps:
  - connect: {from: client, to: server, port: 80}
  - udp: {from: server, to: client, port: 42, timeout: 1s}
  - at: 20s
    wait: 1s
  - udp: {from: server, to: client, port: 42, timeout: 1s}
  - store-policy: {host: server, policy: open, as: server}
  - at: 1m25s
    udp: {from: server, to: client, port: 42, timeout: 1s}
  - policy-agent: {host: server, action: stop}
  - udp: {from: server, to: client, port: 42, timeout: 1s}
`

// runGap runs it with an oracle that believes something else.
func runGap(t *testing.T, believe func(*lab)) result.Check {
	s, err := spec.Parse("gap.yaml", []byte(gapWorld))
	require.NoError(t, err)
	l, err := build(s, Options{}, io.Discard, nil)
	require.NoError(t, err)
	defer l.close()
	believe(l)
	r, err := l.run(t.Context())
	require.NoError(t, err)
	return r.Invariants[0]
}

// settings has the oracle believe other settings of the server than those that it follows.
func settings(change func(*spec.IPsec)) func(*lab) {
	return func(l *lab) {
		believed := *l.spec.Nodes["server"].IPsec
		change(&believed)
		t := l.oracle.terms["server"]
		t.restarts.IPsec = &believed
		t.up(0)
	}
}

// The oracle reckons by itself how a driver starts and when its agent does what: it is
// quiet about a host that keeps to its settings, and catches one that does not.
func TestOracleReckonsAgents(t *testing.T) {
	for _, c := range []struct {
		name    string
		believe func(*lab)
		caught  string
	}{
		{"keeps to its settings", func(*lab) {}, ""},
		{"filters nothing at boot, and should block", settings(func(s *spec.IPsec) { s.BootMode = spec.BootBlock }), "rule boot: block forbids it"},
		{"lets in at boot what nobody asked for", settings(func(s *spec.IPsec) { s.BootMode = spec.BootStateful }), "rule boot: stateful forbids it: it answers"},
		{"has boot exemptions", settings(func(s *spec.IPsec) {
			s.BootMode, s.BootExemptions = spec.BootBlock, []string{"tcp:80:0:outbound", "udp:0:42:outbound"}
		}), ""},
		{"lets in an exemption", settings(func(s *spec.IPsec) {
			s.BootMode, s.BootExemptions = spec.BootStateful, []string{"tcp:0:80:inbound"}
		}), ""},
		{"has an agent that starts too late", settings(func(s *spec.IPsec) { s.AgentDelay = spec.Duration(time.Millisecond) }), "rule server/all"},
		{"has no persistent policy, and should", func(l *lab) {
			p := *l.policies["server"]
			p.Name = "lockdown"
			server := l.oracle.terms["server"]
			server.persistent.put(&p)
			server.persistent.assigned = p.Name
			server.up(0)
		}, "rule lockdown/all"},
		{"polls too early", func(l *lab) {
			p := *l.policies["server"]
			p.Polling = 2 * time.Minute
			server := l.oracle.terms["server"]
			server.local.put(&p)
			server.up(0)
		}, "rule server/all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict := runGap(t, c.believe)
			if c.caught != "" {
				require.Equal(t, Failed, verdict.Outcome, verdict.Got)
				require.Contains(t, verdict.Reason, "left server in the clear")
				require.Contains(t, verdict.Reason, c.caught)
				return
			}
			require.Equal(t, Passed, verdict.Outcome, verdict.Reason)
		})
	}
}
