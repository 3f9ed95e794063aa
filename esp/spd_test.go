package esp

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// A policy like the one of a database server: exemption, a host and a port by
// name, a subnet, and a blocked remainder of TCP.
func serverPolicy() (out, in []ipsec.Policy) {
	lan := netip.MustParsePrefix("10.0.0.0/24")
	add := func(id int, rule string, a ipsec.Action, sel ipsec.Selector) {
		out = append(out, ipsec.Policy{ID: id, Rule: rule, Direction: ipsec.Outbound, Action: a, Selector: sel})
		in = append(in, ipsec.Policy{ID: id, Rule: rule, Direction: ipsec.Inbound, Action: a, Selector: sel.Reverse()})
	}
	add(1, "exempt: isakmp", ipsec.Bypass, ipsec.Selector{Proto: ipsec.ProtoUDP, SrcPort: 500, DstPort: 500})
	add(2, "p/carol", ipsec.Bypass, ipsec.Selector{Src: ipsec.Host(alice), Dst: ipsec.Host(carol), Proto: ipsec.ProtoUDP, SrcPort: 53})
	add(3, "p/sql", ipsec.Protect, ipsec.Selector{Src: ipsec.Host(alice), Dst: lan, Proto: ipsec.ProtoTCP, SrcPort: 1433})
	add(4, "p/lan icmp", ipsec.Bypass, ipsec.Selector{Src: ipsec.Host(alice), Dst: lan, Proto: ipsec.ProtoICMP})
	add(5, "p/no tcp", ipsec.Discard, ipsec.Selector{Src: ipsec.Host(alice), Proto: ipsec.ProtoTCP})
	add(6, "p/lan", ipsec.Protect, ipsec.Selector{Src: ipsec.Host(alice), Dst: lan})
	return out, in
}

