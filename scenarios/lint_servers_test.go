package scenarios_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

const toldServers = `title: servers by kind, and addresses that change
kerberos-stand-in: "there is no domain in the lab"
network: {segments: {lan: {subnet: 10.1.0.0/16}}}
nodes:
  alice: {interfaces: [{segment: lan, address: 10.1.0.1/16}], servers: {dns: [10.1.0.53]}}
  bob: {interfaces: [{segment: lan, address: dhcp}]}
  leases: {interfaces: [{segment: lan, address: 10.1.0.67/16}], serves: [{dhcp: {range: 10.1.1.1-10.1.1.9}}]}
filter-lists:
  all: [{source: me, destination: any}]
  icmp: [{source: me, destination: any, protocol: icmp}]
  servers: [{source: me, destination: dns-servers}, {source: me, destination: leases}]
filter-actions:
  secure: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}
  permit: {action: permit}
policies:
  isolated:
    main-mode: {security-methods: [3DES-SHA1-3, 3DES-SHA1-2]}
    rules:
      - {name: all, filter-list: all, filter-action: secure}
      - {name: icmp, filter-list: icmp, filter-action: permit}
      - {name: servers, filter-list: servers, filter-action: permit}
assignments: {alice: isolated, bob: isolated}
steps:
  - wait: 1s
`

// A host is told of its servers, which may be no nodes; DHCP servers are known by what they serve.
func TestLintServersOfAHost(t *testing.T) {
	require.Empty(t, lintText(t, "told.yaml", toldServers))

	secured := strings.Replace(toldServers, "filter-list: servers, filter-action: permit", "filter-list: servers, filter-action: secure", 1)
	var got []string
	for _, f := range lintText(t, "told.yaml", secured) {
		got = append(got, f.String())
	}
	require.Equal(t, []string{
		"told.yaml:11:13: warning: rule isolated/servers negotiates with a DNS server: its filter is any me > dns, mirrored [negotiate-dns, C024, C155]",
		"told.yaml:11:53: warning: rule isolated/servers negotiates any 10.1.0.1 > 10.1.0.67, and leases has no policy [one-sided, C081, C116]",
		"told.yaml:19:9: info: rule isolated/all negotiates all traffic, and policy isolated exempts no server [infrastructure-not-exempt, C024, C153]",
		"told.yaml:21:9: warning: rule isolated/servers negotiates with leases, a DHCP server: udp 10.1.0.67 port 67 [negotiate-dhcp, C024, C156]",
	}, got)

	forgotten := strings.Replace(toldServers, "{source: me, destination: dns-servers}, ", "", 1)
	found := lintText(t, "told.yaml", forgotten)
	require.Len(t, found, 1)
	require.Equal(t, "told.yaml:19:9: warning: rule isolated/all negotiates with 10.1.0.53, a DNS server: udp 10.1.0.53 port 53 [negotiate-dns, C024, C155]", found[0].String())
}

// Filters that a host makes of addresses that it does not have yet are no idle ones, and
// a tunnel cannot be for it.
func TestLintDynamicAddresses(t *testing.T) {
	text := strings.Replace(toldServers, "      - {name: icmp,", `      - {name: out, filter-list: out, filter-action: secure, tunnel: leases}
      - {name: back, filter-list: back, filter-action: secure, tunnel: alice}
      - {name: icmp,`, 1)
	text = strings.Replace(text, "filter-lists:\n", `filter-lists:
  out: [{source: 10.1.0.0/24, destination: 10.2.0.0/24, mirrored: false}]
  back: [{source: 10.2.0.0/24, destination: 10.1.0.0/24, mirrored: false}]
`, 1)
	var dynamic []string
	for _, f := range lintText(t, "told.yaml", text) {
		require.NotEqual(t, "never-matches", f.Rule.ID, "%s", f)
		if f.Rule.ID == "tunnel-dynamic" {
			dynamic = append(dynamic, f.Message)
		}
	}
	require.Equal(t, []string{
		"the tunnel of rule isolated/out is for bob, whose own address changes",
		"the tunnel of rule isolated/back is for bob, whose own address changes",
	}, dynamic)
}

// What a policy server stores is for the hosts that fetch it, as a domain policy, and
// not for the server itself, whatever name it is stored under.
func TestLintFetchedPolicies(t *testing.T) {
	found, err := scenarios.LintAll(loadAll(t, "agent_cache.yaml"), scenarios.LintOptions{})
	require.NoError(t, err)
	var domain []string
	for _, f := range found {
		require.NotEqual(t, "never-matches", f.Rule.ID, "%s", f)
		require.NotEqual(t, "policy-unassigned", f.Rule.ID, "%s", f)
		if f.Rule.ID == "psk-domain" {
			domain = append(domain, f.Message)
		}
	}
	require.Equal(t, []string{
		"rule clients/all is in a domain policy, and its preshared key in plaintext in the directory",
		"rule edited/all is in a domain policy, and its preshared key in plaintext in the directory",
	}, domain)
}
