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

// What a policy server answers, over the network: a policy of its local store by its
// name, or that there is none. Other servers give no answer that counts.
func TestPolicyServer(t *testing.T) {
	b := newAgentBench(t, hosts.Config{})
	want := require3DES(aliceAddr, "secret")
	require.NoError(t, b.peer.StorePolicy(hosts.Local, want))
	require.NoError(t, b.peer.StorePolicy(hosts.Persistent, blocking("lockdown", 0)))
	served, err := b.peer.ServePolicies(3268)
	require.NoError(t, err)
	_, err = b.peer.ServeTCP(80)
	require.NoError(t, err)
	fetch := func(port uint16, name string) (p *policy.Policy, err error) {
		proc := b.world.Go(b.host, "fetch", func(c *sim.Proc) {
			s := hosts.PolicyServer{Server: netip.AddrPortFrom(bobAddr, port), Policy: name, Timeout: 10 * time.Second}
			p, err = s.Fetch(c, b.host)
		})
		require.NoError(t, b.world.Run(t.Context(), 0, proc.Done))
		return p, err
	}
	p, err := fetch(3268, "require")
	require.NoError(t, err)
	require.Equal(t, want, p)
	for _, name := range []string{"absent", "lockdown", "", "a\nb"} {
		p, err = fetch(3268, name)
		require.NoError(t, err, name)
		require.Nil(t, p, name)
	}
	require.Equal(t, 5, served.Seen().Connections)

	_, err = fetch(3269, "require")
	require.ErrorIs(t, err, hosts.ErrRefused)
	_, err = fetch(80, "a name so long that the other server takes it for a request")
	require.ErrorContains(t, err, "cannot be read")
	_, err = fetch(3268, string(make([]byte, 1000)))
	require.Error(t, err, "a request that is no name")

	// It serves again after a restart.
	proc := b.world.Go(nil, "power", func(c *sim.Proc) { require.NoError(t, b.peer.Restart(c, time.Second, false)) })
	require.NoError(t, b.world.Run(t.Context(), 0, proc.Done))
	p, err = fetch(3268, "require")
	require.NoError(t, err)
	require.Equal(t, want, p)
}
