package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// The oracle reads IPv6, also on a line without Ethernet: a leak is caught, and
// what it is.
func TestWireOracleCatchesALeakOverIPv6(t *testing.T) {
	for file, host := range map[string]string{"v6_host_to_host.yaml": "alice", "net_point_to_point.yaml": "branch"} {
		r, err := scenarios.Run(t.Context(), load(t, file), scenarios.Options{Faults: map[string]hosts.Faults{host: {PassClear: 7}}})
		require.NoError(t, err)
		verdict := r.Invariants[0]
		require.Equal(t, scenarios.Failed, verdict.Outcome, file)
		require.Contains(t, verdict.Reason, "left "+host+" in the clear")
		require.Regexp(t, `\[2001:db8:|icmpv6 2001:db8|10\.9\.0\.3:`, verdict.Reason)
	}
}

// It believes neighbour discovery and what the setting ipv6: bypass lets pass, and
// says how much that was.
func TestWireOracleCountsWhatBypassesPolicy(t *testing.T) {
	r := scenarios.Check(t, load(t, "v6_host_to_host.yaml"), scenarios.Options{})
	require.NotContains(t, r.Invariants[0].Got, "bypass")
	r = scenarios.Check(t, load(t, "v6_not_in_policy.yaml"), scenarios.Options{})
	require.Regexp(t, `[1-9]\d* of them are of IPv6, which the hosts' setting ipv6: bypass lets pass`, r.Invariants[0].Got)

	// The same network without the setting: IPv6 is protected like IPv4.
	s := load(t, "v6_not_in_policy.yaml")
	for _, n := range s.Nodes {
		if n.IPsec != nil {
			n.IPsec.IPv6 = ""
		}
	}
	s.Steps, s.Invariants = s.Steps[:2], nil
	s.Steps[1].Expect.Wire.Protection = "esp"
	s.Steps[1].Expect.Rule.From, s.Steps[1].Expect.Rule.To = "secure-server/all", "secure-server/all"
	s.Steps[1].Expect.IKE = nil
	scenarios.Check(t, s, scenarios.Options{})
}

// A policy that blocks all of the host's own keeps back also what goes to a group
// of the link's scope, for which a stack would take its link-local address.
func TestBlockedAnnouncementsOverIPv6(t *testing.T) {
	s, err := spec.Parse("announce.yaml", []byte(`
title: nothing goes to groups
network: {segments: {lan: {}}}
nodes:
  alice: {interfaces: [{segment: lan, address: "2001:db8::1/64"}]}
  bob: {interfaces: [{segment: lan, address: "2001:db8::2/64"}], serves: [{udp: 4001, group: "ff02::4321"}]}
filter-lists: {all: [{source: me, destination: any}]}
filter-actions: {block: {action: block}}
policies: {closed: {rules: [{filter-list: all, filter-action: block}]}}
steps:
  - announce: {from: alice, to: "ff02::4321", port: 4001}
    expect: {heard: {bob: 1}, wire: {protection: clear}, rule: {from: no match}}
  - assign-policy: {host: alice, policy: closed}
  - announce: {from: alice, to: "ff02::4321", port: 4001}
    expect: {heard: {bob: 0}, wire: {protection: nothing}, rule: {from: closed/all}, counters: {alice: {policy-drops: 1}}}
`))
	require.NoError(t, err)
	scenarios.Check(t, s, scenarios.Options{})
}
