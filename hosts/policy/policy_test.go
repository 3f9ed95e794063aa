package policy

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// address reads me, any, an address or a prefix.
func address(s string) Address {
	switch {
	case s == "me":
		return Me()
	case s == "any":
		return Any()
	case strings.Contains(s, "/"):
		return Subnet(netip.MustParsePrefix(s))
	}
	return Host(addr(s))
}

// protocols are the words of the tables below.
var protocols = map[string]uint8{"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "46": 46, "esp": 50, "icmpv6": 58, "132": 132}

// filter reads "tcp me > 10.0.0.2:1433" or "tcp me > [2001:db8::1]:1433"; mirrored unless it ends in " once".
func filter(s string) Filter {
	s, once := strings.CutSuffix(s, " once")
	w := strings.Fields(s)
	end := func(s string) (Address, uint16) {
		a, port := s, ""
		switch inside, bracketed := strings.CutPrefix(s, "["); {
		case bracketed:
			a, port, _ = strings.Cut(inside, "]:")
		case strings.Count(s, ":") == 1:
			a, port, _ = strings.Cut(s, ":")
		}
		n, _ := strconv.Atoi(port)
		return address(a), uint16(n)
	}
	f := Filter{Protocol: protocols[w[0]], Mirrored: !once}
	f.Source, f.SourcePort = end(w[1])
	f.Destination, f.DestinationPort = end(w[3])
	return f
}

// flow reads "tcp 10.0.0.1:1025 > 10.0.0.2:1433".
func flow(s string) ipsec.Flow {
	w := strings.Fields(s)
	end := func(s string) (netip.Addr, uint16) {
		if a, err := netip.ParseAddrPort(s); err == nil {
			return a.Addr(), a.Port()
		}
		return addr(s), 0
	}
	f := ipsec.Flow{Proto: protocols[w[0]]}
	f.Src, f.SrcPort = end(w[1])
	f.Dst, f.DstPort = end(w[3])
	return f
}

const psk = "a preshared key of the lab"

// rule makes a rule of one kind; a negotiating one has the method of the examples in the interoperability paper.
func rule(name string, kind Kind, filters ...string) Rule {
	r := Rule{Name: name, Filters: FilterList{Name: name + " list"}, Action: FilterAction{Name: kind.String(), Kind: kind}}
	for _, f := range filters {
		r.Filters.Filters = append(r.Filters.Filters, filter(f))
	}
	if kind == Negotiate {
		m, err := ParseSecurityMethod("ESP[3DES,SHA1]:100000k/3600s")
		if err != nil {
			panic(err)
		}
		r.Action.Methods = []ipsec.Proposal{m}
		r.Auth = []AuthMethod{{PreSharedKey: psk}}
	}
	return r
}

func policyOf(rules ...Rule) *Policy { return &Policy{Name: "p", Rules: rules} }

// compile compiles for a host; the first address is its own, others make it multihomed.
func compile(t testing.TB, p *Policy, local ...string) *Compiled {
	t.Helper()
	var addrs []netip.Addr
	for _, l := range local {
		addrs = append(addrs, addr(l))
	}
	c, err := Compile(p, addrs, Options{})
	require.NoError(t, err)
	return c
}

// verdict is a line of a table: a direction, a packet, the action, and the rule where it matters.
type verdict struct {
	direction ipsec.Direction
	packet    string
	action    string
	rule      string
}

const (
	out = ipsec.Outbound
	in  = ipsec.Inbound
)

// checkVerdicts asks the SPD, as a data plane would, and Explain; they must agree.
func checkVerdicts(t *testing.T, c *Compiled, want []verdict) {
	t.Helper()
	for _, v := range want {
		f := flow(v.packet)
		action, name := search(c, v.direction, f)
		require.Equal(t, v.action, action, "%s %s\n%s", v.direction, v.packet, strings.Join(c.Specific(), "\n"))
		if v.rule != "" {
			require.Equal(t, v.rule, name, "%s %s", v.direction, v.packet)
		}
		x := c.Explain(v.direction, f, Circumstances{})
		require.Equal(t, v.action, x.Action, "%s", x)
		require.Equal(t, name, x.Rule, "%s", x)
		require.NotEmpty(t, x.Why)
	}
}

// search is the first match in the SPD, in the words of an Explanation.
func search(c *Compiled, d ipsec.Direction, f ipsec.Flow) (action, rule string) {
	spd := c.Outbound
	if d == ipsec.Inbound {
		spd = c.Inbound
	}
	for _, e := range spd {
		if !e.Selector.Matches(&f) {
			continue
		}
		switch e.Action {
		case ipsec.Discard:
			return "block", e.Rule
		case ipsec.Protect:
			return "negotiate", e.Rule
		}
		if strings.HasPrefix(e.Rule, "exempt:") {
			return "exempt", e.Rule
		}
		return "permit", e.Rule
	}
	return "no match", ""
}

// A policy that is not assigned filters nothing and answers no IKE.
func TestNoPolicy(t *testing.T) {
	c, err := Compile(nil, nil, Options{})
	require.NoError(t, err)
	require.Empty(t, c.Outbound)
	require.Empty(t, c.Inbound)
	require.Empty(t, c.Specific())
	x := c.Explain(in, flow("udp 10.0.0.2:500 > 10.0.0.1:500"), Circumstances{})
	require.Equal(t, "no match", x.Action)
	require.Equal(t, "no policy is assigned", x.Why)
	_, ok := c.MainMode(addr("10.0.0.1"), addr("10.0.0.2"))
	require.False(t, ok)
	_, ok = c.QuickMode(netip.Addr{}, ipsec.Selector{})
	require.False(t, ok)
}

// C113: me makes one filter per address and direction, an explicit address makes one.
func TestSpecific(t *testing.T) {
	c := compile(t, policyOf(
		rule("me", Negotiate, "tcp me > 10.0.9.9:445"),
		rule("one", Block, "any 10.0.0.1 > 10.0.9.8"),
		rule("others", Permit, "any 10.0.7.1 > 10.0.8.0/24 once"),
		rule("self", Permit, "udp me > 10.0.0.1:53 once"),
	), "10.0.0.1", "10.0.1.1")
	require.Equal(t, []string{
		"outbound udp any:500 > any: exempt, exempt: isakmp",
		"outbound udp any:4500 > any: exempt, exempt: isakmp",
		"outbound tcp 10.0.0.1 > 10.0.9.9:445: negotiate, p/me",
		"outbound tcp 10.0.1.1 > 10.0.9.9:445: negotiate, p/me",
		"outbound any 10.0.0.1 > 10.0.9.8: block, p/one",
		"inbound udp any > any:500: exempt, exempt: isakmp",
		"inbound udp any > any:4500: exempt, exempt: isakmp",
		"inbound tcp 10.0.9.9:445 > 10.0.0.1: negotiate, p/me",
		"inbound tcp 10.0.9.9:445 > 10.0.1.1: negotiate, p/me",
		"inbound any 10.0.9.8 > 10.0.0.1: block, p/one",
		"none udp 10.0.0.1 > 10.0.0.1:53: permit, p/self (does not concern this host: packets to itself never pass the IPsec driver)",
		"none udp 10.0.1.1 > 10.0.0.1:53: permit, p/self (does not concern this host: packets to itself never pass the IPsec driver)",
		"none any 10.0.7.1 > 10.0.8.0/24: permit, p/others (does not concern this host: neither end is an address of it)",
	}, c.Specific())
}

// The two directions of a conversation share an ID; within one direction IDs are unique.
func TestIDs(t *testing.T) {
	c := compile(t, policyOf(
		rule("a", Negotiate, "tcp me > 10.0.9.9:445", "any any > any", "udp any > any:53 once"), rule("b", Block, "any me > any", "any any > any"),
	), "10.0.0.1", "10.0.1.1")
	outbound := map[int]ipsec.Policy{}
	for _, e := range c.Outbound {
		require.NotContains(t, outbound, e.ID)
		require.NotZero(t, e.ID)
		require.Equal(t, ipsec.Outbound, e.Direction)
		outbound[e.ID] = e
	}
	seen := map[int]bool{}
	shared := 0
	for _, e := range c.Inbound {
		require.False(t, seen[e.ID])
		seen[e.ID] = true
		require.Equal(t, ipsec.Inbound, e.Direction)
		if o, ok := outbound[e.ID]; ok {
			shared++
			require.Equal(t, o.Selector.Reverse(), e.Selector)
			require.Equal(t, o.Rule, e.Rule)
		}
	}
	// all but "any to any, UDP 53", which is two one-way conversations
	require.Equal(t, len(c.Outbound)-1, shared)
	require.Len(t, c.Inbound, len(c.Outbound))
}

func TestEntriesCarryTheAction(t *testing.T) {
	r := rule("n", Negotiate, "any me > 10.0.0.2")
	r.Action.PFS = true
	p := policyOf(r)
	c := compile(t, p, "10.0.0.1")
	e := c.Outbound[len(c.Outbound)-1]
	require.Equal(t, ipsec.Policy{
		ID: 3, Rule: "p/n", Direction: ipsec.Outbound, Action: ipsec.Protect, PFS: true,
		Selector: ipsec.Selector{Src: ipsec.Host(addr("10.0.0.1")), Dst: ipsec.Host(addr("10.0.0.2"))},
		Proposals: []ipsec.Proposal{{
			Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}},
			Lifetime:   ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100000}, Mode: ipsec.Transport,
		}},
	}, e)
	// what is compiled does not follow later changes of the policy
	p.Rules[0].Action.Methods[0].Transforms[0].Cipher = "aes128-cbc"
	require.Equal(t, "3des-cbc", e.Proposals[0].Transforms[0].Cipher)
}

