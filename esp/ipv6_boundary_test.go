package esp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Every proper prefix of a packet, with a payload length that agrees, is dropped.
func TestTruncatedIPv6(t *testing.T) {
	for _, transforms := range everyProtection() {
		a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, transforms...)
		d := a.Outbound(start, ip6(alice6, bob6, ipsec.ProtoUDP, udp(1, 2, 30), hopByHop()), 0)
		for n := range len(d.Packet) {
			cut := bytes.Clone(d.Packet[:n])
			require.Equal(t, Dropped, b.InboundProtected(start, cut).Outcome, "%s: first %d bytes", named(transforms), n)
			if n >= 40 {
				binary.BigEndian.PutUint16(cut[4:], uint16(n-40))
				require.Equal(t, Dropped, b.InboundProtected(start, cut).Outcome, "%s: datagram of %d bytes", named(transforms), n)
			}
		}
	}
}

// An IPv6 tunnel carries IPv4 and the other way round: RFC 4301, Sections 5.1.2.1
// and 5.1.2.2, say what the outer header has from the inner one.
func TestTunnelFamilies(t *testing.T) {
	for outerName, outer := range families {
		for innerName, e := range families {
			for _, transforms := range everyProtection() {
				out, in := bundled(transforms, ipsec.Tunnel, outer.a, outer.b, 0x1000, 0x2000)
				for i := range out {
					out[i].Selector, in[i].Selector = between(e.a, e.b), between(e.a, e.b)
				}
				a, b := tunnelled(t, Config{}, out, in)
				inner := e.packet(ipsec.ProtoUDP, udp(1, 2, 33))
				d := a.Outbound(start, inner, 0)
				require.Equal(t, Protected, d.Outcome, d.Why)
				f, err := FlowOf(d.Packet)
				require.NoError(t, err)
				require.Equal(t, []netip.Addr{outer.a, outer.b}, []netip.Addr{f.Src, f.Dst})
				p, _ := parsed(d.Packet)
				i, _ := parsed(inner)
				require.Equal(t, i.trafficClass(), p.trafficClass())
				if outer.a.Is6() {
					require.Zero(t, binary.BigEndian.Uint32(d.Packet)&0xfffff, "the flow label is the tunnel's own")
					require.EqualValues(t, 64, d.Packet[7], "the hop limit, too")
				}
				o := b.InboundProtected(start, d.Packet)
				require.Equal(t, Opened, o.Outcome, "%s in %s, %s: %s", innerName, outerName, named(transforms), o.Why)
				require.Equal(t, inner, o.Packet)
			}
		}
	}
}

// Congestion that the outer packet met is passed on whatever the families.
func TestTunnelFamiliesECN(t *testing.T) {
	for _, outer := range families {
		for _, e := range families {
			for _, c := range []struct{ inner, outer, want uint8 }{{0x49, 0x4b, 0x4b}, {0x4a, 0x13, 0x4b}, {0x48, 0x4b, 0x48}, {0x49, 0x49, 0x49}} {
				out, in := bundled([]ipsec.Transform{ahSHA1}, ipsec.Tunnel, outer.a, outer.b, 0x1000, 0x2000)
				in[0].Selector = between(e.a, e.b)
				out[0].Selector = in[0].Selector
				a, b := tunnelled(t, Config{}, out, in)
				inner, _ := parsed(e.packet(ipsec.ProtoUDP, udp(1, 2, 33)))
				inner.setTrafficClass(c.inner)
				inner.finish(inner.b, ipsec.ProtoUDP)
				p, _ := parsed(a.Outbound(start, inner.b, 0).Packet)
				p.setTrafficClass(c.outer)
				p.finish(p.b, ipsec.ProtoAH)
				o := b.InboundProtected(start, p.b)
				require.Equal(t, Opened, o.Outcome, o.Why)
				inner.setTrafficClass(c.want)
				inner.finish(inner.b, ipsec.ProtoUDP)
				require.Equal(t, inner.b, o.Packet)
			}
		}
	}
}

