package nat

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	a := addrs("203.0.113.1", "203.0.113.2", "10.0.0.9", "2001:db8::1", "224.0.0.1")
	outside, second, inside, six, multicast := a[0], a[1], a[2], a[3], a[4]
	symmetric := Behaviour{Mapping: AddressAndPortDependent}
	for _, tc := range []struct {
		change func(c *Config)
		want   string
	}{
		{func(c *Config) {}, ""},
		{func(c *Config) { c.Outside = nil }, "nat: no outside address: name at least one"},
		{func(c *Config) { c.Outside = []netip.Addr{six} }, "2001:db8::1 is not an IPv4 address: only those are translated"},
		{func(c *Config) { c.Outside = []netip.Addr{{}} }, "outside address: no address: give one"},
		{func(c *Config) { c.Outside = []netip.Addr{multicast} }, "224.0.0.1 is not the address of one host"},
		{func(c *Config) { c.Outside = []netip.Addr{outside, outside} }, "203.0.113.1 stands there twice: leave one out"},
		{func(c *Config) { c.Inside = outside }, "inside address 203.0.113.1 is an outside one as well"},
		{func(c *Config) { c.Static = []Static{{Inside: inside, Outside: outside}} }, "outside address 203.0.113.1 is taken: give one of its own"},
		{func(c *Config) {
			c.Static = []Static{{Inside: inside, Outside: second}, {Inside: inside, Outside: a[2].Next()}}
		}, "static translation of 10.0.0.9 stands there twice"},
		{func(c *Config) { c.UDP.Mapping = 3 }, "UDP.Mapping has none of its values: use one of the constants"},
		{func(c *Config) { c.Limits.Eviction = 9 }, "Limits.Eviction has none of its values"},
		{func(c *Config) { c.Ports.Last = 5 }, "ports 0 to 5 are no range"},
		{func(c *Config) { c.Ports.First, c.Ports.Last = 6, 5 }, "ports 6 to 5 are no range"},
		{func(c *Config) { c.Ports = Ports{Assignment: Random, Collision: Overload} }, "collision overload is of assignment preserve, not of random: leave it out"},
		{func(c *Config) { c.Ports.Collision = Share }, "collision share needs address-and-port-dependent mapping"},
		{func(c *Config) { c.Ports.Collision, c.UDP, c.TCP = Share, symmetric, symmetric }, ""},
		{func(c *Config) { c.Ports.Assignment, c.UDP = Contiguous, symmetric }, "contiguous assignment needs endpoint-independent mapping of UDP"},
		{func(c *Config) { c.Ports = Ports{Assignment: Contiguous, Parity: true} }, "parity has no say"},
		{func(c *Config) { c.Ports = Ports{Range: WellKnown, First: 512, Last: 2000} }, "begin there"},
		{func(c *Config) { c.Blocks.PerHost = 2 }, "blocks have no size"},
		{func(c *Config) { c.Blocks.Size = 100000 }, "there are 64512 ports"},
		{func(c *Config) { c.Blocks.Size, c.Pooling = 64, Arbitrary }, "blocks need pooling paired"},
		{func(c *Config) { c.Blocks.Size, c.Ports.Range = 64, WellKnown }, "blocks and range well-known do not go together"},
		{func(c *Config) { c.Blocks.Size, c.Ports.Collision = 64, Refuse }, "blocks and collision refuse do not go together"},
		{func(c *Config) { c.Blocks.Size, c.Ports.Parity = 1, true }, "make them larger"},
		{func(c *Config) { c.Forwards = []Forward{server(50, 1, 0, "10.0.0.9:1")} }, "server 10.0.0.9:1 published at port 1: protocol 50 has no ports that can be published"},
		{func(c *Config) { c.Forwards = []Forward{server(udp, 0, 0, "10.0.0.9:1")} }, "ports 0 to 0 are no range"},
		{func(c *Config) { c.Forwards = []Forward{server(udp, 5, 4, "10.0.0.9:1")} }, "ports 5 to 4 are no range"},
		{func(c *Config) { c.Forwards = []Forward{server(udp, 1, 10, "10.0.0.9:65530")} }, "the server has no 10 ports from 65530 on"},
		{func(c *Config) { c.Forwards = []Forward{server(udp, 1, 0, "[2001:db8::1]:1")} }, "is not an IPv4 address"},
		{func(c *Config) {
			c.Forwards = []Forward{{Proto: udp, Port: 1, Outside: six, Inside: netip.MustParseAddrPort("10.0.0.9:1")}}
		}, "is not an IPv4 address"},
		{func(c *Config) {
			c.Forwards = []Forward{server(udp, 1, 3, "10.0.0.9:1"), server(udp, 3, 0, "10.0.0.8:1")}
		}, "server 10.0.0.8:1 published at port 3: port 3 is another's"},
		{func(c *Config) {
			c.Forwards, c.Ports.Reserved = []Forward{server(udp, 1, 3, "10.0.0.9:1")}, []uint16{3}
		}, "port 3 is the box's own"},
		{func(c *Config) {
			c.Forwards = []Forward{{Proto: udp, Port: 1, Inside: netip.MustParseAddrPort("10.0.0.9:1"), RewriteSource: true}}
		}, "set Inside"},
		{func(c *Config) {
			c.Static, c.Forwards = []Static{{Inside: inside, Outside: second}}, []Forward{server(udp, 1, 0, "10.0.0.9:1")}
		}, "10.0.0.9 is translated one to one with 203.0.113.2 already"},
		{func(c *Config) { c.Other.Mode = BySPI }, "other protocols have no SPI"},
		{func(c *Config) { c.Pooling, c.ESP.Mode = Arbitrary, BySPI }, "pooling arbitrary does not go with by-spi or cookies"},
		{func(c *Config) { c.IKEPorts = []uint16{500} }, "leave them out, or set IKE"},
		{func(c *Config) { c.IKE, c.Ports.Reserved = IKECookies, []uint16{500} }, "IKE cookies lets port 500 leave as it is, but that is the box's own"},
		{func(c *Config) { c.ESP.Keep = KeepLast }, "keep is for one-client"},
		{func(c *Config) { c.AH.Serial = true }, "serial for by-spi"},
		{func(c *Config) { c.Timeouts.ICMP = -1 }, "a timeout of -1ns"},
		{func(c *Config) { c.Timeouts.UDPWellKnown = time.Second }, "needs scope session, or address-and-port-dependent mapping"},
		{func(c *Config) { c.Timeouts.UDPWellKnown, c.UDP = time.Second, symmetric }, ""},
		{func(c *Config) { c.Limits.Held = -1 }, "a limit of -1"},
	} {
		c := Config{Outside: []netip.Addr{outside}}
		tc.change(&c)
		_, err := New(c, rand.New(rand.NewPCG(1, 2)))
		if tc.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, tc.want)
		require.ErrorContains(t, err, "nat: ")
	}
	_, err := New(Config{Outside: []netip.Addr{outside}}, nil)
	require.EqualError(t, err, "nat: New has no source of random numbers: give it a stream")
}

