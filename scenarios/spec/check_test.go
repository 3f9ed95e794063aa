package spec

import (
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// built is a scenario made in code, as a test suite would.
func built() *Scenario {
	return &Scenario{
		Name:    "built",
		Title:   "a scenario built in code",
		Network: Network{Segments: map[string]Segment{"lan": {Subnet: "10.0.0.0/24"}}},
		Nodes: map[string]Node{
			"alice": {Interfaces: []Interface{{Segment: "lan", Address: "10.0.0.1/24"}}},
			"bob":   {Interfaces: []Interface{{Segment: "lan", Address: "10.0.0.2/24"}}, Serves: []Service{{TCP: 80}}},
		},
		Steps: []Step{{Connect: &Connect{From: "alice", To: "bob", Port: 80}}},
	}
}

func TestCheckBuiltInCode(t *testing.T) {
	require.NoError(t, built().Check())
	for _, tc := range []struct {
		spoil func(*Scenario)
		want  string
	}{
		{func(s *Scenario) { s.Name = "a b" }, `a b: the scenario's name "a b" is no name: use a-z, 0-9, _ and -, at most 64`},
		{func(s *Scenario) { s.Title = "" }, "built: the scenario has no title: say in one line what it shows"},
		{func(s *Scenario) { s.Steps = nil }, "built: the scenario has no steps: nothing happens in it"},
		{func(s *Scenario) { s.Steps[0] = Step{} }, "built: $.steps[0]: a step needs a verb: ping, connect, transfer, udp, raw, announce, scan, discover, enrol, fetch-list, wait, set-link, set-firewall, nat, set-host-firewall, assign-policy, restart-host, policy-agent, store-policy, netsh, set-address, ipconfig, set-servers, set-name, run, tamper, replay, inject or spoof"},
		{func(s *Scenario) { s.Steps[0].Connect.To = "rob" }, `built: $.steps[0].connect.to: to: no node is called "rob", and it is no address; did you mean "bob"?`},
		{func(s *Scenario) { s.Steps[0].Connect.Port = 0 }, "built: $.steps[0].connect: connect: there is no port"},
		{func(s *Scenario) { s.Steps[0].Connect.Timeout = -1 }, "built: $.steps[0].connect.timeout: timeout: -1ns is not from 0s to 87600h"},
		{func(s *Scenario) { s.Steps[0].At = math.MaxInt64 }, "built: $.steps[0].at: at: 2562047h47m16.854775807s is not from 0s to 87600h"},
		{func(s *Scenario) { s.Steps[0].Expect = &Expect{} }, "built: $.steps[0].expect: expect: nothing is expected: it may have result, received, lost, loss, silence, latency, wire, sa, rule, application, ike, ports, discovered, heard, throughput, overhead, counters, ike-counters, nat, firewall-counters, certificates, observed, output, exit, sas, events, never"},
		{func(s *Scenario) { s.Invariants = []Invariant{{}} }, "built: $.invariants[0]: an invariant needs a subject: wire, ike, answers, sas, counters, ike-counters, firewall-counters, nat, observed, events or never"},
		{func(s *Scenario) { s.Network.Segments["lan"] = Segment{Loss: math.NaN()} }, "built: $.network.segments.lan.loss: loss: NaN is no probability: it is from 0 to 1"},
		{func(s *Scenario) {
			s.Steps[0] = Step{Ping: &Ping{From: "alice", To: "bob", Count: 1_000_000, Interval: Duration(time.Hour)}}
		}, "built: $.steps[0].ping.count: count: 1000000 times 1h is longer than 87600h"},
	} {
		s := built()
		tc.spoil(s)
		require.EqualError(t, s.Check(), tc.want)
	}
}

// TestMistakesFollowNoMistake: what could not be read is reported once, not
// again as missing or undefined.
func TestMistakesFollowNoMistake(t *testing.T) {
	src, err := os.ReadFile(smallest)
	require.NoError(t, err)
	for _, tc := range []struct{ from, to, want string }{
		{"nodes:", "nods:", `unknown key "nods"; did you mean "nodes"?`},
		{"from:", "form:", `unknown key "form"; did you mean "from"?`},
		{"ping:", "pinng:", `unknown key or verb "pinng"; did you mean "ping"?`},
		{"{ from: alice, to: bob }", "alice", "ping: want a mapping, got text"},
		{"segment: lan, address: 10.0.0.2/24", "segment: [lan], address: 10.0.0.2/24", "segment: want text, got a list"},
		{"title: a ping", "title: [a, ping]", "title: want text, got a list"},
	} {
		_, err := Parse("a.yaml", replaceOnce(src, tc.from, tc.to))
		var all Errors
		require.ErrorAs(t, err, &all)
		require.Len(t, all, 1, "%s: %v", tc.to, err)
		require.Equal(t, tc.want, all[0].Message)
	}
}

func TestResolve(t *testing.T) {
	s := built()
	a, err := s.Resolve("bob")
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddr("10.0.0.2"), a)
	a, err = s.Resolve("192.0.2.7")
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddr("192.0.2.7"), a)
	for word, want := range map[string]string{
		"bobb":            `no node is called "bobb", and it is no address; did you mean "bob"?`,
		"":                `no node is called "", and it is no address`,
		"fe80::1%eth0":    "fe80::1%eth0 is unsupported: addresses have no zones here",
		"::ffff:10.0.0.1": "::ffff:10.0.0.1 is IPv4 written as IPv6: write 10.0.0.1",
		"empty":           "node empty has no interface, and so no address",
		"wrong":           `want an address with its prefix length, such as 10.0.0.1/24 or 2001:db8::1/64, got "x"`,
	} {
		s.Nodes["empty"], s.Nodes["wrong"] = Node{}, Node{Interfaces: []Interface{{Segment: "lan", Address: "x"}}}
		_, err := s.Resolve(word)
		require.EqualError(t, err, want)
	}

	name, ok := s.NodeAt(netip.MustParseAddr("10.0.0.1"))
	require.True(t, ok)
	require.Equal(t, "alice", name)
	_, ok = s.NodeAt(netip.MustParseAddr("10.0.0.3"))
	require.False(t, ok)
	for word, want := range map[string]string{"bob": "bob", "10.0.0.2": "bob", "10.0.0.9": "", "carol": ""} {
		name, ok := s.NodeOf("alice", word)
		require.Equal(t, want, name)
		require.Equal(t, want != "", ok)
	}
}

