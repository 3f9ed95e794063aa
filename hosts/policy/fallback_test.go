package policy

import (
	"net/netip"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Explanations say what is let through in the clear where the action is to negotiate.
func TestExplainInTheClear(t *testing.T) {
	me, peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	method, err := ParseSecurityMethod("ESP[3DES,SHA1]")
	require.NoError(t, err)
	for _, c := range []struct {
		inpass, soft bool
		out, in      string
	}{
		{false, false, "it is the only filter that matches", "it is the only filter that matches"},
		{true, false, "it is the only filter that matches", "in the clear it is accepted (inpass), and an SA with its sender is asked for"},
		{false, true, "a peer that does not answer IKE gets it in the clear, under a soft SA (soft)", "only under a soft SA with its sender (soft)"},
		{true, true, "under a soft SA (soft)", "it is accepted (inpass)"},
	} {
		action := FilterAction{Name: "request", Kind: Negotiate, Methods: []ipsec.Proposal{method}, InPass: c.inpass, Soft: c.soft}
		p := &Policy{Name: "p", Rules: []Rule{{
			Name: "all", Filters: FilterList{Name: "all", Filters: []Filter{{Source: Me(), Destination: Any(), Mirrored: true}}},
			Action: action, Auth: []AuthMethod{{PreSharedKey: "secret"}},
		}}}
		compiled, err := Compile(p, []netip.Addr{me}, Options{})
		require.NoError(t, err)
		f := ipsec.Flow{Src: me, Dst: peer, Proto: ipsec.ProtoICMP}
		out, in := compiled.Explain(ipsec.Outbound, f), compiled.Explain(ipsec.Inbound, f.Reverse())
		require.Regexp(t, regexp.QuoteMeta(c.out)+"$", out.Why)
		require.Contains(t, in.Why, c.in)
		require.Equal(t, c.soft, compiled.Outbound[len(compiled.Outbound)-1].FallBack)
		require.Equal(t, c.inpass, compiled.Inbound[len(compiled.Inbound)-1].Passthrough)

		for _, kind := range []Kind{Permit, Block} {
			p.Rules[0].Action = FilterAction{Name: "go on", Kind: kind, InPass: c.inpass, Soft: c.soft}
			_, err := Compile(p, []netip.Addr{me}, Options{})
			if c.inpass || c.soft {
				require.ErrorContains(t, err, "inbound passthrough and fall back to clear are for negotiate")
			} else {
				require.NoError(t, err)
			}
		}
	}
}
