package scenarios

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// together are hosts that keep to their policies, where several things that the oracle
// reckons with happen together. It must not find anything.
var together = map[string]string{
	"a fall back to clear under a policy that the agent has read late": `
network: {segments: {lan: {subnet: 10.0.0.0/24, latency: 10ms}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}], ipsec: {agent-delay: 5s}}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {request: {action: negotiate, soft: true, security-methods: ["ESP[3DES,SHA1]"]}}
policies:
  client: {rules: [{filter-list: all, filter-action: request, authentication: [{psk: "all together now, all together now"}]}]}
assignments: {client: client}
steps:
  - {udp: {from: client, to: server, port: 7}, at: 7s, expect: {result: ok, wire: {protection: clear}}}
`,
	"two neighbours that are asked for at one time": `
network: {segments: {lan: {subnet: 10.0.0.0/24, latency: 10ms}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}]}
  one: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}]}
  two: {interfaces: [{segment: lan, address: 10.0.0.30/24}], serves: [{udp: 7}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {request: {action: negotiate, soft: true, security-methods: ["ESP[3DES,SHA1]"]}}
policies:
  client: {rules: [{filter-list: all, filter-action: request, authentication: [{psk: "all together now, all together now"}]}]}
assignments: {client: client}
steps:
  - {udp: {from: client, to: one, port: 7}, background: true}
  - {udp: {from: client, to: two, port: 7}, expect: {result: ok}}
`,
	"all addresses of one family before any address": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}]}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}]}
filter-lists:
  all-of-four: [{source: me, destination: 0.0.0.0/0}]
  datagrams: [{source: me, destination: any, protocol: udp}]
filter-actions:
  permit: {action: permit}
  block: {action: block}
policies:
  client: {rules: [{filter-list: all-of-four, filter-action: permit}, {filter-list: datagrams, filter-action: block}]}
assignments: {client: client}
steps:
  - {udp: {from: client, to: server, port: 7}, expect: {result: ok, rule: {from: client/all-of-four}}}
`,
	"a lease that ends under a policy that is expanded late": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client:
    interfaces: [{segment: lan, address: dhcp}]
    ipsec: {agent-delay: 20s, boot-mode: stateful, re-expand: 100ms}
  server: {interfaces: [{segment: lan, address: 10.0.0.2/24}], serves: [{dhcp: {range: 10.0.0.100-10.0.0.103, lease: 40s}}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {block: {action: block}}
policies:
  client: {rules: [{filter-list: all, filter-action: block}]}
assignments: {client: client}
steps:
  - {wait: 1m, expect: {events: [{kind: app, node: client, with: {event: lost}}, {kind: app, node: client, with: {event: sends DISCOVER}}]}}
`,
}

func TestOracleOfThingsTogether(t *testing.T) {
	for name, text := range together {
		t.Run(name, func(t *testing.T) {
			s, err := spec.Parse("together.yaml", []byte("title: together\n"+text))
			require.NoError(t, err)
			require.NoError(t, Validate(s))
			l, err := build(s, Options{}, io.Discard, nil)
			require.NoError(t, err)
			defer l.close()
			r, err := l.run(t.Context())
			require.NoError(t, err)
			require.Equal(t, result.Passed, r.Outcome, "%+v", r.Steps)
			require.Equal(t, result.Passed, r.Invariants[0].Outcome, r.Invariants[0].Reason)
		})
	}
}
