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

// otherRules is a policy that has another key for all addresses but one.
type otherRules struct {
	ike.Policy
	here netip.Addr
	key  string
}

func (e otherRules) MainMode(local, remote netip.Addr) (ike.MainMode, bool) {
	mm, ok := e.Policy.MainMode(local, remote)
	if remote != e.here {
		mm.Auth = []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte(e.key)}}
	}
	return mm, ok
}

// Who has proved one key is not followed to an address for which the policy demands another:
// there it would get the SAs of a rule that it has nothing for.
func TestNobodyIsFollowedToAnotherRule(t *testing.T) {
	for _, same := range []bool{true, false} {
		n, client, server, b := newBehind(t, anywhere(ike.NATRFC3947))
		key := "of the rule for other addresses"
		if same {
			key = server.psk
		}
		was := b.outside
		server.config.Policy = otherRules{Policy: server, here: was, key: key}
		server.reboot()
		client.request(server)
		n.run(time.Second)
		require.Len(t, server.in, 1)

		b.forget()
		b.renumber()
		client.request(server)
		n.run(70 * time.Second)
		if same {
			require.Len(t, movesOf(server), 1)
			require.Len(t, server.in, 2)
			for _, sa := range server.in {
				require.NotEqual(t, was, sa.Src)
			}
			continue
		}
		require.Empty(t, movesOf(server))
		for _, sa := range server.in {
			require.Equal(t, was, sa.Src, "all is between the addresses of the rule whose key it has")
		}
	}
}
