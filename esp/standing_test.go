package esp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Standing says what the next packet would find, and asking changes nothing.
func TestStanding(t *testing.T) {
	out, _ := params(tripleDES, alice, bob, 0x1000, 0x2000)
	out.Lifetime.Duration = time.Minute
	n := newNode(t, Config{})
	e := negotiate(out.PolicyID, ipsec.Outbound, out.Selector)
	e.FallBack = true
	n.SetPolicy([]ipsec.Policy{e}, nil)
	packet := ip(alice, bob, 17, udp(1, 2, 3))
	f, err := FlowOf(packet)
	require.NoError(t, err)
	require.Equal(t, Standing{}, n.Standing(start, ipsec.Outbound, f))
	require.Equal(t, Standing{}, n.Standing(start, ipsec.Inbound, f.Reverse()))

	require.Equal(t, Held, n.Outbound(start, packet, 0).Outcome)
	require.Equal(t, Standing{Acquiring: true}, n.Standing(start, ipsec.Outbound, f))

	n.FallBack(start, alice, bob, "nobody answered")
	soft := n.Standing(start, ipsec.Outbound, f).Soft
	require.Equal(t, bob, soft.Peer)
	require.Zero(t, soft.Packets)
	require.NotNil(t, n.Standing(start, ipsec.Inbound, f.Reverse()).Soft)
	require.Nil(t, n.Standing(start.Add(DefaultSoftIdle), ipsec.Outbound, f).Soft, "its time is over")

	require.NoError(t, n.Add(start, out))
	reply := newNode(t, Config{})
	back := out
	back.Direction = ipsec.Inbound
	require.NoError(t, reply.Add(start, back))
	require.Equal(t, "SA 0x00001000 (ESP[3des-cbc,hmac-sha1-96])", n.Standing(start, ipsec.Outbound, f).SA)
	require.Equal(t, "SA 0x00001000 (ESP[3des-cbc,hmac-sha1-96])", reply.Standing(start, ipsec.Inbound, f).SA)
	require.Empty(t, n.Standing(start.Add(time.Minute), ipsec.Outbound, f).SA, "its lifetime is over")
	require.Len(t, n.SAs(), 1, "and nobody removed it")

	n.SetStartup(&Startup{Mode: StartupBlock})
	require.Equal(t, "block", n.Standing(start, ipsec.Outbound, f).Startup)

	a, b := gateways(t, Config{}, tripleDES, ahSHA1)
	g := ipsec.Flow{Src: inA, Dst: inB, Proto: 17, SrcPort: 1, DstPort: 2}
	require.Contains(t, a.Standing(start, ipsec.Outbound, g).SA, "tunnel 10.0.0.1 > 10.0.0.2)")
	require.Equal(t, a.Standing(start, ipsec.Outbound, g).SA, b.Standing(start, ipsec.Inbound, g).SA)
}
