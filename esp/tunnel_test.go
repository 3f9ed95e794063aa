package esp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

var (
	left  = netip.MustParsePrefix("192.168.1.0/24")
	right = netip.MustParsePrefix("192.168.2.0/24")
	inA   = netip.MustParseAddr("192.168.1.7")
	inB   = netip.MustParseAddr("192.168.2.9")
)

// gateways are Alice and Bob with a tunnel between them for the subnet left
// behind Alice and right behind Bob.
func gateways(t *testing.T, c Config, transforms ...ipsec.Transform) (a, b *node) {
	out, in := bundled(transforms, ipsec.Tunnel, alice, bob, 0x1000, 0x2000)
	for i := range out {
		out[i].Selector = ipsec.Selector{Src: left, Dst: right}
		in[i].Selector = out[i].Selector
	}
	a, b = tunnelled(t, c, out, in)
	e := negotiate(1, ipsec.Outbound, ipsec.Selector{Src: left, Dst: right})
	e.Peer = bob
	a.SetPolicy([]ipsec.Policy{e}, nil)
	return a, b
}

// RFC 4301, Section 5.1.2.1: what the outer header has from the inner one, and
// what is its own. The inner datagram comes out as it went in, and
// where the SA encrypts, its header is hidden with the rest (claim C085).
func TestTunnel(t *testing.T) {
	for _, transforms := range everyProtection() {
		t.Run(named(transforms), func(t *testing.T) {
			a, b := gateways(t, Config{}, transforms...)
			for n := range 20 {
				inner := flagged(ip(inA, inB, ipsec.ProtoUDP, udp(1, 2, n), 0x94, 4, 0, 0), dontFragment*uint16(n%2))
				kept := bytes.Clone(inner)
				d := a.Outbound(start, inner, 0)
				require.Equal(t, Protected, d.Outcome, d.Why)
				require.Equal(t, kept, inner, "the packet is only read")
				o := d.Packet[:20]
				require.Equal(t, byte(0x45), o[0], "options are not copied")
				require.Equal(t, inner[1], o[1], "TOS is copied")
				require.EqualValues(t, len(d.Packet), binary.BigEndian.Uint16(o[2:]))
				require.EqualValues(t, n+1, binary.BigEndian.Uint16(o[4:]), "an identification of its own")
				require.Equal(t, inner[6:8], o[6:8], "DF is copied")
				require.EqualValues(t, 64, o[8], "a TTL of its own")
				require.Equal(t, alice.AsSlice(), o[12:16])
				require.Equal(t, bob.AsSlice(), o[16:20])
				require.Zero(t, checksum(o))
				innermost := transforms[0]
				require.Equal(t, !secret(innermost), bytes.Contains(d.Packet, inner[12:20]), "the inner addresses are readable")

				r := b.InboundProtected(start, d.Packet)
				require.Equal(t, Opened, r.Outcome, r.Why)
				require.Equal(t, kept, r.Packet)
			}
		})
	}
}

// RFC 4301, Section 8.1: the DF bit is copied, set or cleared, and TooBig follows it.
func TestTunnelDF(t *testing.T) {
	for _, c := range []struct {
		df            DF
		inner, outer  uint16
		tooBig        bool
		nameOfSetting string
	}{
		{DFCopy, 0, 0, false, "copy"},
		{DFCopy, dontFragment, dontFragment, true, "copy"},
		{DFSet, 0, dontFragment, true, "set"},
		{DFSet, dontFragment, dontFragment, true, "set"},
		{DFClear, 0, 0, false, "clear"},
		{DFClear, dontFragment, 0, false, "clear"},
	} {
		require.Equal(t, c.nameOfSetting, c.df.String())
		a, _ := gateways(t, Config{TunnelDF: c.df}, tripleDES)
		packet := func(n int) []byte { return flagged(ip(inA, inB, 99, make([]byte, n-20)), c.inner) }
		d := a.Outbound(start, packet(100), 1500)
		require.Equal(t, c.outer, binary.BigEndian.Uint16(d.Packet[6:]), "%v", c)
		d = a.Outbound(start, packet(1500), 1500)
		require.Equal(t, c.tooBig, d.Outcome == TooBig, "%v: %v", c, d.Outcome)
		if c.tooBig {
			require.Equal(t, Protected, a.Outbound(start, packet(d.MTU), 1500).Outcome)
			require.Equal(t, TooBig, a.Outbound(start, packet(d.MTU+1), 1500).Outcome)
		}
	}
	require.Equal(t, "df(3)", DF(3).String())
	_, err := New(Config{Rand: zeroes{}, TunnelDF: 3})
	require.EqualError(t, err, "esp: Config.TunnelDF is none of copy, set and clear: df(3)")
}

