package mux_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
)

// A computer that says nothing of NAT traversal, and then nothing at all, takes nothing of its neighbour
// behind the same NAT with it: the address is not its own.
func TestDeadPeerWithoutTraversalBehindOneNAT(t *testing.T) {
	n, server, one, two := newSharedNAT(t)
	for _, h := range n.hosts {
		h.config.DPD = ike.DPD{Enabled: true}
	}
	two.config.NAT = ike.NATTraversal{}
	server.config.DPD.Idle = 20 * time.Second
	server.config.Traffic = func(remote netip.AddrPort) (in, out time.Time) {
		if remote.Port() == 0 || remote.Port() == n.boxes[0].at(two, 500).Port() {
			return in, n.now // of the second one
		}
		return n.now, n.now
	}
	for _, h := range n.hosts {
		h.reboot()
	}
	one.request(server)
	n.run(time.Second)
	two.request(server)
	n.run(2 * time.Second)
	require.Len(t, established(server), 2)
	require.Len(t, server.in, 1, "the second one names an address that the server does not see")
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if d.Local.Addr() == two.addr {
			return nil
		}
		return []time.Duration{n.latency}
	}
	n.run(2 * time.Minute)
	require.Len(t, established(server), 1, "the silent one is gone")
	require.Len(t, with(server, n.boxes[0].at(one, 4500)), 1)
	require.Len(t, pairsOf(server, one), 1)
	require.Len(t, server.in, 1)
}
