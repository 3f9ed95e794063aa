package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
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

// What the wire shows of AH, ESP and both, in fragments too, and the SAs that it
// names: of a bundle those of both protocols.
func TestProtectionOnTheWire(t *testing.T) {
	for method, want := range map[string]spec.SA{
		"AH[MD5]":                {Protocol: spec.WireAH, AHAuth: "hmac-md5-96"},
		"ESP[None,SHA1]":         {Protocol: spec.WireESP, Cipher: "null", Auth: "hmac-sha1-96"},
		"AH[SHA1]+ESP[DES,MD5]":  {Protocol: spec.WireBoth, Cipher: "des-cbc", Auth: "hmac-md5-96", AHAuth: "hmac-sha1-96"},
		"AH[SHA1]+ESP[DES,None]": {Protocol: spec.WireBoth, Cipher: "des-cbc", Auth: "none", AHAuth: "hmac-sha1-96"},
	} {
		t.Run(method, func(t *testing.T) {
			data, other := spec.DataReadable, spec.DataHidden
			if want.Cipher == "des-cbc" {
				data, other = other, data
			}
			s := inCode(method)
			s.Steps = []spec.Step{{
				Ping: &spec.Ping{From: "client", To: "server", Size: 4000},
				Expect: &spec.Expect{
					Result: spec.ResultOK, Wire: &spec.Wire{Protection: want.Protocol, Data: data, Frames: exactly(6), Fragments: exactly(6)}, SA: &want,
				},
			}}
			scenarios.Check(t, s, scenarios.Options{})

			s.Steps[0].Expect.SA = &spec.SA{Protocol: want.Protocol, Mode: "transport"}
			s.Steps[0].Expect.Wire = &spec.Wire{Protection: spec.WireMixed, Data: other, Bytes: exactly(1)}
			r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
			require.NoError(t, err)
			var failed []string
			for _, c := range r.Steps[0].Checks {
				if c.Outcome != scenarios.Passed {
					failed = append(failed, c.Name+": "+c.Reason)
				}
			}
			require.Len(t, failed, 3)
			require.Equal(t, "protection on the wire: mixed: want mixed, frames seen, on all segments together: 6 "+want.Protocol, failed[0])
			require.Equal(t, "applications' data on the wire: "+other+": want "+other+", got "+data, failed[1])
			require.Regexp(t, `^bytes on the wire: 1: want 1, got \d+$`, failed[2])
		})
	}
}