// Congestion that the outer packet met reaches transports that asked for it
// (RFC 4301, Section 5.1.2.1, note 6).
func TestTunnelECN(t *testing.T) {
	for _, c := range []struct{ inner, outer, want byte }{
		{0x10, 0x10, 0x10}, {0x10, 0x13, 0x10}, // not ECN-capable
		{0x11, 0x13, 0x13}, {0x12, 0x13, 0x13}, {0x13, 0x13, 0x13},
		{0x11, 0x11, 0x11}, {0x12, 0x12, 0x12}, {0x12, 0x11, 0x12}, {0x13, 0x10, 0x13},
		{0x12, 0x63, 0x13}, // the outer DSCP is not taken over
	} {
		a, b := gateways(t, Config{}, ahSHA1)
		inner := ip(inA, inB, ipsec.ProtoUDP, udp(1, 2, 3))
		inner[1] = c.inner
		finishIPv4(inner, inner, 20, ipsec.ProtoUDP)
		p := a.Outbound(start, inner, 0).Packet
		p[1] = c.outer
		finishIPv4(p, p, 20, ipsec.ProtoAH)
		o := b.InboundProtected(start, p)
		require.Equal(t, Opened, o.Outcome, o.Why)
		want := bytes.Clone(inner)
		want[1] = c.want
		finishIPv4(want, want, 20, ipsec.ProtoUDP)
		require.Equal(t, want, o.Packet, "%#v", c)
		require.Zero(t, checksum(o.Packet[:20]))
	}
}

// The selector is for the packet inside; the outer addresses are the tunnel's.
func TestTunnelSelector(t *testing.T) {
	a, b := gateways(t, Config{}, tripleDES)
	require.Equal(t, Passed, a.Outbound(start, ip(carol, inB, 17, udp(1, 2, 3)), 0).Outcome, "not of the entry")
	s := a.sad.list[0]
	seal := func(inner []byte) []byte {
		d := &datagram{b: inner, headerLen: 20, nextAt: 9}
		p := make([]byte, s.protectedSize(d))
		s.seal(p, d)
		return p
	}
	for why, inner := range map[string][]byte{
		"the packet inside is not of the traffic that its SA is for": ip(carol, inB, 17, udp(1, 2, 3)),
		"inside: packet is neither IPv4 nor IPv6":                    append([]byte{0x50}, make([]byte, 60)...),
		"inside: packet is shorter than its IPv4 total length":       ip(inA, inB, 17, udp(1, 2, 30))[:30],
	} {
		o := b.InboundProtected(start, seal(inner))
		require.Equal(t, Dropped, o.Outcome)
		require.Equal(t, why, o.Why)
	}
	padded := append(ip(inA, inB, 17, udp(1, 2, 30)), make([]byte, 50)...) // RFC 4303, Section 2.7
	o := b.InboundProtected(start, seal(padded))
	require.Equal(t, Opened, o.Outcome, o.Why)
	require.Equal(t, padded[:58], o.Packet)

	transport, _ := params(tripleDES, alice, bob, 0x1000, 0x2000)
	x, _ := tunnelled(t, Config{}, []ipsec.SAParams{transport}, nil)
	p := x.Outbound(start, toBob(1, 2), 0).Packet
	copy(p[24:], []byte{0, 0, 0, 99})
	copy(p[len(p)-12:], a.sad.list[0].esp.integrity.over(p[20:len(p)-12]))
	require.Equal(t, "inside a tunnel is no IP datagram", b.InboundProtected(start, p).Why, "the same keys, and transport mode")
}

// Transport mode protects whole datagrams, a tunnel carries fragments, too, if no
// other entry may concern them (RFC 4301, Section 7.1).
func TestTunnelCarriesFragments(t *testing.T) {
	a, b := gateways(t, Config{}, tripleDES)
	datagram := ip(inA, inB, ipsec.ProtoUDP, udp(1, 2, 100))
	for _, fragment := range [][]byte{flagged(datagram, moreFragments), flagged(datagram, moreFragments|10), flagged(datagram, 20)} {
		d := carry(t, a, b, start, fragment)
		require.Equal(t, Opened, d.Outcome, d.Why)
		require.Equal(t, fragment, d.Packet)
	}
	web := negotiate(2, ipsec.Outbound, ipsec.Selector{Src: left, Dst: right, Proto: ipsec.ProtoUDP, DstPort: 80})
	web.Peer = bob
	a.SetPolicy(append([]ipsec.Policy{web}, a.out.entries...), nil)
	require.Equal(t, wholeDatagrams, a.Outbound(start, flagged(datagram, 20), 0).Why, "its port may be that of another entry")
}

