package esp

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// behindNAT are Alice behind a NAT, at which she seems to be on port 61000, and Bob, with SAs of both directions.
func behindNAT(t testing.TB, c Config) (a, b *node) {
	t.Helper()
	a, b = newNode(t, c), newNode(t, c)
	a.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)
	b.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)
	toBob, _ := params(tripleDES, alice, bob, 0x1000, 0x2000)
	_, fromBob := params(tripleDES, bob, alice, 0x2000, 0x1000)
	_, fromAlice := params(tripleDES, outside, bob, 0x1000, 0x2000)
	toAlice, _ := params(tripleDES, bob, outside, 0x2000, 0x1000)
	toBob.UDP, fromBob.UDP = natt4500, natt4500
	fromAlice.UDP, toAlice.UDP = ipsec.Encapsulation{Src: 61000, Dst: 4500}, ipsec.Encapsulation{Src: 4500, Dst: 61000}
	require.NoError(t, a.Add(start, fromBob, toBob))
	require.NoError(t, b.Add(start, fromAlice, toAlice))
	return a, b
}

// seal has Alice send a packet that leaves her NAT with the given source.
func (n *node) seal(t testing.TB, from netip.AddrPort) []byte {
	t.Helper()
	d := n.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 10)), 0)
	require.Equal(t, Protected, d.Outcome, d.Why)
	return moved(d.Packet, from.Addr(), from.Port())
}

// RFC 3947, Section 7: a peer that sends from another port is followed, after its packet was found authentic; a
// packet that is late, comes again or is forged says nothing.
func TestPeerMoves(t *testing.T) {
	a, b := behindNAT(t, Config{})
	old, next := netip.AddrPortFrom(outside, 61000), netip.AddrPortFrom(outside, 61001)
	deliver := func(p []byte, outcome Outcome) {
		t.Helper()
		d := b.InboundProtected(start, p)
		require.Equal(t, outcome, d.Outcome, d.Why)
	}
	deliver(a.seal(t, old), Opened)
	require.Empty(t, b.events())
	late := a.seal(t, next)
	deliver(a.seal(t, old), Opened)
	deliver(late, Opened)
	require.Empty(t, b.events(), "it was sent before the one that came from the old port")
	newest := a.seal(t, old)
	forged := moved(newest, outside, 6666)
	forged[len(forged)-1] ^= 1
	deliver(forged, Dropped)
	require.Empty(t, b.events(), "not authentic")
	deliver(newest, Opened)
	deliver(moved(newest, outside, 6666), Dropped)
	require.Empty(t, b.events(), "a replay")

	deliver(a.seal(t, next), Opened)
	deliver(a.seal(t, next), Opened)
	events := b.events()
	require.Len(t, events, 1, "once for each place")
	e := events[0].(EventMoved)
	require.Equal(t, next, e.To)
	require.Equal(t, uint32(0x1000), e.SA.SPI)
	require.Equal(t, uint16(61000), b.Outbound(start, ip(bob, outside, 17, udp(2, 1, 5)), 0).portTo(), "until the host says so, answers go where the peer was")

	b.trace = nil
	moved := b.Move(start, bob, old, next, nil)
	require.Len(t, moved, 2)
	require.Equal(t, []trace.SAMoved{
		{Direction: "inbound", Protocol: "ESP", SPI: 0x1000, From: old.String(), To: next.String()},
		{Direction: "outbound", Protocol: "ESP", SPI: 0x2000, From: old.String(), To: next.String()},
	}, traced[trace.SAMoved](b))
	answer := b.Outbound(start, ip(bob, outside, 17, udp(2, 1, 5)), 0)
	require.Equal(t, uint16(61001), answer.portTo())
	require.Equal(t, uint64(2), answer.Sequence, "numbers go on")
	require.Equal(t, "replayed: the sequence number was received before", b.InboundProtected(start, newest).Why, "and so does the window")
	deliver(a.seal(t, next), Opened)
	require.Empty(t, b.events())
	deliver(a.seal(t, old), Opened)
	require.Len(t, b.events(), 1, "it is back")

	require.True(t, b.RemoveSAAt(start, ipsec.Outbound, ipsec.ESP, next, 0x2000, "test"), "it is found at its new end")
	require.Empty(t, b.sad.byEnds)
}

// portTo is the UDP port to which a protected packet goes.
func (d Decision) portTo() uint16 {
	return uint16(d.Packet[22])<<8 | uint16(d.Packet[23])
}

