package policy

import (
	"net/netip"
	"strings"
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
		{false, false, "1m35s after its first message, and the packet is discarded", "in the clear it is dropped"},
		{true, false, "1m35s after its first message, and the packet is discarded", "in the clear it passes, by inbound passthrough (counter accepted-clear)"},
		{false, true, "if nobody answers for 3s, a soft SA with the peer begins", "in the clear it passes only under a soft SA with its sender"},
		{true, true, "if nobody answers for 3s, a soft SA with the peer begins", "it has this host start IKE with its sender"},
	} {
		action := FilterAction{Name: "request", Kind: Negotiate, Methods: []ipsec.Proposal{method}, InPass: c.inpass, Soft: c.soft}
		p := &Policy{Name: "p", Rules: []Rule{{
			Name: "all", Filters: FilterList{Name: "all", Filters: []Filter{{Source: Me(), Destination: Any(), Mirrored: true}}},
			Action: action, Auth: []AuthMethod{{PreSharedKey: "secret"}},
		}}}
		compiled, err := Compile(p, []netip.Addr{me}, Options{})
		require.NoError(t, err)
		f := ipsec.Flow{Src: me, Dst: peer, Proto: ipsec.ProtoICMP}
		out, in := compiled.Explain(ipsec.Outbound, f, Circumstances{}), compiled.Explain(ipsec.Inbound, f.Reverse(), Circumstances{})
		require.Contains(t, out.Now.String(), c.out)
		require.Contains(t, in.Now.String(), c.in)
		careful := compiled.Explain(ipsec.Inbound, f.Reverse(), Circumstances{AnswersOnly: true})
		require.Equal(t, c.soft && !c.inpass, strings.Contains(careful.Now.String(), "and only as an answer to what the host has sent under it"))
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
