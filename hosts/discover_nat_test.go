package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/discovery"
	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/sim"
)

// discoverBehind makes a discovery from two hosts behind a NAT box:
//
//	one 192.168.1.2, two 192.168.1.3 --lan-- 192.168.1.1 box 203.0.113.1 --net-- alpha 203.0.113.10, beta 203.0.113.20
func discoverBehind(t *testing.T, c nat.Config, tests ...string) discovery.Report {
	t.Helper()
	w, err := sim.New(sim.Config{Name: t.Name(), Seed: 1, Epoch: time.Unix(0, 0).UTC()})
	require.NoError(t, err)
	segment := func(name string) *sim.Segment {
		s, err := w.NewSegment(name, sim.SegmentConfig{Latency: time.Millisecond, MTU: 1500})
		require.NoError(t, err)
		return s
	}
	lan, net := segment("lan"), segment("net")
	var all []*hosts.Host
	host := func(name string, on *sim.Segment, address string, routes ...hosts.Route) *hosts.Host {
		h, err := hosts.New(w, hosts.Config{
			Name: name, Routes: routes, Interfaces: []hosts.Interface{{Segment: on, Prefixes: []netip.Prefix{netip.MustParsePrefix(address + "/24")}}},
		})
		require.NoError(t, err)
		all = append(all, h)
		return h
	}
	way := hosts.Route{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.168.1.1")}
	one, two := host("one", lan, "192.168.1.2", way), host("two", lan, "192.168.1.3", way)
	alpha, beta := host("alpha", net, "203.0.113.10"), host("beta", net, "203.0.113.20")
	servers := [2]netip.Addr{netip.MustParseAddr("203.0.113.10"), netip.MustParseAddr("203.0.113.20")}
	_, err = alpha.ServeSTUN(discovery.ServerConfig{Address: servers[0], Partner: servers[1]})
	require.NoError(t, err)
	_, err = beta.ServeSTUN(discovery.ServerConfig{Address: servers[1], Partner: servers[0]})
	require.NoError(t, err)

	if c.Outside == nil {
		c.Outside = []netip.Addr{netip.MustParseAddr("203.0.113.1")}
	}
	c.Inside = netip.MustParseAddr("192.168.1.1")
	table, err := nat.New(c, w.Rand("box", "nat"))
	require.NoError(t, err)
	_, err = natbox.NewRouter(w, natbox.RouterConfig{
		Name: "box", NAT: &natbox.NAT{Outside: net, Table: table},
		Interfaces: []natbox.Interface{
			{Segment: lan, Prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}},
			{Segment: net, Prefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24")}},
		},
	})
	require.NoError(t, err)
	var report discovery.Report
	done := false
	w.Go(one, "discovery", func(p *sim.Proc) {
		report, err = one.Discover(p, two, discovery.Config{Servers: servers, Tests: tests})
		require.NoError(t, err)
		done = true
	})
	require.NoError(t, w.Run(t.Context(), 0, func() bool { return done }))
	require.NoError(t, w.Close())
	for _, h := range all {
		h.Close()
	}
	return report
}

func TestX(t *testing.T) {
	r := discoverBehind(t, nat.Config{})
	for _, f := range r.Findings {
		t.Log(f.Key, f.Value(), f.Detail)
	}
}
