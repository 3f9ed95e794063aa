package esp

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// asking is Alice with a policy to negotiate and no SAs.
func asking(t *testing.T, entries ...ipsec.Policy) *node {
	n := newNode(t, Config{})
	n.SetPolicy(entries, nil)
	return n
}

func toBob(srcPort, dstPort uint16) []byte {
	return ip(alice, bob, ipsec.ProtoUDP, udp(srcPort, dstPort, 4))
}

func TestAcquire(t *testing.T) {
	lan := netip.MustParsePrefix("10.0.0.0/24")
	e := negotiate(7, ipsec.Outbound, ipsec.Selector{Src: ipsec.Host(alice), Dst: lan, Proto: ipsec.ProtoUDP, DstPort: 1701})
	n := asking(t, e)
	require.Equal(t, Held, n.Outbound(start, toBob(5555, 1701), 0).Outcome)
	want := ipsec.Selector{Src: ipsec.Host(alice), Dst: ipsec.Host(bob), Proto: ipsec.ProtoUDP, DstPort: 1701}
	require.Equal(t, []Event{EventAcquire{ID: 1, Policy: e, Selector: want, Local: alice, Peer: bob}}, n.events(),
		"the packet's addresses, the filter's protocol and ports")
	require.Equal(t, []trace.Acquire{{ID: 1, Selector: "udp 10.0.0.1 > 10.0.0.2:1701", Peer: "10.0.0.2", Rule: "p/secure"}},
		traced[trace.Acquire](n))
	require.Equal(t, 1, n.Counters().PendingKeyOperations)
}

// One acquire for each (entry, source, destination) until it is answered or fails.
func TestAcquireOnce(t *testing.T) {
	n := asking(t,
		negotiate(1, ipsec.Outbound, ipsec.Selector{Proto: ipsec.ProtoUDP, DstPort: 80}),
		negotiate(2, ipsec.Outbound, ipsec.Selector{}))
	ids := func() (ids []uint64) {
		for _, e := range n.events() {
			ids = append(ids, e.(EventAcquire).ID)
		}
		return ids
	}
	for range 3 {
		n.Outbound(start, toBob(1, 80), 0)
	}
	require.Equal(t, []uint64{1}, ids())
	n.Outbound(start, toBob(2, 80), 0)
	require.Empty(t, ids(), "another port of the same filter")
	n.Outbound(start, toBob(1, 81), 0)
	require.Equal(t, []uint64{2}, ids(), "another entry")
	n.Outbound(start, ip(alice, carol, ipsec.ProtoUDP, udp(1, 80, 0)), 0)
	require.Equal(t, []uint64{3}, ids(), "another destination")
	n.Outbound(start, ip(carol, bob, ipsec.ProtoUDP, udp(1, 80, 0)), 0)
	require.Equal(t, []uint64{4}, ids(), "another source")

	n.Fail(start, 1)
	n.Outbound(start, toBob(1, 80), 0)
	require.Equal(t, []uint64{5}, ids(), "after a failure")
	n.Answer(start, 5)
	n.Outbound(start, toBob(1, 80), 0)
	require.Equal(t, []uint64{6}, ids(), "answered, and there is still no SA")
}

// TechNet cc740034: only the last packet per destination waits.
func TestLastPacketPerDestinationWaits(t *testing.T) {
	n := asking(t,
		negotiate(1, ipsec.Outbound, ipsec.Selector{Proto: ipsec.ProtoUDP, DstPort: 80}),
		negotiate(2, ipsec.Outbound, ipsec.Selector{}))
	toCarol := ip(alice, carol, ipsec.ProtoUDP, udp(1, 80, 0))
	n.Outbound(start, toBob(1, 80), 0) // acquire 1
	n.Outbound(start, toBob(2, 80), 0)
	n.Outbound(start, toCarol, 0)      // acquire 2
	n.Outbound(start, toBob(3, 81), 0) // acquire 3, the same destination
	require.EqualValues(t, 2, n.Counters().HeldDiscarded)
	require.Equal(t, []trace.PacketDropped{
		{Where: "ipsec outbound", Packet: "udp 10.0.0.1:1 > 10.0.0.2:80", Reason: "a later packet to the same destination took its place in waiting for an SA", Rule: "p/secure"},
		{Where: "ipsec outbound", Packet: "udp 10.0.0.1:2 > 10.0.0.2:80", Reason: "a later packet to the same destination took its place in waiting for an SA", Rule: "p/secure"},
	}, traced[trace.PacketDropped](n))

	require.Equal(t, [][]byte{toCarol}, n.Answer(start, 2))
	require.Empty(t, n.Answer(start, 1), "its packet was replaced")
	require.Equal(t, [][]byte{toBob(3, 81)}, n.Answer(start, 3))
	require.Empty(t, n.Answer(start, 3), "answered before")
	require.Empty(t, n.Answer(start, 99), "never asked")
}

// The held packet is what was sent, even if the sender uses its buffer again.
func TestHeldPacketIsCopied(t *testing.T) {
	n := asking(t, negotiate(1, ipsec.Outbound, ipsec.Selector{}))
	buffer := toBob(1, 80)
	n.Outbound(start, buffer, 0)
	clear(buffer)
	require.Equal(t, [][]byte{toBob(1, 80)}, n.Answer(start, 1))
}

func TestFailure(t *testing.T) {
	n := asking(t, negotiate(1, ipsec.Outbound, ipsec.Selector{}))
	n.Outbound(start, toBob(1, 80), 0)
	n.trace = nil
	require.Equal(t, 1, n.Fail(start, 1))
	require.Equal(t, []trace.PacketDropped{{
		Where: "ipsec outbound", Packet: "udp 10.0.0.1:1 > 10.0.0.2:80", Reason: "the negotiation of its SA failed", Rule: "p/secure",
	}}, traced[trace.PacketDropped](n))
	require.Zero(t, n.Fail(start, 1))
	require.Zero(t, n.Fail(start, 99))
	require.Empty(t, n.Answer(start, 1))
	require.Zero(t, n.Counters().PendingKeyOperations)
}

// From the held packet to its delivery.
func TestHeldPacketGoesOut(t *testing.T) {
	a, b := newNode(t, Config{}), newNode(t, Config{})
	a.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, between(alice, bob))}, nil)
	require.Equal(t, Held, a.Outbound(start, toBob(1, 80), 0).Outcome)
	link(t, a, b, tripleDES, 0x1000, ipsec.Lifetime{}, start)
	held := a.Answer(start, 1)
	require.Len(t, held, 1)
	o := carry(t, a, b, start, held[0])
	require.Equal(t, Opened, o.Outcome, o.Why)
	require.Equal(t, toBob(1, 80), o.Packet)
	require.Len(t, a.events(), 1, "the one acquire")
}

func TestAcquiresAreBounded(t *testing.T) {
	n := newNode(t, Config{})
	n.cfg.Trace = nil
	n.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)
	for i := range maxAcquires + 1 {
		dst := netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
		d := n.Outbound(start, ip(alice, dst, 47, nil), 0)
		if i < maxAcquires {
			require.Equal(t, Held, d.Outcome)
		} else {
			require.Equal(t, Dropped, d.Outcome)
			require.Equal(t, "no SA, and too many negotiations are under way", d.Why)
		}
	}
}