func TestNames(t *testing.T) {
	m, err := Parse[Dependence]("address-dependent")
	require.NoError(t, err)
	require.Equal(t, AddressDependent, m)
	require.Equal(t, "address-dependent", m.String())
	_, err = Parse[Keep]("both")
	require.EqualError(t, err, `nat: "both" is none of first, last`)
	require.Equal(t, "7", Keep(7).String())
	// Each constant has a name, and no more names than constants: the last of each kind.
	for _, last := range []struct{ value, names int }{
		{int(AddressAndPortDependent), len(Dependence(0).Names())}, {int(Contiguous), len(Assignment(0).Names())}, {int(Refuse), len(Collision(0).Names())},
		{int(WellKnownHalves), len(Range(0).Names())}, {int(Arbitrary), len(Pooling(0).Names())}, {int(NoHairpin), len(Hairpinning(0).Names())},
		{int(RefreshInbound), len(Refresh(0).Names())}, {int(PerSession), len(Scope(0).Names())}, {int(NoFragments), len(FragmentMode(0).Names())},
		{int(BySPI), len(PortlessMode(0).Names())}, {int(KeepLast), len(Keep(0).Names())}, {int(IKEOneHost), len(IKEMode(0).Names())},
		{int(UnsolicitedReset), len(Unsolicited(0).Names())}, {int(MidStreamReset), len(MidStream(0).Names())}, {int(ResetEnds), len(Reset(0).Names())},
		{int(WindowOfAll), len(Window(0).Names())}, {int(EvictLeast), len(Eviction(0).Names())}, {int(ExhaustedSpill), len(Exhausted(0).Names())},
		{int(ChangeKeeps), len(AddressChange(0).Names())}, {int(ErrorsDropped), len(ErrorMode(0).Names())}, {int(Refused), len(kindText)}, {int(reasons) - 1, len(reasonText)},
	} {
		require.Equal(t, last.value+1, last.names)
	}
	for why := none + 1; why < reasons; why++ {
		require.NotEmpty(t, why.String())
	}
	require.Equal(t, "refused", Refused.String())
}