// The next header of a tunnel names the IP version of what is inside.
func TestTunnelNextHeader(t *testing.T) {
	for _, outer := range families {
		out, in := params(espNull, outer.a, outer.b, 0x1000, 0x2000)
		out.Mode, in.Mode = ipsec.Tunnel, ipsec.Tunnel
		a, b := tunnelled(t, Config{TrustSPI: true}, []ipsec.SAParams{out}, []ipsec.SAParams{in})
		s := a.sad.list[0]
		for _, inner := range families {
			for next, want := range map[uint8]string{protoIPv4: "IPv4", protoIPv6: "IPv6", ipsec.ProtoUDP: "neither"} {
				content := inner.packet(ipsec.ProtoUDP, udp(1, 2, 33))
				s.sequence++
				protected := make([]byte, s.layout.size(len(content)))
				copy(protected[espHeader:], content)
				s.esp.seal(protected, s.SPI, s.sequence, len(content), next)
				d := b.InboundProtected(start, outer.packet(ipsec.ProtoESP, protected))
				switch {
				case want == "neither":
					require.Equal(t, "inside a tunnel is no IP datagram", d.Why)
				case inner == families[want]:
					require.Equal(t, Opened, d.Outcome, d.Why)
				default:
					require.Equal(t, "inside a tunnel is not the IP version that its next header says", d.Why)
				}
			}
		}
	}
}

// Transport mode takes whole datagrams. One with a fragment header of a whole
// datagram (RFC 6946) is whole.
func TestFragmentsOfIPv6(t *testing.T) {
	a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, tripleDES)
	data := udp(1, 2, 40)
	for _, f := range []ext{fragmentOf(0, true), fragmentOf(8, true), fragmentOf(8, false)} {
		require.Equal(t, wholeDatagrams, a.Outbound(start, ip6(alice6, bob6, 17, data, f), 0).Why)
		sealed := a.Outbound(start, ip6(alice6, bob6, 17, data), 0).Packet
		p := ip6(alice6, bob6, ipsec.ProtoESP, sealed[40:], f)
		want := "a fragment reached IPsec: it opens whole datagrams only"
		require.Equal(t, want, b.InboundProtected(start, p).Why)
	}
	atomic := ip6(alice6, bob6, 17, data, fragmentOf(0, false))
	require.Equal(t, atomic, carry(t, a, b, start, atomic).Packet)
}

// A fragment that goes on with extension headers hides its protocol: whatever
// entry may concern its datagram is asked.
func TestFragmentsThatHideTheirProtocol(t *testing.T) {
	web := ipsec.Policy{ID: 1, Rule: "web", Selector: ipsec.Selector{Proto: ipsec.ProtoTCP, DstPort: 80}, Action: ipsec.Bypass}
	udpOnly := ipsec.Policy{ID: 2, Rule: "udp", Selector: ipsec.Selector{Proto: ipsec.ProtoUDP}, Action: ipsec.Bypass}
	nd := ipsec.Policy{ID: 3, Rule: "nd", Selector: ipsec.Selector{Proto: ipsec.ProtoICMPv6, ICMP: ipsec.ICMPTypes{First: 133, Last: 137}}, Action: ipsec.Bypass}
	rest := ipsec.Policy{ID: 4, Rule: "rest", Action: ipsec.Discard}
	hidden := ipsec.Flow{Src: alice6, Dst: bob6, Fragment: true}
	for _, c := range []struct {
		policy []ipsec.Policy
		rule   string
	}{
		{[]ipsec.Policy{web, rest}, "web"},
		{[]ipsec.Policy{udpOnly, rest}, "udp"},
		{[]ipsec.Policy{nd, rest}, "rest"},
		{[]ipsec.Policy{rest, web}, "rest"},
		{nil, ""},
	} {
		n := newNode(t, Config{})
		n.SetPolicy(nil, c.policy)
		d := n.InboundClear(start, hidden)
		require.Equal(t, c.rule, d.Rule)
		require.Equal(t, c.rule != "rest", d.Outcome == Passed)
	}
	n := newNode(t, Config{})
	n.SetPolicy([]ipsec.Policy{udpOnly, negotiate(9, ipsec.Outbound, ipsec.Selector{Proto: ipsec.ProtoTCP})}, nil)
	d := n.Outbound(start, ip6(alice6, bob6, extDestination, make([]byte, 16), fragmentOf(8, false)), 0)
	require.Equal(t, wholeDatagrams, d.Why, "it may be of TCP")
}