// RFC 4301, Section 4.4.1: the first entry that selects the packet decides. No
// match passes (TechNet cc740034). Inbound is what arrives in the clear.
func TestVerdicts(t *testing.T) {
	far := netip.MustParseAddr("192.0.2.9")
	flow := func(src netip.Addr, sport uint16, dst netip.Addr, dport uint16, proto uint8) ipsec.Flow {
		return ipsec.Flow{Src: src, Dst: dst, Proto: proto, SrcPort: sport, DstPort: dport}
	}
	fragment := func(src, dst netip.Addr, proto uint8) ipsec.Flow {
		return ipsec.Flow{Src: src, Dst: dst, Proto: proto, Fragment: true}
	}
	const icmp, tcp, udp, gre = ipsec.ProtoICMP, ipsec.ProtoTCP, ipsec.ProtoUDP, 47
	const in, out = ipsec.Inbound, ipsec.Outbound
	for _, c := range []struct {
		name    string
		dir     ipsec.Direction
		flow    ipsec.Flow
		outcome Outcome
		action  string
		rule    string
	}{
		// An exemption beats everything behind it, in both directions.
		{"ISAKMP out", out, flow(alice, 500, bob, 500, udp), Passed, "exempt", "exempt: isakmp"},
		{"ISAKMP in", in, flow(bob, 500, alice, 500, udp), Passed, "exempt", "exempt: isakmp"},
		{"ISAKMP from another port", out, flow(alice, 4000, bob, 500, udp), Held, "negotiate", "p/lan"},
		{"500 over TCP is no ISAKMP", out, flow(alice, 500, far, 500, tcp), Dropped, "block", "p/no tcp"},

		// Host and port.
		{"DNS answer to Carol", out, flow(alice, 53, carol, 9999, udp), Passed, "permit", "p/carol"},
		{"DNS question of Carol", in, flow(carol, 9999, alice, 53, udp), Passed, "permit", "p/carol"},
		{"DNS answer to Bob", out, flow(alice, 53, bob, 9999, udp), Held, "negotiate", "p/lan"},
		{"the mirrored port is the other side's", out, flow(alice, 9999, carol, 53, udp), Held, "negotiate", "p/lan"},
		{"another address of ours", out, flow(far, 53, carol, 9999, udp), Passed, "no match", ""},

		// Protected: outbound waits for an SA, inbound in the clear is discarded.
		{"SQL answer", out, flow(alice, 1433, bob, 3000, tcp), Held, "negotiate", "p/sql"},
		{"SQL question", in, flow(bob, 3000, alice, 1433, tcp), Dropped, "negotiate", "p/sql"},
		{"SQL answer to afar", out, flow(alice, 1433, far, 3000, tcp), Dropped, "block", "p/no tcp"},

		// Blocked.
		{"web out", out, flow(alice, 3000, bob, 80, tcp), Dropped, "block", "p/no tcp"},
		{"web in", in, flow(bob, 3000, alice, 80, tcp), Dropped, "block", "p/no tcp"},

		// Protocol without ports.
		{"ping", out, flow(alice, 0, bob, 0, icmp), Passed, "permit", "p/lan icmp"},
		{"ping in", in, flow(bob, 0, alice, 0, icmp), Passed, "permit", "p/lan icmp"},
		{"GRE", out, flow(alice, 0, bob, 0, gre), Held, "negotiate", "p/lan"},
		{"GRE in", in, flow(bob, 0, alice, 0, gre), Dropped, "negotiate", "p/lan"},

		// No match.
		{"ping afar", out, flow(alice, 0, far, 0, icmp), Passed, "no match", ""},
		{"UDP from afar", in, flow(far, 1, alice, 2, udp), Passed, "no match", ""},

		// Multicast and broadcast are never protected (C019, C044) …
		{"broadcast, no match", out, flow(alice, 138, netip.MustParseAddr("255.255.255.255"), 138, udp), Passed, "no match", ""},
		{"the subnet's broadcast", out, flow(alice, 138, netip.MustParseAddr("10.0.0.255"), 138, udp), Dropped, "negotiate", "p/lan"},
		// … and clear ones that arrive where protection is demanded are discarded.
		{"the subnet's broadcast in", in, flow(netip.MustParseAddr("10.0.0.9"), 138, alice, 138, udp), Dropped, "negotiate", "p/lan"},

		// Clear non-first fragments arriving: useless without a first one that passes.
		{"UDP fragment from Carol, maybe DNS", in, fragment(carol, alice, udp), Passed, "exempt", "exempt: isakmp"},
		{"TCP fragment from the LAN", in, fragment(bob, alice, tcp), Dropped, "block", "p/no tcp"},
		{"ICMP fragment from the LAN", in, fragment(bob, alice, icmp), Passed, "permit", "p/lan icmp"},
		{"GRE fragment from the LAN", in, fragment(bob, alice, gre), Dropped, "negotiate", "p/lan"},
		{"UDP fragment from afar", in, fragment(far, alice, udp), Passed, "exempt", "exempt: isakmp"},
		{"GRE fragment from afar", in, fragment(far, alice, gre), Passed, "no match", ""},
		// Leaving, they pass only if nothing that may concern them objects.
		{"TCP fragment to the LAN", out, fragment(alice, bob, tcp), Dropped, "negotiate", "p/sql"},
		{"TCP fragment to afar", out, fragment(alice, far, tcp), Dropped, "block", "p/no tcp"},
		{"UDP fragment to the LAN", out, fragment(alice, bob, udp), Dropped, "negotiate", "p/lan"},
		{"UDP fragment to afar", out, fragment(alice, far, udp), Passed, "no match", ""},
		{"ICMP fragment to the LAN", out, fragment(alice, bob, icmp), Passed, "permit", "p/lan icmp"},
	} {
		n := newNode(t, Config{Broadcast: func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.255") }})
		n.SetPolicy(serverPolicy())
		d := n.judge(c.dir, c.flow)
		require.Equal(t, c.outcome, d.Outcome, "%s: %s", c.name, d.Why)
		require.Equal(t, c.action, d.Action, c.name)
		require.Equal(t, c.rule, d.Rule, c.name)
		v := traced[trace.Verdict](n)
		require.Len(t, v, 1, c.name)
		require.Equal(t, trace.Verdict{
			Direction: c.dir.String(), Packet: c.flow.String(), Action: c.action, Rule: c.rule, Outcome: c.outcome.String(), Why: d.Why,
		}, v[0], c.name)
	}
}

// judge has a packet of the flow decided about.
func (n *node) judge(dir ipsec.Direction, f ipsec.Flow) Decision {
	if dir == ipsec.Inbound {
		return n.InboundClear(start, f)
	}
	payload := make([]byte, 8)
	if ipsec.HasPorts(f.Proto) {
		payload = udp(f.SrcPort, f.DstPort, 0)
	}
	packet := ip(f.Src, f.Dst, f.Proto, payload)
	if f.Fragment {
		packet = flagged(packet, 100)
	}
	return n.Outbound(start, packet, 0)
}

func TestReasons(t *testing.T) {
	n := newNode(t, Config{})
	n.SetPolicy(serverPolicy())
	f := ipsec.Flow{Src: bob, Dst: alice, Proto: ipsec.ProtoTCP, SrcPort: 3000, DstPort: 1433}
	require.Equal(t, "it arrived in the clear, and the policy demands protection", n.InboundClear(start, f).Why)
	require.EqualValues(t, 1, n.Counters().ClearTextDrops)

	first := flagged(ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 8)), moreFragments)
	require.Equal(t, "a fragment cannot be protected: transport mode takes whole datagrams", n.Outbound(start, first, 0).Why)
	group := ip(alice, netip.MustParseAddr("224.0.0.251"), ipsec.ProtoUDP, udp(1, 2, 8))
	n.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)
	for _, p := range [][]byte{group, ip(alice, netip.MustParseAddr("255.255.255.255"), ipsec.ProtoUDP, udp(1, 2, 8))} {
		require.Equal(t, "multicast and broadcast cannot be protected: SAs are for unicast addresses only", n.Outbound(start, p, 0).Why)
	}
	require.Empty(t, n.events(), "nothing of this asks for an SA")
}

