package hosts_test

import (
	"net/netip"
	"strings"
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
		Name: "box", NAT: &natbox.NAT{Outside: net, Table: table, Silent: c.ICMP.Silent},
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

// insiders are the addresses from which discoverBehind asks.
var insiders = []netip.Addr{netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("192.168.1.3")}

// A discovery behind a box finds each of its settings, by whatever it deviates from what
// the RFCs ask for; what it finds fits the box, and nothing but the deviation speaks against one
// without it. Where two deviations are needed, both are named.
func TestDiscoverEachBehaviour(t *testing.T) {
	type config = nat.Config
	pool := []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("203.0.113.3")}
	ordinary := discovery.NewBox("ordinary", config{Outside: []netip.Addr{netip.MustParseAddr("203.0.113.1")}}, insiders)
	for _, c := range []struct {
		source  string // of what is deviated from
		change  func(*config)
		want    map[string]string // what is found
		against []string          // the keys that speak against a box without the deviation
	}{
		{"RFC 4787, REQ-1", func(c *config) { c.UDP.Mapping = nat.AddressDependent },
			map[string]string{"udp-mapping": "address-dependent"}, []string{"udp-mapping"}},
		{"RFC 4787, REQ-1", func(c *config) { c.UDP.Mapping = nat.AddressAndPortDependent },
			map[string]string{"udp-mapping": "address-and-port-dependent"}, []string{"udp-mapping"}},
		{"RFC 4787, REQ-8", func(c *config) { c.UDP.Filtering = nat.AddressDependent },
			map[string]string{"udp-filtering": "address-dependent"}, []string{"udp-filtering"}},
		{"RFC 4787, REQ-8", func(c *config) { c.UDP.Filtering = nat.AddressAndPortDependent },
			map[string]string{"udp-filtering": "address-and-port-dependent"}, []string{"udp-filtering"}},
		{"RFC 5382, REQ-1", func(c *config) { c.TCP.Mapping = nat.AddressDependent },
			map[string]string{"tcp-mapping": "address-dependent"}, []string{"tcp-mapping"}},
		{"RFC 5382, REQ-1", func(c *config) { c.TCP.Mapping = nat.AddressAndPortDependent },
			map[string]string{"tcp-mapping": "address-and-port-dependent"}, []string{"tcp-mapping"}},
		{"RFC 5382, REQ-3", func(c *config) { c.TCP.Filtering = nat.AddressDependent },
			map[string]string{"tcp-filtering": "address-dependent"}, []string{"tcp-filtering"}},
		{"RFC 5382, REQ-3", func(c *config) { c.TCP.Filtering = nat.AddressAndPortDependent },
			map[string]string{"tcp-filtering": "address-and-port-dependent", "tcp-simultaneous-open": "true"}, []string{"tcp-filtering"}},
		{"RFC 5508, REQ-1", func(c *config) { c.ICMP.NoQueries = true },
			map[string]string{"drop-icmp-queries": "true"}, []string{"drop-icmp-queries"}},
		{"RFC 5508, REQ-1", func(c *config) { c.ICMP.Mapping = nat.AddressDependent },
			map[string]string{"icmp-mapping": "address-dependent"}, []string{"icmp-mapping"}},
		{"RFC 5508, REQ-1", func(c *config) { c.ICMP.Filtering = nat.AddressDependent },
			map[string]string{"icmp-filtering": "address-dependent"}, []string{"icmp-filtering"}},
		{"RFC 5508, REQ-4", func(c *config) { c.ICMP.Errors = nat.ErrorsOuterOnly },
			map[string]string{"icmp-errors": "outer-only"}, []string{"icmp-errors"}},
		{"RFC 5508, REQ-4", func(c *config) { c.ICMP.Errors = nat.ErrorsDropped },
			map[string]string{"icmp-errors": "drop"}, []string{"icmp-errors"}},

		{"RFC 4787, Section 4.2.1", func(c *config) { c.Ports.Assignment = nat.Sequential },
			map[string]string{"port-assignment": "sequential"}, []string{"port-assignment"}},
		{"RFC 6056, Section 3.3.1", func(c *config) { c.Ports.Assignment = nat.Random },
			map[string]string{"port-assignment": "random"}, []string{"port-assignment"}},
		{"RFC 4787, Section 4.2.3", func(c *config) { c.Ports.Assignment = nat.Contiguous },
			map[string]string{"port-assignment": "contiguous"}, []string{"port-assignment"}},
		{"RFC 4787, REQ-3", func(c *config) { c.Ports.Collision = nat.AnotherRandom },
			map[string]string{"port-collision": "another-random"}, []string{"port-collision"}},
		{"RFC 7857, Section 3", func(c *config) {
			c.Ports.Collision, c.UDP.Mapping, c.TCP.Mapping = nat.Share, nat.AddressAndPortDependent, nat.AddressAndPortDependent
		}, map[string]string{"port-collision": "share", "udp-mapping": "address-and-port-dependent"}, []string{"udp-mapping", "port-collision"}},
		{"RFC 4787, REQ-3", func(c *config) { c.Ports.Collision = nat.Overload },
			map[string]string{"port-collision": "overload"}, []string{"port-collision", "ike"}},
		{"RFC 4787, REQ-3", func(c *config) { c.Ports.Collision = nat.Refuse },
			map[string]string{"port-collision": "refuse"}, []string{"port-collision"}},
		{"RFC 4787, REQ-3a", func(c *config) { c.Ports.Range = nat.WellKnown },
			map[string]string{"port-range": "well-known"}, []string{"port-range"}},
		{"RFC 4787, REQ-3a", func(c *config) { c.Ports.Range = nat.WellKnownHalves },
			map[string]string{"port-range": "well-known-halves"}, []string{"port-range"}},
		{"RFC 4787, REQ-4", func(c *config) { c.Ports.Parity = true },
			map[string]string{"port-parity": "true"}, []string{"port-parity"}},
		{"RFC 4787, REQ-4", func(c *config) { c.Ports.Parity, c.Ports.Assignment = true, nat.Random },
			map[string]string{"port-parity": "true"}, []string{"port-parity", "port-assignment"}},

		{"RFC 7422, Section 2", func(c *config) { c.Ports.Assignment, c.Blocks.Size = nat.Random, 512 },
			map[string]string{"port-blocks": "true", "port-assignment": "random"}, []string{"port-assignment"}},
		{"RFC 4787, REQ-2", func(c *config) { c.Pooling, c.Outside = nat.Paired, pool },
			map[string]string{"outside-addresses": "several", "pooling": "paired", "esp": "drop"}, nil},
		{"RFC 4787, REQ-2", func(c *config) { c.Pooling, c.Outside = nat.Arbitrary, pool },
			map[string]string{"outside-addresses": "several", "pooling": "arbitrary"}, []string{"pooling"}},
		{"RFC 5508, REQ-9", func(c *config) { c.ICMP.Silent = true },
			map[string]string{"silent": "true"}, []string{"silent", "unsolicited-syn"}},

		{"RFC 4787, REQ-9", func(c *config) { c.Hairpin = nat.NoHairpin },
			map[string]string{"hairpinning": "none"}, []string{"hairpinning"}},
		{"RFC 4787, REQ-9a", func(c *config) { c.Hairpin = nat.InternalSource },
			map[string]string{"hairpinning": "internal-source"}, []string{"hairpinning"}},

		{"RFC 4787, REQ-5", func(c *config) { c.Timeouts.UDP = 30 * time.Second },
			map[string]string{"udp-timeout": "29s..30s", "udp-unreplied-timeout": "29s..30s"},
			[]string{"udp-timeout", "udp-unreplied-timeout", "udp-well-known-timeout"}},
		{"RFC 4787, REQ-5", func(c *config) { c.Timeouts.UDPUnreplied = 20 * time.Second },
			map[string]string{"udp-unreplied-timeout": "19s..20s"}, []string{"udp-unreplied-timeout"}},
		{"RFC 4787, REQ-5a", func(c *config) { c.Timeouts.UDPWellKnown, c.UDP.Mapping = 10*time.Second, nat.AddressAndPortDependent },
			map[string]string{"udp-well-known-timeout": "9s..10s"}, []string{"udp-mapping", "udp-well-known-timeout"}},
		{"RFC 4787, REQ-6", func(c *config) { c.Refresh = nat.RefreshBoth },
			map[string]string{"refresh": "both"}, []string{"refresh"}},
		{"RFC 4787, REQ-6", func(c *config) { c.Refresh = nat.RefreshInbound },
			map[string]string{"refresh": "inbound"}, []string{"refresh"}},
		{"RFC 4787, Section 4.3", func(c *config) { c.Scope, c.UDP.Filtering = nat.PerSession, nat.AddressDependent },
			map[string]string{"timeout-scope": "session"}, []string{"udp-filtering", "timeout-scope"}},
		{"RFC 5382, REQ-5", func(c *config) { c.Timeouts.TCPEstablished = time.Hour },
			map[string]string{"tcp-established-timeout": "59m44s..1h0m16s"}, []string{"tcp-established-timeout"}},
		{"RFC 5382, REQ-5", func(c *config) { c.Timeouts.TCPOpening = time.Minute },
			map[string]string{"tcp-opening-timeout": "59s..1m0s"}, []string{"tcp-opening-timeout"}},
		{"RFC 5382, REQ-5", func(c *config) { c.Timeouts.TCPClosing = time.Minute },
			map[string]string{"tcp-closing-timeout": "59s..1m0s"}, []string{"tcp-closing-timeout"}},
		{"RFC 5508, REQ-2", func(c *config) { c.Timeouts.ICMP = 10 * time.Second },
			map[string]string{"icmp-timeout": "9s..10s"}, []string{"icmp-timeout"}},

		{"RFC 4787, REQ-14", func(c *config) { c.Fragments.Mode = nat.InOrder },
			map[string]string{"fragments": "in-order"}, []string{"fragments"}},
		{"RFC 4787, REQ-13", func(c *config) { c.Fragments.Mode = nat.NoFragments },
			map[string]string{"fragments": "none"}, []string{"fragments"}},
		{"RFC 7857, Section 10", func(c *config) { c.RewriteID = true },
			map[string]string{"rewrite-id": "true"}, []string{"rewrite-id"}},

		{"RFC 5382, REQ-4", func(c *config) { c.TCPRules.Unsolicited = nat.UnsolicitedSilent },
			map[string]string{"unsolicited-syn": "silent"}, []string{"unsolicited-syn"}},
		{"RFC 5382, REQ-4", func(c *config) { c.TCPRules.Unsolicited = nat.UnsolicitedICMP },
			map[string]string{"unsolicited-syn": "icmp"}, []string{"unsolicited-syn"}},
		{"RFC 5382, REQ-4", func(c *config) { c.TCPRules.Unsolicited = nat.UnsolicitedReset },
			map[string]string{"unsolicited-syn": "reset"}, []string{"unsolicited-syn"}},
		{"RFC 7857, Section 2.4", func(c *config) { c.TCPRules.MidStream = nat.MidStreamDrop },
			map[string]string{"mid-stream": "drop"}, []string{"mid-stream"}},
		{"RFC 7857, Section 2.4", func(c *config) { c.TCPRules.MidStream = nat.MidStreamReset },
			map[string]string{"mid-stream": "reset"}, []string{"mid-stream"}},
		{"RFC 7857, Section 2.2", func(c *config) { c.TCPRules.Reset = nat.ResetEnds },
			map[string]string{"tcp-reset": "ends"}, []string{"tcp-reset"}},
		{"RFC 7857, Section 2.2", func(c *config) { c.TCPRules.Window = nat.WindowOfReset },
			map[string]string{"tcp-window": "reset"}, []string{"tcp-window"}},
		{"RFC 7857, Section 2.2", func(c *config) { c.TCPRules.Window = nat.WindowOfAll },
			map[string]string{"tcp-window": "all", "tcp-opening-timeout": "3m58s..4m0s"}, []string{"tcp-window"}},

		{"IPsec pass-through", func(c *config) { c.ESP.Mode = nat.OneClient },
			map[string]string{"esp": "one-client", "esp-keep": "first", "esp-timeout": "9m56s..10m0s"}, []string{"esp"}},
		{"IPsec pass-through", func(c *config) { c.ESP.Mode, c.ESP.Keep = nat.OneClient, nat.KeepLast },
			map[string]string{"esp": "one-client", "esp-keep": "last"}, []string{"esp"}},
		{"IPsec pass-through", func(c *config) { c.ESP.Mode = nat.BySPI },
			map[string]string{"esp": "by-spi", "esp-serial": "false", "esp-two-at-once": "mixed-up", "spi-timeout": "29s..30s"}, []string{"esp"}},
		{"IPsec pass-through", func(c *config) { c.ESP.Mode, c.ESP.Serial = nat.BySPI, true },
			map[string]string{"esp": "by-spi", "esp-serial": "true", "esp-two-at-once": "one"}, []string{"esp"}},
		{"IPsec pass-through", func(c *config) { c.ESP.Mode, c.Timeouts.ESP, c.Timeouts.SPI = nat.BySPI, time.Minute, 10*time.Second },
			map[string]string{"esp-timeout": "59s..1m0s", "spi-timeout": "9s..10s"}, []string{"esp"}},
		{"IPsec pass-through", func(c *config) { c.AH.Mode = nat.BySPI },
			map[string]string{"ah": "by-spi"}, []string{"ah"}},
		{"other protocols", func(c *config) { c.Other.Mode = nat.OneClient },
			map[string]string{"other-protocols": "one-client", "other-keep": "first"}, []string{"other-protocols"}},
		{"IKE", func(c *config) { c.IKE = nat.IKECookies }, map[string]string{"ike": "cookies"}, []string{"ike"}},
		{"IKE", func(c *config) { c.IKE = nat.IKEKeepPort }, map[string]string{"ike": "keep-port"}, []string{"ike"}},
		{"IKE", func(c *config) { c.IKE = nat.IKEOneHost }, map[string]string{"ike": "one-host"}, []string{"ike"}},

		{"RFC 3022, Section 4.1", func(c *config) { c.Faults.NoUDPChecksum = true },
			map[string]string{"faults": "no-udp-checksum"}, []string{"faults"}},
		{"RFC 3022, Section 4.1", func(c *config) { c.Faults.NoTCPChecksum = true },
			map[string]string{"faults": "no-tcp-checksum"}, []string{"faults"}},
		{"RFC 3022, Section 4.1", func(c *config) { c.Faults.ZeroFilled = true },
			map[string]string{"faults": "zero-filled"}, []string{"faults"}},
		{"RFC 1624, Section 2", func(c *config) { c.Faults.LostCarry = true },
			map[string]string{"nat": "not observed: no server answers over UDP"}, nil},
		{"RFC 5508, REQ-4", func(c *config) { c.Faults.StaleQuote = true },
			map[string]string{"faults": "stale-quote"}, []string{"faults"}},
	} {
		conf := config{Outside: []netip.Addr{netip.MustParseAddr("203.0.113.1")}}
		c.change(&conf)
		t.Run(c.source+" "+strings.Join(c.against, " "), func(t *testing.T) {
			r := discoverBehind(t, conf)
			for key, want := range c.want {
				f, ok := r.Of(key)
				require.True(t, ok, key)
				require.Equal(t, want, f.Value(), "%s: %s", key, f.Detail)
			}
			require.Empty(t, discovery.NewBox("itself", conf, insiders).Against(r))
			var keys []string
			for _, x := range ordinary.Against(r) {
				keys = append(keys, x.Key)
			}
			require.Equal(t, c.against, keys)
		})
	}
}
