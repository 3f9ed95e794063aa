package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []Rule
		local []string
		want  []verdict
	}{
		{
			// C081, C062: the three actions and no match, both directions.
			name: "truth table",
			rules: []Rule{
				rule("permit", Permit, "tcp me > any:80"),
				rule("block", Block, "tcp me > any:25"),
				rule("negotiate", Negotiate, "tcp me > any:1433"),
			},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:80", "permit", "p/permit"},
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:25", "block", "p/block"},
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:1433", "negotiate", "p/negotiate"},
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:22", "no match", ""},
				{in, "tcp 10.0.0.2:80 > 10.0.0.1:1025", "permit", "p/permit"},
				{in, "tcp 10.0.0.2:25 > 10.0.0.1:1025", "block", "p/block"},
				{in, "tcp 10.0.0.2:1433 > 10.0.0.1:1025", "negotiate", "p/negotiate"},
				{in, "tcp 10.0.0.2:22 > 10.0.0.1:1025", "no match", ""},
				// the other direction of travel is another filter
				{in, "tcp 10.0.0.2:1025 > 10.0.0.1:80", "no match", ""},
				// and another protocol is, too
				{out, "udp 10.0.0.1:1025 > 10.0.0.2:80", "no match", ""},
			},
		},
		{
			// C080: host before subnet before any, whatever the order of entry.
			name: "specificity, most specific first",
			rules: []Rule{
				rule("host", Permit, "any me > 10.0.1.5"), rule("subnet", Block, "any me > 10.0.1.0/24"),
				rule("wide", Permit, "any me > 10.0.0.0/16"), rule("any", Negotiate, "any me > any"),
			},
			local: []string{"10.0.0.1"},
			want:  specificityVerdicts,
		},
		{
			name: "specificity, most specific last",
			rules: []Rule{
				rule("any", Negotiate, "any me > any"), rule("wide", Permit, "any me > 10.0.0.0/16"),
				rule("subnet", Block, "any me > 10.0.1.0/24"), rule("host", Permit, "any me > 10.0.1.5"),
			},
			local: []string{"10.0.0.1"},
			want:  specificityVerdicts,
		},
		{
			// Facts 2.3, lab rule: addresses, then protocol, then ports.
			name: "protocol and ports",
			rules: []Rule{
				rule("any", Block, "any me > 10.0.0.2"), rule("tcp", Permit, "tcp me > 10.0.0.2"),
				rule("port", Negotiate, "tcp me > 10.0.0.2:80"), rule("ports", Permit, "tcp me:1024 > 10.0.0.2:80"),
				rule("elsewhere", Block, "tcp me:1024 > any:80"),
			},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{out, "icmp 10.0.0.1 > 10.0.0.2", "block", "p/any"},
				{out, "tcp 10.0.0.1:9 > 10.0.0.2:9", "permit", "p/tcp"},
				{out, "tcp 10.0.0.1:9 > 10.0.0.2:80", "negotiate", "p/port"},
				{out, "tcp 10.0.0.1:1024 > 10.0.0.2:80", "permit", "p/ports"},
				{out, "tcp 10.0.0.1:1024 > 10.0.0.3:80", "block", "p/elsewhere"},
				{in, "tcp 10.0.0.2:80 > 10.0.0.1:9", "negotiate", "p/port"},
			},
		},
		{
			// Lab rule: the narrower end decides before the wider one, and both directions alike.
			name: "narrower end first",
			rules: []Rule{
				rule("subnets", Block, "any 10.0.0.0/24 > 10.0.1.0/24"), rule("to host", Permit, "any any > 10.0.1.5"),
				rule("from me", Negotiate, "any me > 10.0.0.0/8"),
			},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{out, "any 10.0.0.1 > 10.0.1.6", "negotiate", "p/from me"},
				{in, "any 10.0.1.6 > 10.0.0.1", "negotiate", "p/from me"},
				{out, "any 10.0.0.1 > 10.0.1.5", "negotiate", "p/from me"}, // /32 and /8 before /32 and /0
				{in, "any 10.0.1.5 > 10.0.0.1", "negotiate", "p/from me"},
			},
		},
		{
			// Facts 2.3, lab rule: block, permit, negotiate at equal specificity.
			name: "ties",
			rules: []Rule{
				rule("negotiate", Negotiate, "any me > 10.0.0.2", "any me > 10.0.0.3"),
				rule("permit", Permit, "any me > 10.0.0.2", "any me > 10.0.0.3"), rule("block", Block, "any me > 10.0.0.2"),
				rule("permit too", Permit, "any me > 10.0.0.3"),
			},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{out, "icmp 10.0.0.1 > 10.0.0.2", "block", "p/block"},
				{out, "icmp 10.0.0.1 > 10.0.0.3", "permit", "p/permit"}, // the earlier of two
				{in, "icmp 10.0.0.3 > 10.0.0.1", "permit", "p/permit"},
			},
		},
		{
			// C100: block all between two hosts, negotiate the application.
			name: "block all, negotiate app",
			rules: []Rule{
				rule("block all", Block, "any me > 10.0.0.2"), rule("app", Negotiate, "tcp me > 10.0.0.2:445"),
			},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:445", "negotiate", "p/app"},
				{in, "tcp 10.0.0.2:445 > 10.0.0.1:1025", "negotiate", "p/app"},
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:80", "block", "p/block all"},
				{in, "icmp 10.0.0.2 > 10.0.0.1", "block", "p/block all"},
				{out, "tcp 10.0.0.1:1025 > 10.0.0.3:80", "no match", ""},
			},
		},
		{
			// C013: stateless. Without the mirror image the answers have no filter, and a permit lets a forged one in.
			name: "one-way filter",
			rules: []Rule{
				rule("block", Block, "any any > me"), rule("web", Permit, "tcp any:80 > me once"),
				rule("out", Permit, "tcp me > 10.0.0.2:25 once"),
			},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{in, "tcp 10.0.0.9:80 > 10.0.0.1:3389", "permit", "p/web"},
				{out, "tcp 10.0.0.1:3389 > 10.0.0.9:80", "block", "p/block"},
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:25", "permit", "p/out"},
				{in, "tcp 10.0.0.2:25 > 10.0.0.1:1025", "block", "p/block"},
			},
		},
		{
			// C064: only ISAKMP passes a policy that blocks everything; the port is this host's.
			name:  "exemptions",
			rules: []Rule{rule("block", Block, "any any > any")},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{out, "udp 10.0.0.1:500 > 10.0.0.2:500", "exempt", "exempt: isakmp"},
				{in, "udp 10.0.0.2:500 > 10.0.0.1:500", "exempt", "exempt: isakmp"},
				{out, "udp 10.0.0.1:4500 > 10.0.0.2:31000", "exempt", "exempt: isakmp"},
				{in, "udp 10.0.0.2:31000 > 10.0.0.1:4500", "exempt", "exempt: isakmp"},
				{in, "udp 10.0.0.2:500 > 10.0.0.1:53", "block", "p/block"},
				{out, "tcp 10.0.0.1:500 > 10.0.0.2:500", "block", "p/block"},
				{in, "tcp 10.0.0.2:88 > 10.0.0.1:1025", "block", "p/block"},
				{in, "udp 10.0.0.2:88 > 10.0.0.1:1025", "block", "p/block"},
				{out, "icmp 10.0.0.1 > 224.0.0.9", "block", "p/block"},
				{in, "icmp 10.0.0.2 > 255.255.255.255", "block", "p/block"},
				{out, "any 10.0.0.1 > 10.0.0.2", "block", "p/block"},
			},
		},
		{
			// Facts 2.3: what a host receives without having the address is inbound, too.
			name:  "multicast and broadcast",
			rules: []Rule{rule("groups", Block, "any any > 224.0.0.0/4 once", "udp any > 255.255.255.255:67 once")},
			local: []string{"10.0.0.1"},
			want: []verdict{
				{in, "udp 10.0.0.2:520 > 224.0.0.9:520", "block", "p/groups"},
				{out, "udp 10.0.0.1:520 > 224.0.0.9:520", "block", "p/groups"},
				{in, "udp 10.0.0.2:68 > 255.255.255.255:67", "block", "p/groups"},
				{in, "udp 10.0.0.2:68 > 255.255.255.255:69", "no match", ""},
			},
		},
		{
			// A lab rule: any is of either family, and me is the host's own of the other end's.
			name: "two families",
			rules: []Rule{
				rule("all", Block, "any me > any"), rule("four", Permit, "any me > 0.0.0.0/0"), rule("web", Negotiate, "tcp me > [2001:db8:2::/64]:80"),
				rule("host", Permit, "icmpv6 me > 2001:db8:2::2"), rule("groups", Permit, "udp any > ff00::/8 once"),
			},
			local: []string{"10.0.0.1", "2001:db8:1::1", "fe80::1"},
			want: []verdict{
				{out, "tcp 10.0.0.1:1025 > 10.0.0.2:80", "permit", "p/four"},
				{out, "tcp [2001:db8:1::1]:1025 > [2001:db8:2::2]:80", "negotiate", "p/web"},
				{in, "tcp [2001:db8:2::2]:80 > [fe80::1]:1025", "negotiate", "p/web"},
				{out, "tcp [2001:db8:1::1]:1025 > [2001:db8:3::2]:80", "block", "p/all"},
				{out, "icmpv6 2001:db8:1::1 > 2001:db8:2::2", "permit", "p/host"},
				{in, "icmpv6 2001:db8:2::3 > 2001:db8:1::1", "block", "p/all"},
				{in, "udp [2001:db8:2::3]:9 > [ff02::1]:9", "permit", "p/groups"},
				{in, "udp [2001:db8:2::3]:500 > [2001:db8:1::1]:500", "exempt", "exempt: isakmp"},
			},
		},
		{
			// C113: "my IP address" is every address of the host.
			name:  "multihomed",
			rules: []Rule{rule("me", Negotiate, "any me > 10.0.9.9"), rule("explicit", Block, "any 10.0.0.1 > 10.0.9.8")},
			local: []string{"10.0.0.1", "10.0.1.1", "10.0.2.1"},
			want: []verdict{
				{out, "icmp 10.0.0.1 > 10.0.9.9", "negotiate", "p/me"},
				{out, "icmp 10.0.2.1 > 10.0.9.9", "negotiate", "p/me"},
				{in, "icmp 10.0.9.9 > 10.0.1.1", "negotiate", "p/me"},
				{out, "icmp 10.0.0.1 > 10.0.9.8", "block", "p/explicit"},
				{out, "icmp 10.0.1.1 > 10.0.9.8", "no match", ""},
			},
		},
		{
			// C119: on the SQL server, with the actions as printed SQL is blocked, all else negotiated.
			name: "SQL as printed",
			rules: []Rule{
				rule("sql", Block, "tcp 10.0.0.20 > 10.0.0.10:1433"), rule("rest", Negotiate, "any me > any"),
			},
			local: []string{"10.0.0.10"},
			want: []verdict{
				{in, "tcp 10.0.0.20:1025 > 10.0.0.10:1433", "block", "p/sql"},
				{out, "tcp 10.0.0.10:1433 > 10.0.0.20:1025", "block", "p/sql"},
				{in, "icmp 10.0.0.20 > 10.0.0.10", "negotiate", "p/rest"},
				{in, "tcp 10.0.0.30:1025 > 10.0.0.10:1433", "negotiate", "p/rest"},
			},
		},
		{
			// C118: only TCP 1433 from the application server, protected; all else dropped, ICMP included.
			name: "SQL as corrected",
			rules: []Rule{
				rule("sql", Negotiate, "tcp 10.0.0.20 > 10.0.0.10:1433"), rule("rest", Block, "any me > any"),
			},
			local: []string{"10.0.0.10"},
			want: []verdict{
				{in, "tcp 10.0.0.20:1025 > 10.0.0.10:1433", "negotiate", "p/sql"},
				{out, "tcp 10.0.0.10:1433 > 10.0.0.20:1025", "negotiate", "p/sql"},
				{in, "icmp 10.0.0.20 > 10.0.0.10", "block", "p/rest"},
				{out, "icmp 10.0.0.10 > 10.0.0.20", "block", "p/rest"},
				{in, "tcp 10.0.0.20:1025 > 10.0.0.10:80", "block", "p/rest"},
				{in, "udp 10.0.0.20:1025 > 10.0.0.10:1433", "block", "p/rest"},
				{in, "tcp 10.0.0.30:1025 > 10.0.0.10:1433", "block", "p/rest"},
				{out, "tcp 10.0.0.10:1025 > 10.0.0.20:1433", "block", "p/rest"}, // a server of the other side
				{in, "udp 10.0.0.20:500 > 10.0.0.10:500", "exempt", "exempt: isakmp"},
			},
		},
		{
			// The same on the application server, "reversing settings".
			name: "SQL as corrected, application server",
			rules: []Rule{
				rule("sql", Negotiate, "tcp 10.0.0.20 > 10.0.0.10:1433"), rule("rest", Block, "any me > any"),
			},
			local: []string{"10.0.0.20"},
			want: []verdict{
				{out, "tcp 10.0.0.20:1025 > 10.0.0.10:1433", "negotiate", "p/sql"},
				{in, "tcp 10.0.0.10:1433 > 10.0.0.20:1025", "negotiate", "p/sql"},
				{out, "icmp 10.0.0.20 > 10.0.0.10", "block", "p/rest"},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkVerdicts(t, compile(t, policyOf(c.rules...), c.local...), c.want)
		})
	}
}