// An undefined action permits nothing.
func TestUnknownActionBlocks(t *testing.T) {
	n := newNode(t, Config{})
	n.SetPolicy([]ipsec.Policy{{ID: 1, Rule: "?"}}, []ipsec.Policy{{ID: 1, Rule: "?"}})
	for _, d := range []ipsec.Direction{ipsec.Inbound, ipsec.Outbound} {
		require.Equal(t, Dropped, n.judge(d, ipsec.Flow{Src: alice, Dst: bob, Proto: 17}).Outcome)
	}
	require.EqualValues(t, 2, n.Counters().PolicyDrops)
}

// Without policy everything passes.
func TestNoPolicy(t *testing.T) {
	n := newNode(t, Config{})
	require.Equal(t, Passed, n.judge(ipsec.Outbound, ipsec.Flow{Src: alice, Dst: bob, Proto: 17}).Outcome)
	require.Equal(t, Passed, n.judge(ipsec.Inbound, ipsec.Flow{Src: alice, Dst: bob, Proto: 17}).Outcome)
}

// The Pipeline keeps its own copy of a policy.
func TestPolicyIsCopied(t *testing.T) {
	n := newNode(t, Config{})
	out, in := serverPolicy()
	n.SetPolicy(out, in)
	clear(out)
	require.Equal(t, "p/sql", n.judge(ipsec.Outbound, ipsec.Flow{Src: alice, Dst: bob, Proto: 6, SrcPort: 1433}).Rule)
}

// Equal verdicts about one flow are recorded once, until policy or SAs change.
func TestVerdictsAreRecordedOnce(t *testing.T) {
	n, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	verdicts := func() int { return len(traced[trace.Verdict](n)) }
	send := func(port uint16) { n.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, port, 0)), 0) }
	for range 5 {
		send(1)
	}
	require.Equal(t, 1, verdicts())
	send(2)
	require.Equal(t, 1, verdicts(), "another flow")
	send(1)
	require.Equal(t, 0, verdicts())
	link(t, n, b, tripleDES, 0x2000, ipsec.Lifetime{}, start)
	n.trace = nil
	send(1)
	require.Equal(t, 1, verdicts(), "the SAs changed")
	n.SetPolicy(n.out.entries, nil)
	send(1)
	require.Equal(t, 1, verdicts(), "the policy changed")

	for port := range maxRecorded + 100 {
		send(uint16(port))
	}
	require.LessOrEqual(t, len(n.recorder.verdicts), maxRecorded, "memory is bounded")
}