// With another address the selectors of transport mode go along, and the pair stays one.
func TestPeerMovesToAnotherAddress(t *testing.T) {
	a, b := behindNAT(t, Config{})
	old, next := netip.AddrPortFrom(outside, 61000), netip.MustParseAddrPort("192.0.2.99:4500")
	late := a.seal(t, next)
	require.Equal(t, Opened, b.InboundProtected(start, a.seal(t, old)).Outcome)
	d := b.InboundProtected(start, late)
	require.Equal(t, "the packet inside is not of the traffic that its SA is for", d.Why, "not the newest: nobody has moved")
	d = b.InboundProtected(start, a.seal(t, next))
	require.Equal(t, Opened, d.Outcome, d.Why)
	require.Equal(t, next.Addr().AsSlice(), d.Packet[12:16], "as it was received")
	require.Len(t, b.events(), 1)
	require.Len(t, b.Move(start, bob, old, next, nil), 2)
	require.Equal(t, Held, b.Outbound(start, ip(bob, outside, 17, udp(2, 1, 5)), 0).Outcome, "there is no SA with the old address")
	answer := b.Outbound(start, ip(bob, next.Addr(), 17, udp(2, 1, 5)), 0)
	require.Equal(t, Protected, answer.Outcome, answer.Why)
	require.Equal(t, uint16(4500), answer.portTo())
	require.Equal(t, Opened, b.InboundProtected(start, a.seal(t, next)).Outcome)
	d = b.InboundProtected(start, a.seal(t, netip.MustParseAddrPort("192.0.2.98:4500")))
	require.Equal(t, Opened, d.Outcome, "and on")
	var removed int
	b.cfg.Ended = func([]ipsec.SAParams, string) { removed++ }
	require.True(t, b.RemoveSA(start, ipsec.Inbound, ipsec.ESP, bob, 0x1000, "test"))
	require.Equal(t, 1, removed, "a pair has ended")
}

// A host behind a NAT does not follow. What seems to come from another address is not its peer's then.
func TestPeerIsNotFollowed(t *testing.T) {
	a, b := behindNAT(t, Config{Follow: func(sa ipsec.SAParams) bool { return sa.SPI != 0x1000 }})
	require.Equal(t, Opened, b.InboundProtected(start, a.seal(t, netip.AddrPortFrom(outside, 61001))).Outcome, "a port is no matter of policy")
	d := b.InboundProtected(start, a.seal(t, netip.MustParseAddrPort("192.0.2.99:4500")))
	require.Equal(t, "the packet inside is not of the traffic that its SA is for", d.Why)
	require.Empty(t, b.events())
}

// Of the computers behind one end only the one that is meant moves; an SPI that the new end
// has already is not taken from it.
func TestWhoMoves(t *testing.T) {
	_, b := behindNAT(t, Config{})
	old, next := netip.AddrPortFrom(outside, 61000), netip.AddrPortFrom(outside, 61001)
	in, out := b.SAs()[0].SAParams, b.SAs()[1].SAParams
	in.SPI, in.PeerSPI, out.SPI, out.PeerSPI = 0x1001, 0x2001, 0x2001, 0x1001
	require.NoError(t, b.Add(start, in, out))
	require.Empty(t, b.Move(start, carol, old, next, nil), "another address of the host")
	require.Empty(t, b.Move(start, bob, next, old, nil), "nobody is there")
	for _, to := range []netip.AddrPort{old, netip.AddrPortFrom(outside, 0), netip.AddrPortFrom(outside6, 1), {}} {
		require.Empty(t, b.Move(start, bob, old, to, nil), "%v is nowhere to move to", to)
	}
	first := func(sa ipsec.SAParams) bool { return sa.SPI == 0x1000 || sa.SPI == 0x2000 }
	require.Len(t, b.Move(start, bob, old, next, first), 2)
	answer := b.Outbound(start, ip(bob, outside, 17, udp(2, 1, 5)), 0)
	require.Equal(t, uint32(0x2001), answer.SPI, "the newest, although another one has just moved")

	in.SPI, in.PeerSPI, out.SPI, out.PeerSPI = 0x1002, 0x2000, 0x2000, 0x1002
	require.NoError(t, b.Add(start, in, out), "the SPI is free again at the old end")
	require.Len(t, b.Move(start, bob, next, old, nil), 0, "and taken now")
}
