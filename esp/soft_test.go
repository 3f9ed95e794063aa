package esp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// requesting is Alice, who negotiates with everybody and may fall back with ports
// other than 443.
func requesting(t *testing.T, c Config) *node {
	n := newNode(t, c)
	strict := ipsec.Selector{Proto: ipsec.ProtoUDP, DstPort: 443}
	out := []ipsec.Policy{negotiate(1, ipsec.Outbound, strict), negotiate(2, ipsec.Outbound, ipsec.Selector{})}
	in := []ipsec.Policy{negotiate(1, ipsec.Inbound, strict.Reverse()), negotiate(2, ipsec.Inbound, ipsec.Selector{})}
	out[1].FallBack, in[1].FallBack = true, true
	n.SetPolicy(out, in)
	return n
}

func fromBob(srcPort uint16) ipsec.Flow {
	return ipsec.Flow{Src: bob, Dst: alice, Proto: ipsec.ProtoUDP, SrcPort: srcPort, DstPort: 1}
}

// A soft SA lets the traffic of two addresses pass in the clear, both ways, where the
// entry allows it, and nothing else.
func TestSoftSA(t *testing.T) {
	n := requesting(t, Config{})
	require.Equal(t, Held, n.Outbound(start, toBob(1, 80), 0).Outcome)
	require.Equal(t, Held, n.Outbound(start, ip(alice, carol, ipsec.ProtoUDP, udp(1, 80, 0)), 0).Outcome)
	require.Equal(t, Dropped, n.InboundClear(start, fromBob(80)).Outcome)
	require.EqualValues(t, 1, n.Counters().ClearTextDrops)

	require.Equal(t, [][]byte{toBob(1, 80)}, n.FallBack(start, alice, bob, "silence"), "Carol's packet waits on")
	require.Equal(t, []trace.SoftSAAdded{{Local: "10.0.0.1", Peer: "10.0.0.2", Rule: "p/secure", Code: 13844, Reason: "silence"}}, traced[trace.SoftSAAdded](n))
	require.False(t, n.Acquiring(1))
	require.True(t, n.Acquiring(2))

	d := n.Outbound(start, toBob(1, 80), 0)
	require.Equal(t, Passed, d.Outcome)
	require.Equal(t, ActionNegotiate, d.Action)
	require.Equal(t, Held, n.Outbound(start, toBob(1, 443), 0).Outcome, "another entry, which does not allow it")
	require.Equal(t, Held, n.Outbound(start, ip(alice, carol, ipsec.ProtoUDP, udp(1, 80, 0)), 0).Outcome, "another peer")
	require.Equal(t, Passed, n.InboundClear(start, fromBob(80)).Outcome)
	require.Equal(t, Dropped, n.InboundClear(start, fromBob(443)).Outcome)
	require.EqualValues(t, 1, n.Counters().SoftAssociations)

	require.Empty(t, n.FallBack(start, alice, bob, "again"))
	require.EqualValues(t, 1, n.Counters().SoftAssociations, "the one that there is goes on")
}

// With Answers a soft SA lets in what answers a packet that was sent under it, later
// fragments of which one does not see the ports, and nothing else.
func TestSoftSAForAnswers(t *testing.T) {
	n := requesting(t, Config{Soft: Soft{Answers: true}})
	n.Outbound(start, toBob(1, 80), 0)
	n.FallBack(start, alice, bob, "silence")
	in := func(f ipsec.Flow) Outcome {
		standing := n.Standing(start, ipsec.Inbound, f)
		d := n.InboundClear(start, f)
		require.Equal(t, d.Outcome == Passed, standing.Soft != nil)
		return d.Outcome
	}
	require.Equal(t, Dropped, in(fromBob(80)), "nothing has been sent under it")
	require.Equal(t, Passed, n.Outbound(start, toBob(1, 80), 0).Outcome)
	require.Equal(t, Passed, in(fromBob(80)))
	require.Equal(t, Dropped, in(fromBob(81)))
	require.Equal(t, Passed, in(ipsec.Flow{Src: bob, Dst: alice, Proto: ipsec.ProtoUDP, Fragment: true}))
	require.EqualValues(t, 3, n.Softs()[0].Packets, "what is dropped is no use of it")
}

