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
	"an address that a stopped agent does not know, and its filters neither": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}], ipsec: {agent-stopped: filters}}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {block: {action: block}}
policies:
  client: {rules: [{filter-list: all, filter-action: block}]}
assignments: {client: client}
steps:
  - {policy-agent: {host: client, action: stop}}
  - {policy-agent: {host: client, action: stop}}
  - {udp: {from: client, to: server, port: 7, timeout: 1s}, expect: {result: timeout}}
  - {set-address: {node: client, address: 10.0.0.11/24}}
  - {udp: {from: client, to: server, port: 7}, expect: {result: ok}}
`,
	"IPv6 in stateful mode, which the policies of the host do not concern": `
network: {segments: {lan: {subnet: "fd00::/64"}}}
nodes:
  client: {interfaces: [{segment: lan, address: "fd00::10/64"}]}
  server: {interfaces: [{segment: lan, address: "fd00::20/64"}], ipsec: {ipv6: bypass, agent-delay: 1h, boot-mode: stateful}}
steps:
  - {ping: {from: server, to: client}, expect: {result: ok}}
`,
	"a soft SA that begins with what arrives": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}], ipsec: {no-ike: true}}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}], ipsec: {retransmit: [1s, 3s]}}
filter-lists: {all: [{source: me, destination: any, protocol: udp}]}
filter-actions: {request: {action: negotiate, inpass: true, soft: true, security-methods: ["ESP[3DES,SHA1]"]}}
policies:
  server: {rules: [{filter-list: all, filter-action: request, authentication: [{psk: "all together now, all together now"}]}]}
assignments: {server: server}
steps:
  - {udp: {from: client, to: server, port: 9, timeout: 1s}}
  - {udp: {from: client, to: server, port: 7}, at: 1m, expect: {result: ok, wire: {protection: clear}, never: [{kind: driver.acquire}]}}
`,
	"a change of policy that leaves a main mode alone": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}], ipsec: {policy-change: invalid}}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}]}
filter-lists: {all: [{source: me, destination: any, protocol: udp}], web: [{source: me, destination: any, protocol: tcp}]}
filter-actions: {request: {action: negotiate, soft: true, security-methods: ["ESP[3DES,SHA1]"]}, block: {action: block}}
policies:
  client: {rules: [{filter-list: all, filter-action: request, authentication: [{psk: "all together now, all together now"}]}]}
  stricter: {rules: [{filter-list: all, filter-action: request, authentication: [{psk: "all together now, all together now"}]}, {filter-list: web, filter-action: block}]}
assignments: {client: client}
steps:
  - {udp: {from: client, to: server, port: 7}, expect: {result: ok}}
  - {assign-policy: {host: client, policy: stricter}, at: 10s}
  - {udp: {from: client, to: server, port: 7}, expect: {result: ok, latency: 3s..3.1s, never: [{kind: ike.negotiation}]}}
`,
	"block mode, and what waited for the address of a neighbour": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}], ipsec: {agent-stopped: boot, boot-mode: block}}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24, link: {latency: 600ms}}], serves: [{udp: 7}]}
steps:
  - {udp: {from: client, to: server, port: 7}, background: true, expect: {result: timeout, application: {datagrams: 0}}}
  - {policy-agent: {host: client, action: stop}, at: 500ms}
  - {wait: 10s}
`,
	"a policy for all, and what waited under an address that is gone": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}]}
  server: {interfaces: [{segment: lan, address: 10.0.0.20/24, link: {latency: 400ms}}], serves: [{udp: 7}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {block: {action: block}}
policies:
  client: {rules: [{filter-list: all, filter-action: block}]}
steps:
  - {udp: {from: client, to: server, port: 7}, background: true, expect: {application: {datagrams: 0}}}
  - {assign-policy: {host: client, policy: client}, at: 500ms}
  - {set-address: {node: client, address: 10.0.0.11/24}, at: 500ms}
  - {wait: 10s}
`,
	"a persistent policy in the gap, and an address that comes by DHCP": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: dhcp}], ipsec: {agent-delay: 20s}}
  server: {interfaces: [{segment: lan, address: 10.0.0.2/24}], serves: [{udp: 7}, {dhcp: {range: 10.0.0.100-10.0.0.103, lease: 1h}}]}
filter-lists: {echo: [{source: me, destination: server, protocol: udp, destination-port: 7}]}
filter-actions: {block: {action: block}}
policies:
  client: {rules: [{filter-list: echo, filter-action: block}]}
persistent: {client: client}
steps:
  - {udp: {from: client, to: server, port: 7}, at: 5s, expect: {result: timeout, rule: {from: client/echo}}}
`,
	"a policy that changes on its server while the answer is on the way": `
network: {segments: {lan: {subnet: 10.0.0.0/24, latency: 1s}}}
nodes:
  client: {interfaces: [{segment: lan, address: 10.0.0.10/24}], ipsec: {policy-source: {server: dc, port: 389, policy: group}}}
  dc: {interfaces: [{segment: lan, address: 10.0.0.20/24}], serves: [{udp: 7}, {tcp: 389, policies: [group]}]}
filter-lists: {echo: [{source: me, destination: any, protocol: udp}]}
filter-actions: {permit: {action: permit}, block: {action: block}}
policies:
  group: {rules: [{filter-list: echo, filter-action: permit}]}
  edited: {rules: [{filter-list: echo, filter-action: block}]}
steps:
  - {store-policy: {host: dc, policy: edited, as: group}, at: 7500ms}
  - {udp: {from: client, to: dc, port: 7}, at: 8500ms, expect: {result: ok, rule: {from: group/echo}}}
`,
	"servers of the moment in which a policy was put in force, and a lease that a restart has ended": `
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  client: {interfaces: [{segment: lan, address: dhcp}], ipsec: {static-servers: true}}
  server: {interfaces: [{segment: lan, address: 10.0.0.2/24}], serves: [{udp: 7}, {dhcp: {range: 10.0.0.100-10.0.0.103, lease: 1h, dns: [server]}}]}
filter-lists: {dns: [{source: me, destination: dns-servers}]}
filter-actions: {block: {action: block}}
policies:
  client: {rules: [{filter-list: dns, filter-action: block}]}
assignments: {client: client}
steps:
  - {restart-host: {host: client, boot: 1s}, at: 10s}
  - {udp: {from: client, to: server, port: 7}, at: 20s, expect: {result: ok}}
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
