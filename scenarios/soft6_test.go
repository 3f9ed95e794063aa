package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Fall back to clear over IPv6: the peer says by ICMPv6 that its port 500 is closed,
// and the client believes it. Under a rule that does not allow it nothing leaves.
func TestFallBackOverIPv6(t *testing.T) {
	s, err := spec.Parse("soft6.yaml", []byte(`
title: fall back over IPv6
network: {segments: {lan: {subnet: "2001:db8::/64", latency: 10ms}}}
nodes:
  client:
    interfaces: [{segment: lan, address: "2001:db8::10/64"}]
    ipsec: {fall-back: {on-unreachable: true}}
  server:
    interfaces: [{segment: lan, address: "2001:db8::20/64"}]
    serves: [{udp: 7}, {udp: 9}]
    ipsec: {no-ike: true}
filter-lists:
  all: [{source: me, destination: any}]
  icmp: [{source: me, destination: any, protocol: icmpv6}]
  nine: [{source: me, destination: any, protocol: udp, destination-port: 9}]
filter-actions:
  request: {action: negotiate, soft: true, security-methods: ["ESP[3DES,SHA1]"]}
  require: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}
  permit: {action: permit}
policies:
  client:
    rules:
      - {name: all, filter-list: all, filter-action: request, authentication: [{psk: "who speaks six speaks no IKE, they say"}]}
      - {name: nine, filter-list: nine, filter-action: require, authentication: [{psk: "who speaks six speaks no IKE, they say"}]}
      - {name: icmp, filter-list: icmp, filter-action: permit}
assignments: {client: client}
steps:
  - udp: {from: client, to: server, port: 7}
    expect: {result: ok, latency: 40ms..80ms, wire: {protection: clear}, counters: {client: {soft-associations: 1}}}
  - udp: {from: client, to: server, port: 9}
    expect: {result: timeout, wire: {protection: nothing}, rule: {from: client/nine}}
  - udp: {from: client, to: server, port: 7, count: 3, size: 2000}
    expect: {received: 3, latency: 20ms, wire: {protection: clear, fragments: 12}}
`))
	require.NoError(t, err)
	scenarios.Check(t, s, scenarios.Options{})
}
