package mux_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// Both sides say in the trace which dialect they speak, and behind whom they have found a NAT.
func TestNATIsTraced(t *testing.T) {
	n, client, server, _ := newBehind(t, windowsNAT)
	client.request(server)
	n.run(time.Second)
	for _, h := range n.hosts {
		all := traced[trace.Negotiation](h)
		i := slices.IndexFunc(all, func(g trace.Negotiation) bool { return g.Exchange == "main mode" && g.State == "established" })
		require.Equal(t, trace.NATTraversal{Dialect: `draft-ietf-ipsec-nat-t-ike-02\n`, Found: "initiator"}, all[i].NAT)
	}
}
