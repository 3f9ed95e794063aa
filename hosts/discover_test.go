package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/discovery"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

var carolAddr = netip.MustParseAddr("10.0.0.3")

// newServers has bob and carol be the two servers of each other.
func newServers(t *testing.T, forAlice *policy.Policy) *bench {
	b := newBench(t, forAlice, nil, hosts.Faults{})
	carol, err := hosts.New(b.world, hosts.Config{
		Name: "carol", Interfaces: []hosts.Interface{{Segment: b.segment, Prefixes: []netip.Prefix{netip.PrefixFrom(carolAddr, 24)}}},
	})
	require.NoError(t, err)
	t.Cleanup(carol.Close)
	_, err = b.bob.ServeSTUN(discovery.ServerConfig{Address: bobAddr, Partner: carolAddr})
	require.NoError(t, err)
	_, err = carol.ServeSTUN(discovery.ServerConfig{Address: carolAddr, Partner: bobAddr})
	require.NoError(t, err)
	return b
}

// Where there is no NAT, a discovery says so, and that nothing is altered, stopped or forgotten.
func TestDiscoverNoNAT(t *testing.T) {
	b := newServers(t, nil)
	b.on(b.alice, func(p *sim.Proc) {
		r, err := b.alice.Discover(p, nil, discovery.Config{Servers: [2]netip.Addr{bobAddr, carolAddr}, Longest: time.Hour})
		require.NoError(t, err)
		got := map[string]string{}
		for _, f := range r.Findings {
			if f.Unknown == "" {
				got[f.Key] = f.Value()
			}
		}
		require.Equal(t, map[string]string{
			"nat": "none", "rewrites-payload": "false", "one-to-one": "true", "outside-addresses": "one", "port-assignment": "preserve",
			"udp-mapping": "endpoint-independent", "udp-filtering": "endpoint-independent",
			"tcp-mapping": "endpoint-independent", "tcp-filtering": "endpoint-independent",
			"tcp-simultaneous-open": "true", "mid-stream": "adopt", "tcp-reset": "waits", "tcp-window": "ignored",
			"drop-icmp-queries": "false", "icmp-mapping": "endpoint-independent", "icmp-filtering": "endpoint-independent",
			"icmp-errors": "translate", "faults": "none", "fragments": "out-of-order", "rewrite-id": "false",
			"udp-timeout": "more than 1h0m0s", "udp-unreplied-timeout": "more than 1h0m0s", "udp-well-known-timeout": "more than 1h0m0s",
			"icmp-timeout": "more than 1h0m0s", "esp-timeout": "more than 1h0m0s", "spi-timeout": "more than 1h0m0s",
			"tcp-established-timeout": "more than 1h0m0s", "tcp-opening-timeout": "more than 1h0m0s", "tcp-closing-timeout": "more than 1h0m0s",
		}, got)
	})
	var traced int
	for _, e := range b.log.Events() {
		if _, ok := e.Body.(trace.Discovered); ok {
			traced++
		}
	}
	require.GreaterOrEqual(t, traced, 30)
}

// A policy of the host is not passed by: what it blocks cannot be asked.
func TestDiscoverUnderAPolicy(t *testing.T) {
	b := newServers(t, &policy.Policy{Name: "p", Rules: []policy.Rule{{
		Name:    "nothing",
		Filters: policy.FilterList{Name: "all", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Any(), Mirrored: true}}},
		Action:  policy.FilterAction{Name: "block", Kind: policy.Block},
	}}})
	b.on(b.alice, func(p *sim.Proc) {
		r, err := b.alice.Discover(p, nil, discovery.Config{Servers: [2]netip.Addr{bobAddr, carolAddr}, Longest: time.Minute})
		require.NoError(t, err)
		for _, f := range r.Findings {
			require.True(t, f.Unknown != "" || f.Word == "dropped" || f.Key == "drop-icmp-queries" || f.Key == "mid-stream", "%s: %s", f.Key, f.Value())
		}
	})
}

// Two servers that are not there leave everything open, in a time that ends.
func TestDiscoverWithoutServers(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		r, err := b.alice.Discover(p, nil, discovery.Config{Servers: [2]netip.Addr{bobAddr, carolAddr}})
		require.NoError(t, err)
		f, ok := r.Of("udp-mapping")
		require.True(t, ok)
		require.Equal(t, "not observed: no server answers over UDP", f.Value())
		require.Less(t, p.Now(), time.Hour)
	})
}

// The computer's own firewall is on the way as well: nothing is translated, and nobody gets in
// who was not asked.
func TestDiscoverOwnFirewall(t *testing.T) {
	b := newServers(t, nil)
	dave, err := hosts.New(b.world, hosts.Config{
		Name: "dave", Interfaces: []hosts.Interface{{Segment: b.segment, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")}}},
		Firewall: hosts.Firewall{Kind: hosts.WindowsFirewall},
	})
	require.NoError(t, err)
	t.Cleanup(dave.Close)
	b.on(dave, func(p *sim.Proc) {
		r, err := dave.Discover(p, nil, discovery.Config{
			Servers: [2]netip.Addr{bobAddr, carolAddr}, Tests: []string{"mapping", "filtering", "reach", "tcp"},
		})
		require.NoError(t, err)
		for key, want := range map[string]string{
			"nat": "none", "udp-mapping": "endpoint-independent", "udp-filtering": "address-and-port-dependent",
			"tcp-filtering": "address-and-port-dependent", "one-to-one": "false", "silent": "true", "unsolicited-syn": "silent",
		} {
			f, ok := r.Of(key)
			require.True(t, ok, key)
			require.Equal(t, want, f.Value(), "%s: %s", key, f.Detail)
		}
	})
}
