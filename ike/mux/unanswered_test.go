package mux_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
)

// Opening tells silence from every kind of answer: a refusal, a message that is no
// answer to ours, a main mode of the peer's own.
func TestOpening(t *testing.T) {
	lose := func(int, ike.Datagram) []time.Duration { return nil }
	for _, c := range []struct {
		name  string
		setup func(n *network, a, b *host)
		heard bool
	}{
		{"silence", func(n *network, a, b *host) { n.fate = lose }, false},
		{"no rule of the peer's", func(n *network, a, b *host) { b.deaf = true }, false},
		{"a refusal", func(n *network, a, b *host) {
			b.mainMode.Proposals = []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "md5", Group: 1}}
		}, true},
		{"not ISAKMP", func(n *network, a, b *host) {
			n.fate = lose
			a.request(b)
			port := func(h *host) netip.AddrPort { return netip.AddrPortFrom(h.addr, mux.Port) }
			a.mux.HandleDatagram(n.now, ike.Datagram{Local: port(a), Remote: port(b), Payload: []byte("what do you want?")})
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, a, b := newPair(t)
			_, _, ok := a.mux.Opening(a.addr, b.addr)
			require.False(t, ok, "nothing has been asked")
			c.setup(n, a, b)
			a.request(b)
			n.run(2 * time.Second)
			since, heard, ok := a.mux.Opening(a.addr, b.addr)
			require.True(t, ok)
			require.Equal(t, n.start, since)
			require.Equal(t, c.heard, heard)
		})
	}
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	_, heard, ok := a.mux.Opening(a.addr, b.addr)
	require.True(t, heard)
	require.False(t, ok, "a main mode is up")
}
