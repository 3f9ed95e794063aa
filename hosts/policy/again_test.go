package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// An entry that an expansion shares with the one before keeps its ID, and no ID
// passes to another entry.
func TestKeep(t *testing.T) {
	p := policyOf(rule("one", Negotiate, "any me > 10.0.0.2"), rule("two", Negotiate, "tcp me > any:80"), rule("three", Permit, "udp any > 10.0.0.9"))
	compile := func(local ...netip.Addr) *Compiled {
		c, err := Compile(p, local, Options{})
		require.NoError(t, err)
		return c
	}
	type place struct {
		rule string
		ipsec.Selector
	}
	ids := func(c *Compiled) map[place]int {
		all := map[place]int{}
		for _, e := range append(c.Outbound[:len(c.Outbound):len(c.Outbound)], c.Inbound...) {
			s := e.Selector
			if e.Direction == ipsec.Inbound {
				s = s.Reverse()
			}
			if id, ok := all[place{e.Rule, s}]; ok {
				require.Equal(t, id, e.ID, "both directions of a conversation share an ID")
			}
			all[place{e.Rule, s}] = e.ID
		}
		return all
	}
	before := compile(addr("10.0.0.1"), addr("10.9.0.1"))
	after := compile(addr("10.9.0.1"), addr("10.0.0.77"))
	after.Keep(before)
	was, kept := ids(before), 0
	owner := map[int]place{}
	for p, id := range was {
		owner[id] = p
	}
	for p, id := range ids(after) {
		if old, ok := was[p]; ok {
			require.Equal(t, old, id, p)
			kept++
		} else {
			require.NotContains(t, owner, id, p)
		}
		require.True(t, after.Has(id))
	}
	require.Greater(t, kept, 2, "the exemptions, and the filters of the address that stays")
	require.False(t, after.Has(0))
}

// A host without an address yet sends from 0.0.0.0: "this host" (RFC 1122, Section
// 3.2.1.3). Filters with me are for it if it is given so; with no address at all they
// stand for nothing.
func TestMeWithoutAnAddress(t *testing.T) {
	p := policyOf(rule("dhcp", Permit, "udp me:68 > any:67"), rule("rest", Block, "any me > any"))
	discover := flow("udp 0.0.0.0:68 > 255.255.255.255:67")
	for _, tc := range []struct {
		local []netip.Addr
		want  string
	}{{[]netip.Addr{netip.IPv4Unspecified()}, "permit"}, {nil, "no match"}} {
		c, err := Compile(p, tc.local, Options{})
		require.NoError(t, err)
		require.Equal(t, tc.want, c.Explain(ipsec.Outbound, discover, Circumstances{}).Action)
	}
}