var specificityVerdicts = []verdict{
	{out, "icmp 10.0.0.1 > 10.0.1.5", "permit", "p/host"},
	{out, "icmp 10.0.0.1 > 10.0.1.6", "block", "p/subnet"},
	{out, "icmp 10.0.0.1 > 10.0.2.6", "permit", "p/wide"},
	{out, "icmp 10.0.0.1 > 11.0.2.6", "negotiate", "p/any"},
	{in, "icmp 10.0.1.5 > 10.0.0.1", "permit", "p/host"},
	{in, "icmp 10.0.1.6 > 10.0.0.1", "block", "p/subnet"},
	{in, "icmp 10.0.2.6 > 10.0.0.1", "permit", "p/wide"},
	{in, "icmp 11.0.2.6 > 10.0.0.1", "negotiate", "p/any"},
}

func TestTiesAreConfigurable(t *testing.T) {
	p := policyOf(rule("b", Block, "any me > 10.0.0.2"), rule("p", Permit, "any me > 10.0.0.2"), rule("n", Negotiate, "any me > 10.0.0.2"))
	local := []netip.Addr{addr("10.0.0.1")}
	for want, ties := range map[string][]Kind{
		"block":     nil,
		"permit":    {Permit, Negotiate, Block},
		"negotiate": {Negotiate, Block, Permit},
	} {
		c, err := Compile(p, local, Options{Ties: ties})
		require.NoError(t, err)
		action, _ := search(c, out, flow("icmp 10.0.0.1 > 10.0.0.2"))
		require.Equal(t, want, action)
	}
	for _, ties := range [][]Kind{{}, {Block}, {Block, Block, Permit}, {Block, Permit, Negotiate, Permit}, {0, Permit, Block}} {
		_, err := Compile(p, local, Options{Ties: ties})
		require.ErrorContains(t, err, "policy: Options.Ties must name")
	}
}

