package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Two computers with one private address talk to a server that a box publishes: what is
// seen on each segment is known as whose it is, whatever addresses it has there.
func TestTrafficAcrossNATBoxes(t *testing.T) {
	all, err := spec.ParseAll("across.yaml", []byte(`
title: across
network:
  segments:
    home1: {subnet: 192.168.1.0/24}
    home2: {subnet: 192.168.1.0/24}
    internet: {subnet: 203.0.113.0/24}
    office: {subnet: 10.0.0.0/24}
nodes:
  a: {interfaces: [{segment: home1, address: 192.168.1.2/24}], gateway: 192.168.1.1}
  b: {interfaces: [{segment: home2, address: 192.168.1.2/24}], gateway: 192.168.1.1}
  s: {interfaces: [{segment: office, address: 10.0.0.2/24}], gateway: 10.0.0.1, serves: [{udp: 7}, {tcp: 80}]}
  n1:
    type: router
    interfaces: [{segment: home1, address: 192.168.1.1/24}, {segment: internet, address: 203.0.113.1/24}]
    nat: {box: home-router, outside: internet}
  n2:
    type: router
    interfaces: [{segment: home2, address: 192.168.1.1/24}, {segment: internet, address: 203.0.113.2/24}]
    nat: {box: home-router, outside: internet}
  n3:
    type: router
    interfaces: [{segment: office, address: 10.0.0.1/24}, {segment: internet, address: 203.0.113.3/24}]
    nat: {box: home-router, outside: internet, forwards: [{protocol: udp, port: 7, to: s}, {protocol: tcp, port: 80, to: s}]}
steps:
  - udp: {from: a, to: s, port: 7, count: 3}
    expect: {result: ok, application: {datagrams: 3}, wire: {protection: clear, data: readable, frames: 6}}
  - ping: {from: b, to: n1}
    expect: {result: ok}
  - udp: {from: b, to: s, port: 7}
    expect: {result: ok, application: {datagrams: 1}, wire: {protection: clear, frames: 2}}
  - connect: {from: b, to: 203.0.113.3, port: 80}
    expect: {result: ok, application: {connections: 1}}
invariants:
  - wire: {between: [a, s], protocol: udp, frames: 6}
  - wire: {between: [b, s], protocol: udp, frames: 2}
  - wire: {between: [a, b], frames: 0}
`))
	require.NoError(t, err)
	r, err := Run(t.Context(), all[0], Options{})
	require.NoError(t, err)
	for _, s := range r.Steps {
		for _, c := range s.Checks {
			require.Equal(t, result.Passed, c.Outcome, "%s: %s", s.Title, c.Reason)
		}
	}
	for _, c := range r.Invariants {
		require.Equal(t, result.Passed, c.Outcome, "%s: %s", c.Name, c.Reason)
	}
}
