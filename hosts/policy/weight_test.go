package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Along the search order of any policy weights never grow, and they are equal where
// nothing but the place in the policy tells filters apart.
func TestWeightsFollowSearchOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		for i, r := range p.Rules {
			if r.Action.Kind == Negotiate && rapid.Bool().Draw(t, "tunnel") {
				p.Rules[i].Tunnel = netip.MustParseAddr("192.0.2.1")
			}
		}
		o := Options{Ties: rapid.Permutation([]Kind{Permit, Block, Negotiate}).Draw(t, "ties")}
		var persistent *Policy
		if rapid.Bool().Draw(t, "persistent") {
			persistent = drawPolicy(t)
			persistent.Name = "persistent"
			o.Persistent = rapid.SampledFrom([]Precedence{PersistentSpecific, PersistentFirst, PersistentLast}).Draw(t, "precedence")
		}
		c, err := CompileBoth(persistent, p, []netip.Addr{addr("10.0.0.1"), addr("2001:db8::1")}, o)
		require.NoError(t, err)
		for i := 1; i < len(c.all); i++ {
			earlier, later := c.all[i-1], c.all[i]
			if _, by := before(earlier, later, c.ties); by == byPlace {
				require.Equal(t, earlier.weight(), later.weight(), "%s, %s", earlier.selector, later.selector)
			} else {
				require.Greater(t, earlier.weight(), later.weight(), "%s, %s", earlier.selector, later.selector)
			}
			require.NotZero(t, later.weight())
			require.Less(t, earlier.weight(), weightOf(nil), "exemptions go before all")
		}
	})
}

func TestWeightsReadOff(t *testing.T) {
	c := compile(t, policyOf(
		rule("sql", Negotiate, "tcp me > 10.0.0.2:1433 once"),
		rule("rest", Permit, "any any > any"),
		rule("block", Block, "any me > 10.0.0.0/24 once"),
	), "10.0.0.1")
	var weights []uint64
	for _, s := range c.all {
		weights = append(weights, s.weight())
	}
	require.Equal(t, []uint64{33_033_1_1_1, 33_025_0_0_3, 2}, weights)
}

// Dynamic filters of the default response rule stand behind all others.
func TestWeightOfADynamicFilter(t *testing.T) {
	p := policyOf(rule("rest", Negotiate, "any any > 0.0.0.0/0"))
	p.DefaultResponse = &DefaultResponse{Auth: []AuthMethod{{PreSharedKey: psk}}}
	c := compile(t, p, "10.0.0.1").WithResponse([]Response{{Number: 1, Outbound: ipsec.Selector{Src: ipsec.Host(addr("10.0.0.1")), Dst: ipsec.Host(addr("10.0.0.2"))}}})
	plumbed := c.plumbed[ipsec.Outbound]
	require.Zero(t, plumbed[len(plumbed)-1].weight())
	require.NotZero(t, plumbed[len(plumbed)-2].weight())
}