// Each of two filters is more specific at one end: who goes first is a setting.
func TestSpecificityIsConfigurable(t *testing.T) {
	p := policyOf(rule("all", Negotiate, "any me > any"), rule("subnets", Permit, "any 10.0.0.0/24 > 10.0.1.0/24"), rule("server", Block, "any any > 10.0.1.9"))
	for _, c := range []struct {
		order                Specificity
		subnets, server, why string
	}{
		{Specificity{}, "all", "server", "me is a host, and the narrower end of all that match"},
		{Specificity{WiderEndFirst: true}, "subnets", "subnets", "any address at the wider end goes last"},
		{Specificity{MeCountsAsAny: true}, "subnets", "server", "a host before a subnet before me"},
		{Specificity{WiderEndFirst: true, MeCountsAsAny: true}, "subnets", "subnets", ""},
	} {
		compiled, err := Compile(p, []netip.Addr{addr("10.0.0.1")}, Options{Specificity: c.order})
		require.NoError(t, err)
		for packet, rule := range map[string]string{"icmp 10.0.0.1 > 10.0.1.5": c.subnets, "icmp 10.0.0.1 > 10.0.1.9": c.server} {
			_, name := search(compiled, out, flow(packet))
			require.Equal(t, "p/"+rule, name, "%+v: %s", c.order, packet)
			_, name = search(compiled, in, flow(packet).Reverse())
			require.Equal(t, "p/"+rule, name, "%+v: %s, and its answer", c.order, packet)
		}
		for i := range compiled.all[1:] {
			require.GreaterOrEqual(t, compiled.all[i].weight(), compiled.all[i+1].weight(), "%+v", c.order)
		}
	}
	compiled, err := Compile(p, []netip.Addr{addr("10.0.0.1")}, Options{Specificity: Specificity{MeCountsAsAny: true}})
	require.NoError(t, err)
	x := compiled.Explain(out, flow("icmp 10.0.0.1 > 10.0.1.5"), Circumstances{})
	require.Contains(t, x.String(), "less specific: source is me, which counts as any address, the winner names a /24")
}

