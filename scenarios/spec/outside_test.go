package spec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const outsideFile = `
title: where outside programs are attached
network:
  segments:
    lan: {subnet: 10.0.0.0/24}
    six: {subnet: 2001:db8::/64}
    pair: {}
    far: {subnet: 10.0.9.0/24}
    twice: {subnet: 10.0.5.0/29}
nodes:
  alice: {interfaces: [{segment: lan, address: 10.0.0.254/24}]}
  dhcp: {interfaces: [{segment: lan, address: 10.0.0.1/24}], serves: [{dhcp: {range: "10.0.0.100-10.0.0.252"}}]}
  outside: {interfaces: [{segment: pair, address: 10.0.7.0/31}]}
  router:
    type: router
    interfaces: [{segment: lan, address: 10.0.0.9/24}, {segment: six, address: "2001:db8::1/64"}, {segment: far, address: 10.0.9.1/24}, {segment: twice, address: 10.0.5.1/29}]
  other: {type: router, interfaces: [{segment: twice, address: 10.0.5.2/29}]}
steps:
  - set-address: {node: alice, address: 10.0.0.253/24}
  - wait: 1s
`

// TestAttach: a node for an outside program has an address that nobody has or may get, and the one router there is.
func TestAttach(t *testing.T) {
	s, err := Parse("outside.yaml", []byte(outsideFile))
	require.NoError(t, err)
	for _, tc := range []struct {
		at               Outside
		address, gateway string
		routes           []Route
	}{
		{Outside{Segment: "lan"}, "10.0.0.99/24", "10.0.0.9", nil},
		{Outside{Segment: "lan", Gateway: GatewayNone}, "10.0.0.99/24", "", nil},
		{Outside{Segment: "lan", Address: "10.0.0.120/24", Gateway: "10.0.0.9"}, "10.0.0.120/24", "10.0.0.9", nil},
		{Outside{Segment: "lan", Scoped: true}, "10.0.0.99/24", "", []Route{{"10.0.9.0/24", "10.0.0.9"}, {"10.0.7.0/31", "10.0.0.9"}, {"10.0.5.0/29", "10.0.0.9"}}},
		{Outside{Segment: "six"}, "2001:db8::ffff:ffff:ffff:ffff/64", "2001:db8::1", nil},
		{Outside{Segment: "pair"}, "10.0.7.1/31", "", nil},
		{Outside{Segment: "twice"}, "10.0.5.6/29", "", nil},
		{Outside{Segment: "twice", Gateway: "10.0.5.2"}, "10.0.5.6/29", "10.0.5.2", nil},
	} {
		out, name, err := s.Attach(tc.at)
		require.NoError(t, err, "%+v", tc.at)
		require.Equal(t, "outside2", name, "a node of the file is called outside")
		n := out.Nodes[name]
		require.Equal(t, []Interface{{Segment: tc.at.Segment, Address: tc.address}}, n.Interfaces)
		require.Equal(t, tc.gateway, n.Gateway, "%+v", tc.at)
		require.Equal(t, tc.routes, n.Routes)
		require.Equal(t, []string{name}, out.Peers())
	}
	require.Empty(t, s.Peers(), "the scenario itself is as it was")
}
