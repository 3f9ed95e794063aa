package firewall_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/firewall"
)

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func ports(first, last uint16) []firewall.Ports { return []firewall.Ports{{First: first, Last: last}} }

// One rule that permits, and what it lets through of these packets.
func TestRule(t *testing.T) {
	packets := map[string][]byte{
		"udp out":     udp(in, out, 1025, 53),
		"udp back":    udp(out, in, 53, 1025),
		"syn":         tcp(in, out, 1025, 80, "S"),
		"syn+ack":     tcp(out, in, 80, 1025, "SA"),
		"rst":         tcp(out, in, 80, 1025, "R"),
		"esp":         esp(in, out),
		"ah":          ah(out, in),
		"echo":        icmp(in, out, 8, 0, 1),
		"unreachable": icmp(out, in, 3, 3, 0, udp(in, out, 1025, 53)...),
		"too big":     icmp(out, in, 3, 4, 0, udp(in, out, 1025, 53)...),
		"udp6":        udp(in6, out6, 1025, 53),
		"esp6":        esp(out6, in6),
		"too big 6":   icmp6(out6, in6, 2, 0, udp(in6, out6, 1, 2)...),
	}
	for _, tc := range []struct {
		rule firewall.Rule
		want []string
	}{
		{firewall.Rule{}, []string{"ah", "echo", "esp", "esp6", "rst", "syn", "syn+ack", "too big", "too big 6", "udp back", "udp out", "udp6", "unreachable"}},
		{firewall.Rule{Protocol: 50}, []string{"esp", "esp6"}},
		{firewall.Rule{Protocol: 51}, []string{"ah"}},
		{firewall.Rule{From: "lan"}, []string{"echo", "esp", "syn", "udp out", "udp6"}},
		{firewall.Rule{From: firewall.Outside, To: firewall.Inside, Protocol: 17}, []string{"udp back"}},
		{firewall.Rule{To: firewall.Self}, nil},
		{firewall.Rule{Source: prefixes("10.0.0.0/24"), Destination: prefixes("192.0.2.9/32")}, []string{"echo", "esp", "syn", "udp out"}},
		{firewall.Rule{Source: prefixes("2001:db8::/32")}, []string{"esp6", "too big 6", "udp6"}},
		{firewall.Rule{Protocol: 17, DestinationPorts: ports(53, 53)}, []string{"udp out", "udp6"}},
		{firewall.Rule{Protocol: 17, SourcePorts: ports(1, 1023)}, []string{"udp back"}},
		{firewall.Rule{Protocol: 6, Established: true}, []string{"rst", "syn+ack"}},
		{firewall.Rule{Protocol: 1, ICMP: []firewall.ICMP{{Type: 3}}}, []string{"too big", "unreachable"}},
		{firewall.Rule{Protocol: 1, ICMP: []firewall.ICMP{{Type: 3, Code: 4, OneCode: true}, {Type: 8}}}, []string{"echo", "too big"}},
		{firewall.Rule{Protocol: 58, ICMP: []firewall.ICMP{{Type: 2}}}, []string{"too big 6"}},
		{firewall.Rule{Fragments: true}, nil},
	} {
		tc.rule.Action = firewall.Permit
		w := newWall(t, firewall.Config{Rules: []firewall.Rule{tc.rule}})
		for name, packet := range packets {
			why := w.judge(packet)
			if contains(tc.want, name) {
				require.Empty(t, why, "%s: %s", tc.rule, name)
			} else {
				require.Equal(t, "no rule permits it", why, "%s: %s", tc.rule, name)
			}
		}
		require.Equal(t, uint64(len(tc.want)), w.Hits()[0].Count)
		require.Equal(t, uint64(len(packets)-len(tc.want)), w.Counters().Dropped)
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// The first rule that matches decides, and names itself.
func TestListOrder(t *testing.T) {
	w := newWall(t, firewall.Config{Rules: []firewall.Rule{
		{Action: firewall.Permit, Protocol: 50, Source: prefixes("10.0.0.5/32")},
		{Action: firewall.Deny, Protocol: 50},
		{Action: firewall.Prohibit, Name: "no ping", Protocol: 1},
	}, Default: firewall.Permit})
	w.passes(esp(in, out))
	w.drops("rule 2: deny esp", esp(in2, out))
	w.passes(udp(in2, out, 1, 2))
	v := w.Judge(0, firewall.Crossing{Packet: icmp(in, out, 8, 0, 1), From: "lan", To: "net"})
	require.Equal(t, firewall.Verdict{Why: `rule "no ping": prohibit icmp`, Prohibited: true}, v)
	require.Equal(t, firewall.Counters{Passed: 2, Dropped: 2, Prohibited: 1}, w.Counters())

	require.NoError(t, w.SetRules(nil, firewall.Prohibit))
	w.drops("no rule permits it", esp(in, out))
	require.Equal(t, uint64(2), w.Counters().Prohibited)
}

// Fragments, as access lists of Cisco IOS treat them.
func TestListFragments(t *testing.T) {
	web := udp(in, out, 1025, 53, make([]byte, 100)...)
	first, second := pieces(web, 48)
	otherFirst, otherSecond := pieces(udp(in, out, 1025, 54, make([]byte, 100)...), 48)
	espFirst, espSecond := pieces(esp(in, out), 8)

	w := newWall(t, firewall.Config{Rules: []firewall.Rule{{Action: firewall.Permit, Protocol: 17, DestinationPorts: ports(53, 53)}}})
	w.passes(first)
	w.passes(second, "a rule with ports that permits is for later fragments, too")
	w.drops("no rule permits it", otherFirst)
	w.passes(otherSecond, "whose first one was not let through")
	w.drops("no rule permits it", espSecond)

	w = newWall(t, firewall.Config{Rules: []firewall.Rule{{Action: firewall.Deny, Protocol: 17, DestinationPorts: ports(53, 53)}}, Default: firewall.Permit})
	w.drops("rule 1: deny udp to port 53", first)
	w.passes(second, "a rule with ports that denies is not")

	w = newWall(t, firewall.Config{Rules: []firewall.Rule{{Action: firewall.Deny, Fragments: true}}, Default: firewall.Permit})
	w.passes(web)
	w.passes(first)
	w.drops("rule 1: deny any protocol fragments", second)
	w.passes(espFirst)

	w = newWall(t, firewall.Config{Rules: []firewall.Rule{{Action: firewall.Deny, Protocol: 50}}, Default: firewall.Permit})
	w.drops("rule 1: deny esp", espFirst)
	w.drops("rule 1: deny esp", espSecond)
}

// RFC 1858 and RFC 3128: fragments that hide flags, or would change them.
func TestTinyFragments(t *testing.T) {
	w := newWall(t, firewall.Config{Default: firewall.Permit})
	syn := tcp(in, out, 1025, 80, "S")
	first, second := pieces(syn, 8)
	w.drops("its upper-layer header is not whole", first)
	w.drops("a fragment that would overwrite the TCP header", second)
	_, second = pieces(syn, 16)
	w.passes(second)
}

func TestMistakes(t *testing.T) {
	for _, tc := range []struct {
		config firewall.Config
		want   string
	}{
		{firewall.Config{Rules: []firewall.Rule{{}, {DestinationPorts: ports(1, 2)}}}, "firewall: rule 2: ports are of TCP or UDP"},
		{firewall.Config{Rules: []firewall.Rule{{Protocol: 6, SourcePorts: ports(2, 1)}}}, "firewall: rule 1: there are no ports from 2 to 1"},
		{firewall.Config{Rules: []firewall.Rule{{ICMP: []firewall.ICMP{{}}}}}, "firewall: rule 1: types of ICMP are of ICMP or ICMPv6"},
		{firewall.Config{Rules: []firewall.Rule{{Established: true}}}, "firewall: rule 1: only TCP has connections that are established"},
		{firewall.Config{Rules: []firewall.Rule{{Protocol: 6, Established: true, Fragments: true}}}, "firewall: rule 1: the fragments of a datagram but the first have no ports, types or flags"},
		{firewall.Config{Rules: []firewall.Rule{{Action: 7}}}, "firewall: rule 1: there is no action 7"},
		{firewall.Config{Rules: []firewall.Rule{{Source: make([]netip.Prefix, 1)}}}, "firewall: rule 1: a prefix is invalid"},
		{firewall.Config{Default: 7}, "firewall: there is no action 7"},
		{firewall.Config{State: &firewall.State{Max: -1}}, "firewall: a table has 1 to 16777216 states, not -1"},
		{firewall.Config{State: &firewall.State{Timeouts: firewall.Timeouts{UDP: -1}}}, "firewall: the timeout of UDP is negative"},
		{firewall.Config{State: &firewall.State{IPsec: 9}}, "firewall: there is no tracking of IPsec 9"},
		{firewall.Config{Inspect: []firewall.Inspect{{Source: make([]netip.Prefix, 1)}}}, "firewall: inspection 1: a prefix is invalid"},
	} {
		_, err := firewall.New(tc.config)
		require.EqualError(t, err, tc.want)
	}
}
