package esp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// A sender that keeps to InnerMTU never meets TooBig, whichever proposal the
// peers agree on, and could not send a byte more under the longest of them.
func TestInnerMTU(t *testing.T) {
	f := ipsec.Flow{Src: alice, Dst: bob, Proto: 99}
	all := everyProtection()
	for pathMTU := 300; pathMTU <= 1500; pathMTU += 100 {
		least := pathMTU
		for _, tr := range all {
			a, _ := joined(t, Config{}, ipsec.Lifetime{}, tr...)
			a.out.entries[0].Proposals = nil
			require.Equal(t, pathMTU, a.InnerMTU(f, pathMTU), "nothing is proposed")
			a.out.entries[0].Proposals = []ipsec.Proposal{{Transforms: tr}}
			d := a.Outbound(start, flagged(ip(alice, bob, 99, make([]byte, pathMTU-20)), dontFragment), pathMTU)
			require.Equal(t, TooBig, d.Outcome)
			require.Equal(t, d.MTU, a.InnerMTU(f, pathMTU), named(tr))
			least = min(least, d.MTU)
		}
		a, _ := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
		a.out.entries[0].Proposals = nil
		for _, tr := range all {
			a.out.entries[0].Proposals = append(a.out.entries[0].Proposals, ipsec.Proposal{Transforms: tr})
		}
		require.Equal(t, least, a.InnerMTU(f, pathMTU), "the longest of all")
		a.out.entries[0].Proposals = []ipsec.Proposal{{Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "rot13"}, ahSHA1}}}
		require.Equal(t, pathMTU, a.InnerMTU(f, pathMTU), "a proposal that is not built is not agreed on")
		require.Equal(t, pathMTU, a.InnerMTU(ipsec.Flow{Src: alice, Dst: carol, Proto: 99}, pathMTU), "no filter matches")
	}
}

// A tunnel carries the whole inner datagram behind a header of its own.
func TestInnerMTUOfATunnel(t *testing.T) {
	out, _ := bundled(bothDESSHA1, ipsec.Tunnel, alice, bob, 0x1000, 0x2000)
	a, _ := tunnelled(t, Config{}, out, nil)
	a.out.entries[0].Proposals = []ipsec.Proposal{{Transforms: bothDESSHA1, Mode: ipsec.Tunnel}}
	d := a.Outbound(start, flagged(ip(alice, bob, 99, make([]byte, 1480)), dontFragment), 1500)
	require.Equal(t, TooBig, d.Outcome)
	require.Equal(t, 1422, d.MTU, "1500 − 20 − 24 − 28 = 1428; 1424 = 178·8, less 2")
	require.Equal(t, d.MTU, a.InnerMTU(ipsec.Flow{Src: alice, Dst: bob, Proto: 99}, 1500))
}