// An SA is negotiated for the two addresses, and multicast waits for none.
func TestAcquireForIPv6(t *testing.T) {
	n := newNode(t, Config{})
	n.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)
	packet := families["IPv6"].packet(ipsec.ProtoUDP, udp(1, 2, 3))
	require.Equal(t, Held, n.Outbound(start, packet, 0).Outcome)
	want := EventAcquire{ID: 1, Policy: n.out.entries[0], Selector: between(alice6, bob6), Local: alice6, Peer: bob6}
	require.Equal(t, []Event{want}, n.events())
	require.Equal(t, [][]byte{packet}, n.Answer(start, 1))
	for _, group := range []string{"ff02::1", "ff05::101"} {
		d := n.Outbound(start, ip6(alice6, netip.MustParseAddr(group), ipsec.ProtoUDP, udp(1, 2, 3)), 0)
		require.Equal(t, "multicast and broadcast cannot be protected: SAs are for unicast addresses only", d.Why)
	}
	require.Empty(t, n.events())
}

// TCP is told what fits, and no other sender, for they fragment. What every link
// carries arrives at any rate (RFC 8200, Section 5).
func TestTooBigForIPv6(t *testing.T) {
	for _, transforms := range everyProtection() {
		a, _ := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, transforms...)
		a.out.entries[0].Proposals = []ipsec.Proposal{{Transforms: transforms, Mode: ipsec.Transport}}
		tcp := func(n int) []byte { return ip6(alice6, bob6, ipsec.ProtoTCP, udp(1, 2, n-48)) }
		for pathMTU := 1280; pathMTU <= 1500; pathMTU += 11 {
			fits := a.InnerMTU(ipsec.Flow{Src: alice6, Dst: bob6, Proto: ipsec.ProtoTCP}, pathMTU)
			d := a.Outbound(start, tcp(fits), pathMTU)
			require.Equal(t, Protected, d.Outcome, d.Why)
			require.LessOrEqual(t, len(d.Packet), pathMTU)
			d = a.Outbound(start, tcp(fits+1), pathMTU)
			if fits < 1280 {
				require.Equal(t, Protected, d.Outcome, d.Why)
				require.Equal(t, Protected, a.Outbound(start, tcp(1280), pathMTU).Outcome)
				d = a.Outbound(start, tcp(1281), pathMTU)
			}
			require.Equal(t, TooBig, d.Outcome, "%s, %d of %d", named(transforms), fits, pathMTU)
			require.Equal(t, max(fits, 1280), d.MTU)
			require.Contains(t, d.Why, "it is to stay whole, and with ")
			require.Equal(t, Protected, a.Outbound(start, ip6(alice6, bob6, ipsec.ProtoUDP, udp(1, 2, 3000)), pathMTU).Outcome)
		}
	}
}

