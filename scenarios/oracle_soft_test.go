package scenarios

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// softWorld is a client that falls back to clear with a server without IPsec, twice:
// a pause lies between.
const softWorld = `
title: fall back
network: {segments: {lan: {subnet: 10.0.0.0/24, latency: 10ms}}}
nodes:
  client:
    interfaces: [{segment: lan, address: 10.0.0.10/24}]
    ipsec: {fall-back: {after: 2s, idle: 3m, lifetime: 1h}}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {request: {action: negotiate, soft: true, security-methods: ["ESP[3DES,SHA1]"]}}
policies:
  client: {rules: [{name: all, filter-list: all, filter-action: request, authentication: [{psk: "it is silent, and I have waited long"}]}]}
assignments: {client: client}
steps:
  - udp: {from: client, to: server, port: 7, count: 3}
  - wait: 15s
  - udp: {from: client, to: server, port: 7}
  - wait: 2m
  - udp: {from: client, to: server, port: 7}
`

// runSoft runs softWorld with an oracle that is told something else than the host.
func runSoft(t *testing.T, change func(*lab)) result.Check {
	s, err := spec.Parse("soft.yaml", []byte(softWorld))
	require.NoError(t, err)
	l, err := build(s, Options{}, io.Discard, nil)
	require.NoError(t, err)
	defer l.close()
	change(l)
	r, err := l.run(t.Context())
	require.NoError(t, err)
	return r.Invariants[0]
}

// fallBack has the oracle expect other settings than the host follows.
func fallBack(change func(*spec.FallBack)) func(*lab) {
	return func(l *lab) {
		f := *l.spec.Nodes["client"].IPsec.FallBack
		change(&f)
		n := l.spec.Nodes["client"]
		n.IPsec = &spec.IPsec{FallBack: &f}
		l.spec.Nodes["client"] = n
	}
}

// The oracle reckons soft SAs itself: it is quiet about a host that keeps to its
// settings, and catches one that does not.
func TestOracleReckonsSoftSAs(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lab)
		caught bool
	}{
		{"keeps to its settings", func(*lab) {}, false},
		{"falls back too early", fallBack(func(f *spec.FallBack) { f.After = spec.Duration(2001 * time.Millisecond) }), true},
		{"goes on after the soft SA was idle", fallBack(func(f *spec.FallBack) { f.Idle = spec.Duration(14 * time.Second) }), true},
		{"goes on after its lifetime", fallBack(func(f *spec.FallBack) { f.Lifetime = spec.Duration(16 * time.Second) }), true},
		{"never asks again", fallBack(func(f *spec.FallBack) { f.Lifetime = spec.Duration(30 * time.Second) }), true},
		{"falls back without a rule that allows it", func(l *lab) {
			p := *l.policies["client"]
			p.Rules = slices.Clone(p.Rules)
			p.Rules[0].Action.Soft = false
			l.oracle.terms["client"].duty.policy = &p
		}, true},
		{"has another policy than the oracle knows", func(l *lab) {
			p := *l.policies["client"]
			p.Rules = slices.Clone(p.Rules)
			p.Rules[0].Action = policy.FilterAction{Name: "block", Kind: policy.Block}
			l.oracle.terms["client"].duty.policy = &p
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict := runSoft(t, c.change)
			if c.caught {
				require.Equal(t, Failed, verdict.Outcome)
				require.Contains(t, verdict.Reason, "left client in the clear (udp 10.0.0.10:")
				require.Contains(t, verdict.Reason, "rule client/all")
				return
			}
			require.Equal(t, Passed, verdict.Outcome, verdict.Reason)
			require.Contains(t, verdict.Got, "5 of them after silence of peers")
		})
	}
}
