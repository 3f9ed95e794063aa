package scenarios_test

import (
	"testing"

	"github.com/ipseclab/ipseclab/scenarios"
)

// On a link of 128 bytes IKE travels in fragments. They are no clear traffic of
// the step, and each message counts once.
func TestFragmentsOfIKEAreIKE(t *testing.T) {
	scenarios.Check(t, parse(t, `
title: a narrow link
network: {segments: {lan: {mtu: 128}}}
nodes:
  a: {interfaces: [{segment: lan, address: 10.0.1.1/24}]}
  b: {interfaces: [{segment: lan, address: 10.0.1.2/24}], serves: [{udp: 7}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {require: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}}
policies: {p: {rules: [{filter-list: all, filter-action: require, authentication: [{psk: fragments of a shared secret}]}]}}
assignments: {a: p, b: p}
steps:
  - udp: {from: a, to: b, port: 7, size: 300}
    expect: {result: ok, wire: {protection: esp}, ike: {messages: 9, retransmits: 0}}
invariants:
  - wire: {between: [a, b], protection: esp}
`), scenarios.Options{})
}

// Two datagrams in fragments at one time, one for each port: a tally by port
// does not take the fragments of one for the other's.
func TestFragmentsCountForTheirPort(t *testing.T) {
	scenarios.Check(t, parse(t, `
title: two large datagrams
network: {segments: {lan: {}}}
nodes:
  a: {interfaces: [{segment: lan, address: 10.0.1.1/24}]}
  b: {interfaces: [{segment: lan, address: 10.0.1.2/24}], serves: [{udp: 7}, {udp: 8}]}
steps:
  - udp: {from: a, to: b, port: 7, size: 4000}
    background: true
    expect: {result: ok, wire: {protection: clear, frames: 6, fragments: 6}}
  - udp: {from: a, to: b, port: 8, size: 10000}
    expect: {result: ok, wire: {protection: clear, frames: 14, fragments: 14}}
`), scenarios.Options{})
}