// A tunnel whose DF is set or clear says so about every inner IPv6 datagram but
// those that every link carries (RFC 2473, Section 7.1).
func TestTunnelDFForIPv6(t *testing.T) {
	for _, outer := range families {
		for _, c := range []struct {
			df           DF
			proto        uint8
			long, tooBig bool
		}{
			{DFCopy, ipsec.ProtoTCP, true, true}, {DFCopy, ipsec.ProtoUDP, true, false}, {DFSet, ipsec.ProtoUDP, true, true}, {DFClear, ipsec.ProtoTCP, true, false},
			{DFCopy, ipsec.ProtoTCP, false, false}, {DFSet, ipsec.ProtoTCP, false, false},
		} {
			out, _ := params(tripleDES, outer.a, outer.b, 0x1000, 0x2000)
			out.Mode, out.Selector = ipsec.Tunnel, between(alice6, bob6)
			a, _ := tunnelled(t, Config{TunnelDF: c.df}, []ipsec.SAParams{out}, nil)
			pathMTU, n := 1280, 1280
			if c.long {
				pathMTU, n = 1500, 1500
			}
			d := a.Outbound(start, ip6(alice6, bob6, c.proto, udp(1, 2, n-48)), pathMTU)
			require.Equal(t, c.tooBig, d.Outcome == TooBig, "%+v: %s", c, d.Why)
			if !c.tooBig {
				require.Equal(t, Protected, d.Outcome, d.Why)
				require.Greater(t, len(d.Packet), pathMTU)
				require.True(t, outer.a.Is6() || d.Packet[6]&0x40 == 0, "a packet that may be fragmented says so")
			}
		}
	}
}

// The largest IPv6 datagram that can be protected, and one byte more.
func TestLargestIPv6Datagram(t *testing.T) {
	for _, tr := range everyProtection() {
		a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, tr...)
		n, ok := proposalRoom(ipsec.Proposal{Transforms: tr}, 65535, bob6)
		require.True(t, ok)
		packet := ip6(alice6, bob6, 99, make([]byte, n))
		d := a.Outbound(start, packet, 1500)
		require.Equal(t, Protected, d.Outcome, d.Why)
		require.LessOrEqual(t, len(d.Packet), 65575)
		require.Equal(t, packet, b.InboundProtected(start, d.Packet).Packet)
		d = a.Outbound(start, ip6(alice6, bob6, 99, make([]byte, n+1)), 1500)
		require.Equal(t, "the protected datagram would exceed 65575 bytes", d.Why)
	}
}

// AH adds a multiple of 8 bytes (RFC 4302, Section 2.6), ESP what it adds in IPv4.
func TestOverheadOfIPv6(t *testing.T) {
	for _, transforms := range everyProtection() {
		four, _ := joined(t, Config{}, ipsec.Lifetime{}, transforms...)
		six, _ := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, transforms...)
		more := 0
		if last := transforms[len(transforms)-1]; last.Protocol == ipsec.AH {
			more = map[string]int{"hmac-md5-96": 0, "hmac-sha1-96": 0, "hmac-sha256-128": 4, "hmac-sha384-192": 4, "hmac-sha512-256": 4, "aes128-gmac": 4, "aes192-gmac": 4, "aes256-gmac": 4}[last.Auth]
		}
		for n := range 40 {
			d4 := four.Outbound(start, ip(alice, bob, 99, make([]byte, n)), 0)
			d6 := six.Outbound(start, ip6(alice6, bob6, 99, make([]byte, n)), 0)
			require.Equal(t, len(d4.Packet)-20+more, len(d6.Packet)-40, "%s, %d bytes", named(transforms), n)
		}
	}
}

// ESP inside AH that was agreed on alone is found behind destination options, too.
func TestESPBehindOptionsInsideAH(t *testing.T) {
	a, b := joinedAt(t, families["IPv6"], Config{TrustSPI: true}, ipsec.Lifetime{}, ahSHA1)
	s := a.sad.list[1]
	plain, _ := parsed(ip6(alice6, bob6, 17, udp(1, 2, 3), destination()))
	p := make([]byte, s.protectedSize(plain))
	plain.b[40] = ipsec.ProtoESP
	s.seal(p, plain)
	require.Equal(t, "inside AH is a packet of an SA that is not of its bundle", b.InboundProtected(start, p).Why)
}