// A soft SA ends when it is idle, at its lifetime, with the other SAs, and when the
// peer negotiates; then the next packet waits again.
func TestSoftSAEnds(t *testing.T) {
	second := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	for _, c := range []struct {
		name   string
		soft   Soft
		use    []int // seconds
		end    int
		reason string
	}{
		{"idle", Soft{}, []int{100, 200}, 500, "idle"},
		{"idle, as set", Soft{Idle: 10 * time.Second}, nil, 10, "idle"},
		{"in use", Soft{Lifetime: 30 * time.Second}, []int{10, 20, 29}, 30, "expired"},
	} {
		n := requesting(t, Config{Soft: c.soft})
		n.FallBack(start, alice, bob, "silence")
		for _, s := range c.use {
			require.Equal(t, Passed, n.Outbound(second(s), toBob(1, 80), 0).Outcome, c.name)
		}
		at, ok := n.NextDeadline()
		require.True(t, ok)
		require.Equal(t, second(c.end), at, c.name)
		n.Advance(second(c.end).Add(-1))
		require.Empty(t, traced[trace.SoftSARemoved](n), c.name)
		n.Advance(second(c.end))
		require.Equal(t, []trace.SoftSARemoved{
			{Local: "10.0.0.1", Peer: "10.0.0.2", Code: 13845, Reason: c.reason, Packets: uint64(len(c.use))},
		}, traced[trace.SoftSARemoved](n), c.name)
		require.Equal(t, Held, n.Outbound(second(c.end), toBob(1, 80), 0).Outcome, c.name)
	}

	n := requesting(t, Config{})
	n.FallBack(start, alice, bob, "silence")
	require.Equal(t, Held, n.Outbound(second(300), toBob(1, 80), 0).Outcome, "late, before Advance")

	n.FallBack(start, alice, carol, "silence")
	n.RemoveAll(start, "policy changed")
	require.Equal(t, "policy changed", traced[trace.SoftSARemoved](n)[1].Reason)
	require.Equal(t, Dropped, n.InboundClear(start, ipsec.Flow{Src: carol, Dst: alice, Proto: ipsec.ProtoUDP, SrcPort: 80}).Outcome)
}

// An SA with the peer ends the soft one.
func TestSoftSAGivesWay(t *testing.T) {
	a, _ := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	n := newNode(t, Config{})
	n.FallBack(start, alice, bob, "silence")
	n.FallBack(start, alice, carol, "silence")
	for _, sa := range a.SAs() {
		require.NoError(t, n.Add(start, sa.SAParams))
	}
	require.Equal(t, []trace.SoftSARemoved{
		{Local: "10.0.0.1", Peer: "10.0.0.2", Code: 13845, Reason: "the peer has negotiated an SA"},
	}, traced[trace.SoftSARemoved](n), "with Carol it goes on")
}

// Inbound passthrough lets a clear packet in and asks for an SA with its sender, once.
func TestPassthrough(t *testing.T) {
	n := newNode(t, Config{})
	out, in := negotiate(1, ipsec.Outbound, ipsec.Selector{}), negotiate(1, ipsec.Inbound, ipsec.Selector{})
	in.Passthrough = true
	n.SetPolicy([]ipsec.Policy{out}, []ipsec.Policy{in})
	for range 3 {
		d := n.InboundClear(start, fromBob(80))
		require.Equal(t, []any{Passed, ActionNegotiate, "p/secure"}, []any{d.Outcome, d.Action, d.Rule})
	}
	require.Len(t, n.events(), 1)
	require.Equal(t, []trace.Acquire{{ID: 1, Selector: "any 10.0.0.1 > 10.0.0.2", Peer: "10.0.0.2", Rule: "p/secure"}}, traced[trace.Acquire](n))
	require.EqualValues(t, 3, n.Counters().AcceptedClear)
	require.EqualValues(t, 0, n.Counters().ClearTextDrops)
	require.Equal(t, Held, n.Outbound(start, toBob(1, 80), 0).Outcome, "the answer needs the SA")
	require.Empty(t, n.events(), "which has been asked for")

	require.Equal(t, Passed, n.InboundClear(start, ipsec.Flow{Src: bob, Dst: alice, Proto: ipsec.ProtoUDP, Fragment: true}).Outcome)
	n.InboundClear(start, ipsec.Flow{Src: carol, Dst: alice, Proto: ipsec.ProtoUDP, Fragment: true})
	require.Empty(t, n.events(), "a fragment that hides its ports asks for nothing")
}