// One negotiation for an entry with a tunnel, whoever is behind it; what waits
// goes out in the order in which it came.
func TestTunnelAcquire(t *testing.T) {
	n := newNode(t, Config{})
	e := negotiate(7, ipsec.Outbound, ipsec.Selector{Src: left, Dst: right})
	e.Peer = bob
	n.SetPolicy([]ipsec.Policy{e}, nil)
	var packets [][]byte
	for i := range byte(5) {
		p := ip(inA, netip.AddrFrom4([4]byte{192, 168, 2, 200 - i}), 17, udp(1, 2, 3))
		require.Equal(t, Held, n.Outbound(start, p, 0).Outcome)
		packets = append(packets, p)
	}
	require.Equal(t, []Event{EventAcquire{ID: 1, Policy: e, Selector: e.Selector, Peer: bob}}, n.events())
	require.Equal(t, "any 192.168.1.0/24 > 192.168.2.0/24", traced[trace.Acquire](n)[0].Selector)
	again := ip(inA, netip.AddrFrom4([4]byte{192, 168, 2, 200}), 17, udp(1, 2, 4))
	require.Equal(t, Held, n.Outbound(start, again, 0).Outcome)
	require.EqualValues(t, 1, n.Counters().HeldDiscarded, "one per destination")
	require.Equal(t, append(packets[1:], again), n.Answer(start, 1))
	require.Empty(t, n.Answer(start, 1))

	n.Outbound(start, packets[0], 0)
	n.Outbound(start, packets[1], 0)
	require.Equal(t, 2, n.Fail(start, 2))
	require.EqualValues(t, 3, n.Counters().HeldDiscarded)
}

// An SA of one mode is not for entries of the other, and a tunnel that the peer
// asked for serves the entry of its traffic.
func TestModesApart(t *testing.T) {
	a, _ := gateways(t, Config{}, tripleDES)
	e := a.out.entries[0]
	plain := e
	plain.Peer = netip.Addr{}
	a.SetPolicy([]ipsec.Policy{plain}, nil)
	require.Equal(t, Held, a.Outbound(start, ip(inA, inB, 17, udp(1, 2, 3)), 0).Outcome)

	out, _ := params(tripleDES, alice, bob, 0x5000, 0x6000)
	out.Mode, out.Selector, out.PolicyID = ipsec.Tunnel, e.Selector, 0
	n := newNode(t, Config{Rekey: Rekey{Idle: true}})
	e.Proposals = []ipsec.Proposal{{Transforms: []ipsec.Transform{tripleDES}, Mode: ipsec.Tunnel}}
	n.SetPolicy([]ipsec.Policy{e}, nil)
	out.Lifetime.Duration = 100e9
	require.NoError(t, n.Add(start, out))
	require.Equal(t, Protected, n.Outbound(start, ip(inA, inB, 17, udp(1, 2, 3)), 0).Outcome)
	n.Advance(start.Add(99e9))
	events := n.events()
	require.Len(t, events, 1)
	require.Equal(t, e, events[0].(EventSoft).Policy)
}

// Quick mode names one family: any in the filter of a tunnel is all addresses of the
// packet's, and the two families are negotiated apart.
func TestTunnelAcquireOfAny(t *testing.T) {
	n := newNode(t, Config{})
	e := negotiate(7, ipsec.Outbound, ipsec.Selector{})
	e.Peer, e.Local = bob, alice
	n.SetPolicy([]ipsec.Policy{e}, nil)
	n.Outbound(start, ip(inA, inB, 17, udp(1, 2, 3)), 0)
	n.Outbound(start, ip(inB, inA, 17, udp(1, 2, 3)), 0)
	n.Outbound(start, ip6(alice6, bob6, 17, udp(1, 2, 3)), 0)
	all4, all6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	require.Equal(t, []Event{
		EventAcquire{ID: 1, Policy: e, Selector: ipsec.Selector{Src: all4, Dst: all4}, Local: alice, Peer: bob},
		EventAcquire{ID: 2, Policy: e, Selector: ipsec.Selector{Src: all6, Dst: all6}, Local: alice, Peer: bob},
	}, n.events())
}

// Config.PathMTU is asked for the way to the far end, for packets of tunnels alone.
func TestTunnelPathMTU(t *testing.T) {
	asked := []netip.Addr{}
	mtu := 1300
	a, _ := gateways(t, Config{PathMTU: func(far netip.Addr) int {
		asked = append(asked, far)
		return mtu
	}}, tripleDES)
	packet := flagged(ip(inA, inB, 99, make([]byte, 1400)), dontFragment)
	d := a.Outbound(start, packet, 9000)
	require.Equal(t, TooBig, d.Outcome)
	require.LessOrEqual(t, d.MTU, 1300-50)
	require.Equal(t, []netip.Addr{bob}, asked)
	f := ipsec.Flow{Src: inA, Dst: inB, Proto: 99}
	require.Less(t, a.InnerMTU(f, 1500), 1300)
	mtu = 0
	require.Equal(t, 1500, a.InnerMTU(f, 1500), "the way is not known")
	require.Equal(t, Protected, a.Outbound(start, packet, 100).Outcome, "nothing is too big")
	asked = nil
	require.Equal(t, Passed, a.Outbound(start, ip(inB, inA, 99, nil), 9000).Outcome)
	require.Empty(t, asked)
}