// A step takes the first address of a node that the other end can reach.
func TestDestination(t *testing.T) {
	on := func(addresses ...string) Node {
		return Node{Interfaces: []Interface{{Segment: "lan", Addresses: addresses}}}
	}
	s := &Scenario{Nodes: map[string]Node{
		"old": on("10.0.0.1/24"), "new": on("2001:db8::1/64"), "both": on("2001:db8::2/64", "10.0.0.2/24"),
	}}
	for _, tc := range []struct{ from, to, want string }{
		{"old", "both", "10.0.0.2"},
		{"new", "both", "2001:db8::2"},
		{"both", "old", "10.0.0.1"},
		{"both", "new", "2001:db8::1"},
		{"old", "2001:db8::2", "2001:db8::2"},
	} {
		got, err := s.Destination(tc.from, tc.to)
		require.NoError(t, err)
		require.Equal(t, tc.want, got.String(), "%s to %s", tc.from, tc.to)
	}
	_, err := s.Destination("old", "new")
	require.EqualError(t, err, "old and new have no addresses of the same family")
}

func TestFilterAddress(t *testing.T) {
	s := built()
	for word, want := range map[string]Address{
		"me":            {Me: true},
		"any":           {Any: true},
		"10.9.8.7":      {Prefix: netip.MustParsePrefix("10.9.8.7/32")},
		"10.0.0.0/8":    {Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		"bob":           {Prefix: netip.MustParsePrefix("10.0.0.2/32")},
		"2001:db8::/32": {Prefix: netip.MustParsePrefix("2001:db8::/32")},
		"2001:db8::1":   {Prefix: netip.MustParsePrefix("2001:db8::1/128")},
		"224.0.0.1":     {Prefix: netip.MustParsePrefix("224.0.0.1/32")},
		"10.0.0.2/32":   {Prefix: netip.MustParsePrefix("10.0.0.2/32")},
	} {
		got, err := s.FilterAddress(word)
		require.NoError(t, err, word)
		require.Equal(t, want, got, word)
	}
}

func replaceOnce(src []byte, from, to string) []byte {
	before, after, _ := strings.Cut(string(src), from)
	return []byte(before + to + after)
}
