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
	for pathMTU := 300; pathMTU <= 1500; pathMTU += 100 {
		least := pathMTU
		for _, tr := range suites {
			a, _ := secured(t, Config{}, tr, ipsec.Lifetime{})
			a.out.entries[0].Proposals = nil
			require.Equal(t, pathMTU, a.InnerMTU(f, pathMTU), "nothing is proposed")
			a.out.entries[0].Proposals = []ipsec.Proposal{{Transforms: []ipsec.Transform{tr}}}
			d := a.Outbound(start, flagged(ip(alice, bob, 99, make([]byte, pathMTU-20)), dontFragment), pathMTU)
			require.Equal(t, TooBig, d.Outcome)
			require.Equal(t, d.MTU, a.InnerMTU(f, pathMTU), tr.String())
			least = min(least, d.MTU)
		}
		a, _ := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
		a.out.entries[0].Proposals = nil
		for _, tr := range suites {
			a.out.entries[0].Proposals = append(a.out.entries[0].Proposals, ipsec.Proposal{Transforms: []ipsec.Transform{tr}})
		}
		require.Equal(t, least, a.InnerMTU(f, pathMTU), "the longest of all")
		require.Equal(t, pathMTU, a.InnerMTU(ipsec.Flow{Src: alice, Dst: carol, Proto: 99}, pathMTU), "no filter matches")
	}
}
