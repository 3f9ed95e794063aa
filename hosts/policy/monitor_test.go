package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// A larger weight is searched first, in every policy.
func TestWeightsFollowTheSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Exempt: drawExempt(t), Ties: rapid.Permutation([]Kind{Permit, Block, Negotiate}).Draw(t, "ties")}
		c, err := Compile(drawPolicy(t), []netip.Addr{addr("10.0.0.1"), addr("2001:db8::1")}, o)
		require.NoError(t, err)
		last := map[string]uint64{}
		for _, f := range c.Monitor().QuickModeSpecific {
			if f.Unused != "" {
				continue
			}
			if before, ok := last[f.Direction]; ok {
				require.LessOrEqual(t, f.Weight, before, "%+v", f)
			}
			last[f.Direction] = f.Weight
			require.Equal(t, strings.HasPrefix(f.Rule, "exempt: "), f.Weight == exemptWeight)
			require.Positive(t, f.Weight)
		}
	})
}

// The monitor shows the filters that decide: each specific one is an SPD entry, in its order.
func TestMonitorShowsTheSPD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := Compile(drawPolicy(t), []netip.Addr{addr("10.0.0.1"), addr("2001:db8::1")}, Options{Exempt: drawExempt(t)})
		require.NoError(t, err)
		var want, got []string
		for _, d := range []ipsec.Direction{ipsec.Outbound, ipsec.Inbound} {
			for _, e := range c.entries(d) {
				f := filterOf(e.Selector, e.Rule)
				want = append(want, strings.Join([]string{d.String(), f.Rule, f.Source, f.Destination, f.Protocol}, " "))
			}
		}
		for _, f := range c.Monitor().QuickModeSpecific {
			if f.Unused == "" {
				got = append(got, strings.Join([]string{f.Direction, f.Rule, f.Source, f.Destination, f.Protocol}, " "))
			}
		}
		require.Equal(t, want, got)
	})
}

func TestMonitorOfTunnelsAndDefaultResponse(t *testing.T) {
	tunnel := rule("tunnel", Negotiate, "any 10.1.0.0/16 > 10.2.0.0/16")
	tunnel.Tunnel = addr("10.0.0.2")
	idle := rule("idle", Block, "any me > any")
	idle.Inactive = true
	p := &Policy{Name: "p", Rules: []Rule{tunnel, idle, rule("all", Permit, "any me > any")}, DefaultResponse: &DefaultResponse{Auth: []AuthMethod{{PreSharedKey: "secret"}}}}
	c, err := Compile(p, []netip.Addr{addr("10.0.0.1"), addr("10.1.0.1")}, Options{})
	require.NoError(t, err)
	with := c.WithResponse([]Response{{Number: 1, Outbound: ipsec.Selector{Src: ipsec.Host(addr("10.0.0.1")), Dst: ipsec.Host(addr("10.9.0.1"))}}})
	m := with.Monitor()

	require.Len(t, m.Rules, 4)
	require.Equal(t, "10.0.0.2", m.Rules[0].Tunnel)
	require.False(t, m.Rules[1].Active)
	require.Equal(t, DefaultResponseName, m.Rules[3].Name)
	for _, name := range m.Rules[0].Methods {
		_, err := ParseSecurityMethod(name)
		require.NoError(t, err, "tunnel methods have netsh's words, too")
	}

	var outbound []MonitorFilter
	for _, f := range m.QuickModeSpecific {
		require.NotEqual(t, "p/idle", f.Rule, "an inactive rule has no filters in force")
		if f.Direction == "outbound" && f.Action != actionExempt {
			outbound = append(outbound, f)
		}
	}
	require.Equal(t, "p/tunnel", outbound[0].Rule, "tunnels are searched first")
	require.Equal(t, "10.0.0.2", outbound[0].Tunnel)
	last := outbound[len(outbound)-1]
	require.Equal(t, "<Dynamic>", last.From)
	require.Zero(t, last.Weight, "the default response rule is for what no other filter is for")

	require.Equal(t, "me", m.MainModeSpecific[0].Source)
	require.Equal(t, "10.0.0.2", m.MainModeSpecific[0].Destination, "main mode is with the end of the tunnel")
	text := strings.Join(append(m.Rules[0].Auth, m.Rules[3].Auth...), " ")
	require.NotContains(t, text, "secret")
}

func TestMonitorWithoutPolicy(t *testing.T) {
	c, err := Compile(nil, []netip.Addr{addr("10.0.0.1")}, Options{})
	require.NoError(t, err)
	require.Equal(t, Monitor{}, c.Monitor())
}
