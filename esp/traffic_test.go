package esp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Of two computers behind one NAT the port tells which of them was heard; without encapsulation there is none.
func TestTrafficOfOnePeer(t *testing.T) {
	n := newNode(t, Config{})
	one, _ := params(tripleDES, alice, bob, 0x5000, 0x6000)
	two, plain := one, one
	two.PeerSPI, plain.PeerSPI, plain.SPI = 0x6001, 0x6002, 0x5001
	one.UDP, two.UDP = ipsec.Encapsulation{Src: 4500, Dst: 1111}, ipsec.Encapsulation{Src: 4500, Dst: 2222}
	later := start.Add(time.Minute)
	require.NoError(t, n.Add(start, one))
	require.NoError(t, n.Add(later, two))
	sent := func(port uint16) time.Time {
		in, out := n.Traffic(netip.AddrPortFrom(bob, port))
		require.Zero(t, in, "nothing has come")
		return out
	}
	require.Equal(t, start, sent(1111))
	require.Equal(t, later, sent(2222))
	require.Zero(t, sent(3333))
	require.NoError(t, n.Add(later.Add(time.Minute), plain))
	require.Equal(t, later.Add(time.Minute), sent(3333), "ESP by itself has no port")
}