func TestExplain(t *testing.T) {
	c := compile(t, policyOf(
		rule("all", Block, "any me > any"), rule("net", Permit, "any me > 10.0.0.0/24"),
		rule("host", Negotiate, "any me > 10.0.0.2"), rule("tcp", Negotiate, "tcp me > 10.0.0.2"),
		rule("sql", Negotiate, "tcp me > 10.0.0.2:1433"), rule("also", Permit, "tcp me > 10.0.0.2:1433"),
		rule("also 2", Permit, "tcp me > 10.0.0.2:1433"), rule("subnets", Block, "any 10.0.0.0/24 > 10.0.0.0/24"),
	), "10.0.0.1")
	x := c.Explain(out, flow("tcp 10.0.0.1:1025 > 10.0.0.2:1433"), Circumstances{})
	require.Equal(t, `outbound tcp 10.0.0.1:1025 > 10.0.0.2:1433: permit, by p/also
  1. p/also, permit, weight 33033112
     tcp 10.0.0.1 > 10.0.0.2:1433 (from tcp me > 10.0.0.2:1433, mirrored)
     decides: it is the first in search order of 8 filters that match
  2. p/also 2, permit, weight 33033112
     tcp 10.0.0.1 > 10.0.0.2:1433 (from tcp me > 10.0.0.2:1433, mirrored)
     as specific as the winner and of the same action; the winner stands earlier in the policy (lab rule)
  3. p/sql, negotiate, weight 33033111
     tcp 10.0.0.1 > 10.0.0.2:1433 (from tcp me > 10.0.0.2:1433, mirrored)
     as specific as the winner, and permit goes before negotiate (lab rule)
  4. p/tcp, negotiate, weight 33033101
     tcp 10.0.0.1 > 10.0.0.2 (from tcp me > 10.0.0.2, mirrored)
     less specific: it names no port, the winner destination port 1433
  5. p/host, negotiate, weight 33033001
     any 10.0.0.1 > 10.0.0.2 (from any me > 10.0.0.2, mirrored)
     less specific: any protocol, the winner names tcp
  6. p/net, permit, weight 33025002
     any 10.0.0.1 > 10.0.0.0/24 (from any me > 10.0.0.0/24, mirrored)
     less specific: destination 10.0.0.0/24 is a /24, the winner names a host
  7. p/all, block, weight 33000003
     any 10.0.0.1 > any (from any me > any, mirrored)
     less specific: destination is any address, the winner names a host
  8. p/subnets, block, weight 25025003
     any 10.0.0.0/24 > 10.0.0.0/24 (from any 10.0.0.0/24 > 10.0.0.0/24, mirrored)
     less specific: source 10.0.0.0/24 is a /24, the winner names a host
  now: it passes in the clear
`, x.String())

	x = c.Explain(in, flow("udp 10.0.0.2:4500 > 10.0.0.1:4500"), Circumstances{})
	require.Equal(t, "exempt", x.Action)
	require.Equal(t, "exemptions go before all filters", x.Why)
	require.Equal(t, "exemptions go before all filters", x.Matches[1].Why)

	f := flow("tcp 10.0.0.1 > 10.0.0.2")
	f.Fragment = true
	x = c.Explain(out, f, Circumstances{})
	require.Equal(t, "p/tcp", x.Rule)
	require.Contains(t, x.Why, "a non-first fragment shows no ports")

	// a filter between others is named and does not decide
	c = compile(t, policyOf(rule("others", Block, "any 10.0.7.1 > 10.0.8.0/24 once")), "10.0.0.1")
	x = c.Explain(in, flow("tcp 10.0.7.1:1 > 10.0.8.8:2"), Circumstances{})
	require.Equal(t, `inbound tcp 10.0.7.1:1 > 10.0.8.8:2: no match
  no filter matches
  left out: p/others, block, weight 33025003
     any 10.0.7.1 > 10.0.8.0/24 (from any 10.0.7.1 > 10.0.8.0/24)
     does not concern this host: neither end is an address of it
  now: it passes untouched
`, x.String())
	require.Equal(t, "no match", c.Explain(ipsec.Direction(9), ipsec.Flow{}, Circumstances{}).Action)
}