// "Me" is not expanded to addresses that cannot meet the filter's other end.
func TestMeOfTheOtherEndsFamily(t *testing.T) {
	p := policyOf(rule("four", Block, "any me > 10.0.0.9 once"), rule("six", Permit, "any me > 2001:db8:2::/64 once"))
	require.Equal(t, []string{
		"outbound udp any:500 > any: exempt, exempt: isakmp",
		"outbound udp any:4500 > any: exempt, exempt: isakmp",
		"outbound icmpv6 types 133 to 137 any > any: exempt, exempt: neighbour discovery",
		"outbound any 2001:db8:1::1 > 2001:db8:2::/64: permit, p/six",
		"outbound any 10.0.0.1 > 10.0.0.9: block, p/four",
	}, compile(t, p, "10.0.0.1", "2001:db8:1::1").Specific()[:5])
	require.Empty(t, compile(t, policyOf(p.Rules[1]), "10.0.0.1").Outbound[2:], "a host without IPv6")
}

// Neighbour discovery passes a policy that blocks everything, and nothing else of
// ICMPv6 does. A host without IPv6 has no such exemption.
func TestNeighbourDiscoveryIsExempt(t *testing.T) {
	p := policyOf(rule("block", Block, "any any > any"))
	c := compile(t, p, "2001:db8::1")
	for _, f := range []ipsec.Flow{flow("icmpv6 2001:db8::1 > ff02::1:ff00:2"), flow("icmpv6 2001:db8::2 > 2001:db8::1")} {
		for kind, want := range map[uint8]string{
			128: "block", 132: "block", 138: "block", // echo request, listener done, router renumbering
			133: "exempt", 134: "exempt", 135: "exempt", 136: "exempt", 137: "exempt",
		} {
			f.ICMPType = kind
			for _, d := range []ipsec.Direction{out, in} {
				action, name := search(c, d, f)
				require.Equal(t, want, action, "%s %s type %d", d, f, kind)
				require.Equal(t, want == "exempt", name == ExemptDiscovery)
				require.Equal(t, want, c.Explain(d, f, Circumstances{}).Action)
			}
		}
	}
	require.Len(t, compile(t, p, "10.0.0.1").Outbound, 3, "two ports of ISAKMP and the filter")
}
