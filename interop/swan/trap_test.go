package swan

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/jail"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

// A packet for whoever it is starts a main mode with its destination, and quick mode is for the two hosts; a shunt lets
// others pass. What protects comes to nothing where the kernel has no ESP, and the main mode is there all the same.
func TestCharonTraps(t *testing.T) {
	host := func(own netip.Addr) peerconf.Host {
		pass := policy.Rule{
			Name: "ping to one", Action: policy.FilterAction{Name: "permit", Kind: policy.Permit},
			Filters: policy.FilterList{Name: "ping", Filters: []policy.Filter{sample.Mirrored(policy.Me(), policy.Host(sample.Other), 0, 0, 0)}},
		}
		return peerconf.Host{
			Policy: &policy.Policy{Name: "lab", Rules: []policy.Rule{
				sample.Rule("everything", []policy.Filter{sample.Mirrored(policy.Me(), policy.Any(), 0, 0, 0)}, "ESP[3DES,SHA1]"), pass,
			}},
			Addresses: []netip.Addr{own},
		}
	}
	own, peer := charon(t, "strongswan-5.9", Native), charon(t, "strongswan-5.9", Native)
	require.NoError(t, jail.Wire(own.jail, peer.jail, "10.0.0.1/24", "10.0.0.2/24"))
	_, err := peer.jail.Network("ip", "address", "add", "10.0.0.3/24", "dev", "wire")
	require.NoError(t, err)
	load(t, own, host(sample.Own), Native)
	load(t, peer, host(sample.Peer), Native)

	_, err = own.jail.Run("ping -c 1 -W 1 10.0.0.3")
	require.NoError(t, err, "what is permitted passes")
	sas, err := own.ListSAs(context.Background())
	require.NoError(t, err)
	require.Empty(t, sas)

	_, _ = own.jail.Run("ping -c 2 -W 1 10.0.0.2")
	require.Eventually(t, func() bool {
		for _, d := range []daemon{own, peer} {
			sas, err := d.ListSAs(context.Background())
			if err != nil || !slices.ContainsFunc(sas, func(s SA) bool { return s.State == "ESTABLISHED" && s.Initiator == (d == own) }) {
				return false
			}
		}
		return true
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, sample.Peer, only(t, own).Remote.Addr())
	log := own.jail.Read("log")
	require.Regexp(t, `creating acquire job for policy 10\.0\.0\.1/32\[.*\] === 10\.0\.0\.2/32`, log)
	require.Contains(t, peer.jail.Read("log"), "QUICK_MODE")
	require.Contains(t, peer.jail.Read("log"), "config: 0.0.0.0/0, received: 10.0.0.1/32 => match: 10.0.0.1/32")
}
