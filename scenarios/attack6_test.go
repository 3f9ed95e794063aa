package scenarios_test

import (
	"strings"
	"testing"

	"github.com/ipseclab/ipseclab/scenarios"
)

// An attacker reads and alters IPv6. Traffic class and hop limit are not covered by
// AH either (RFC 4302, Section 3.3.3.1.2); the packet with a wrong ICV is dropped.
func TestAttackerOverIPv6(t *testing.T) {
	for wire, method := range map[string]string{"esp": "ESP[3DES,SHA1]", "ah": "AH[SHA1]"} {
		text := strings.NewReplacer("WIRE", wire, "METHOD", method).Replace(underAttack6)
		scenarios.Check(t, parse(t, text), scenarios.Options{})
	}
}

const underAttack6 = `
title: IPv6 under an attacker
network: {segments: {lan: {}}}
nodes:
  client: {interfaces: [{segment: lan, address: "2001:db8::1/64"}]}
  server: {interfaces: [{segment: lan, address: "2001:db8::2/64"}], serves: [{udp: 7}]}
  mallory: {type: attacker, interfaces: [{segment: lan}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {require: {action: negotiate, security-methods: ["METHOD"]}}
policies: {p: {rules: [{filter-list: all, filter-action: require, authentication: [{psk: an attacker on the new protocol}]}]}}
assignments: {client: p, server: p}
steps:
  - udp: {from: client, to: server, port: 7}
    expect: {received: 1, wire: {protection: WIRE}}
  - title: traffic class and hop limit may change on the way
    tamper: {by: mallory, link: server, protocol: WIRE, source: client, frames: 1, change: [{field: ip.tos, set: 0x5a}, {field: ip.ttl, set: 9}]}
  - udp: {from: client, to: server, port: 7}
    expect: {received: 1, counters: {server: {not-authenticated: 0}}}
  - title: what is inside may not
    tamper: {by: mallory, link: server, protocol: WIRE, source: client, frames: 1, change: [{field: icv, flip: 5}]}
  - udp: {from: client, to: server, port: 7, timeout: 1s}
    expect: {received: 0, counters: {server: {not-authenticated: 1}}}
  - udp: {from: client, to: server, port: 7}
    expect: {received: 1}
`
