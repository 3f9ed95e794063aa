package mux_test

import (
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What the tests of this package expect of two hosts, as sentences.

// wantPairs expects that each host has count pairs, that they are each other's, and that no SPI has leaked.
func (n *network) wantPairs(sentence string, count int) {
	n.t.Helper()
	a, b := n.hosts[0], n.hosts[1]
	require.Len(n.t, a.in, count, "%s: inbound SAs of %s", sentence, a.name)
	require.Len(n.t, a.out, count, "%s: outbound SAs of %s", sentence, a.name)
	require.Len(n.t, b.in, count, "%s: inbound SAs of %s", sentence, b.name)
	require.Len(n.t, b.out, count, "%s: outbound SAs of %s", sentence, b.name)
	n.wantAgreement(sentence)
}

// wantAgreement expects that whatever SAs one host has, the other has too.
func (n *network) wantAgreement(sentence string) {
	n.t.Helper()
	n.wantMirrored(sentence, func(h, other *host, out ipsec.SAParams) {
		require.Fail(n.t, "no such SA", "%s: %s sends under %v, which %s does not have", sentence, h.name, idOf(out), other.name)
	})
}

// wantMirrored expects that each host has the inbound SA of what the other sends
// under, except where orphan accepts that it has not.
func (n *network) wantMirrored(sentence string, orphan func(h, other *host, out ipsec.SAParams)) {
	n.t.Helper()
	for i, h := range n.hosts[:2] {
		other := n.hosts[1-i]
		for id, out := range h.out {
			if out.Inner != 0 {
				require.Contains(n.t, h.out, said{ipsec.ESP, out.Inner}, "%s: %s has the whole bundle", sentence, h.name)
			}
			in, ok := other.in[id]
			if !ok {
				orphan(h, other, out)
				continue
			}
			require.Equal(n.t, in.CipherKey, out.CipherKey, sentence)
			require.Equal(n.t, in.AuthKey, out.AuthKey, sentence)
			require.Equal(n.t, in.Transform, out.Transform, sentence)
			require.Equal(n.t, in.Lifetime, out.Lifetime, sentence)
			if n.translated() {
				n.wantAcrossNAT(sentence, h, other, out, in)
			} else {
				require.Equal(n.t, in.Selector, out.Selector, sentence)
				require.Equal(n.t, in.Src, out.Src, sentence)
				require.Equal(n.t, in.Dst, out.Dst, sentence)
				require.Equal(n.t, out.UDP, in.UDP, sentence)
			}
			require.Equal(n.t, in.PeerSPI, out.PeerSPI, sentence)
			require.Equal(n.t, in.Inner, out.Inner, sentence)
			require.NotEqual(n.t, in.Initiator, out.Initiator, sentence)
		}
		require.Len(n.t, h.in, len(h.out), "%s: SAs of %s come in pairs", sentence, h.name)
		require.Empty(n.t, h.early, "%s: %s completes or takes back each inbound SA", sentence, h.name)
		require.Len(n.t, h.allocated, len(h.in), "%s: %s gives back the SPIs that no SA came of", sentence, h.name)
	}
}

// wantFailure expects that the host's requests failed, once each, with this phrase in the reason.
func (h *host) wantFailure(sentence, phrase string, code ike.Code) {
	h.n.t.Helper()
	require.NotEmpty(h.n.t, h.failed, sentence)
	for _, f := range h.failed {
		require.ErrorContains(h.n.t, f.Err, phrase, sentence)
		require.Equal(h.n.t, code, ike.CodeOf(f.Err), sentence)
	}
}
