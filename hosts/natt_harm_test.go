package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/sim"
)

// A peer that is followed to another address is not let in there by a policy that has something else to say about
// that address: whoever has SAs could else write any source address in front of them.
func TestPolicyOfTheOtherAddress(t *testing.T) {
	elsewhere := netip.MustParseAddr("192.0.2.99")
	b := newBehind(t, 1, func(c *hosts.Config) {
		windows(c)
		if c.Name == "server" {
			c.Policy.Rules[0].Filters.Filters[0].Destination = policy.Any()
			c.Policy.Rules = append(c.Policy.Rules, policy.Rule{
				Name:    "nobody",
				Filters: policy.FilterList{Name: "nobody", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Host(elsewhere), Mirrored: true}}},
				Action:  policy.FilterAction{Name: "block", Kind: policy.Block},
			})
		}
	})
	echo, err := b.server.ServeUDP(7)
	require.NoError(t, err)
	ari := b.clients[0]
	send := func(p *sim.Proc) string {
		r := ari.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(serverAddr, 7), Count: 2, Size: 100, Timeout: time.Second})
		return r.Result()
	}
	b.on(ari, func(p *sim.Proc) {
		require.Equal(t, "ok", send(p))
		require.Equal(t, 2, echo.Seen().Datagrams)
		b.box.addr = elsewhere
		require.Equal(t, "timeout", send(p))
		require.Equal(t, 2, echo.Seen().Datagrams, "nothing of what the policy blocks")
		for _, sa := range b.server.SAs() {
			require.NotEqual(t, elsewhere, sa.Src)
			require.NotEqual(t, elsewhere, sa.Dst)
		}
		b.box.addr = boxAddr
		require.Equal(t, "ok", send(p), "where it was it still is")
		require.Len(t, b.server.SAs(), 2)

		b.box.addr = elsewhere
		require.NoError(t, ari.AssignPolicy(nil))
		p.Sleep(time.Second)
		require.Empty(t, b.server.SAs(), "it deletes its own, wherever IKE has gone")
	})
}
