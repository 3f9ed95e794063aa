package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// The main mode of an entry is that of its rule, whatever a more specific one would have with a peer.
func TestMainModeOf(t *testing.T) {
	me, server := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	rule := func(name, key string, to Address) Rule {
		return Rule{
			Name: name, Filters: FilterList{Filters: []Filter{{Source: Me(), Destination: to, Mirrored: true}}}, Auth: []AuthMethod{{PreSharedKey: key}},
			Action: FilterAction{Kind: Negotiate, Methods: parsed([]string{"ESP[3DES,SHA1]"})},
		}
	}
	p := &Policy{
		Name: "lab", Rules: []Rule{rule("all", "everybody", Any()), rule("server", "one", Host(server))},
		DefaultResponse: &DefaultResponse{PFS: true, Auth: []AuthMethod{{PreSharedKey: "answer"}}},
	}
	c, err := Compile(p, []netip.Addr{me}, Options{})
	require.NoError(t, err)
	keys := map[string]string{}
	for i, e := range c.Outbound {
		mm, ok := c.MainModeOf(ipsec.Outbound, i)
		require.Equal(t, e.Action == ipsec.Protect, ok, e.Rule)
		if ok {
			keys[e.Rule] = string(mm.Auth[0].PreSharedKey)
		}
	}
	require.Equal(t, map[string]string{"lab/all": "everybody", "lab/server": "one"}, keys)
	for _, place := range []int{-1, len(c.Outbound)} {
		_, ok := c.MainModeOf(ipsec.Outbound, place)
		require.False(t, ok)
	}
	mm, qm, ok := c.Response()
	require.True(t, ok)
	require.Equal(t, "answer", string(mm.Auth[0].PreSharedKey))
	require.True(t, qm.PFS)
	require.True(t, c.IsResponse(qm.Rule))

	none, err := Compile(nil, []netip.Addr{me}, Options{})
	require.NoError(t, err)
	_, _, ok = none.Response()
	require.False(t, ok)
}
