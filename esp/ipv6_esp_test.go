package esp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// chains are extension headers in front of UDP, and the length of what ESP and AH
// leave in front of themselves: RFC 4303 and RFC 4302, Section 3.1.1.
var chains = map[string]struct {
	exts  []ext
	front int
}{
	"none":                                  {nil, 40},
	"hop-by-hop":                            {[]ext{hopByHop(5, 2, 0, 0)}, 48},
	"destination options for the end":       {[]ext{destination(1, 2, 0, 0)}, 40},
	"destination options for the hops":      {[]ext{destination(1, 2, 0, 0), routing(0, 0, carol6)}, 72},
	"all but a fragment header":             {[]ext{hopByHop(), destination(), routing(2, 0, carol6), destination(), destination()}, 80},
	"a routing header of an unknown type":   {[]ext{routing(77, 0, carol6)}, 64},
	"destination options behind hop-by-hop": {[]ext{hopByHop(), destination()}, 48},
}

// What comes out is what went in, under every suite; on the way only the payload
// length and one next header differ, and ESP and AH stand where they belong.
func TestIPv6RoundTrip(t *testing.T) {
	for _, transforms := range everyProtection() {
		t.Run(named(transforms), func(t *testing.T) {
			a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, transforms...)
			proto := ipsec.ProtoESP
			if transforms[len(transforms)-1].Protocol == ipsec.AH {
				proto = ipsec.ProtoAH
			}
			for name, c := range chains {
				for n := range 20 {
					clear := ip6(alice6, bob6, ipsec.ProtoUDP, udp(1000, 2000, n), c.exts...)
					kept := bytes.Clone(clear)
					d := a.Outbound(start, clear, 0)
					require.Equal(t, Protected, d.Outcome, d.Why)
					require.Equal(t, kept, clear, "the packet is only read")

					front := bytes.Clone(d.Packet[:c.front])
					require.EqualValues(t, len(d.Packet)-40, binary.BigEndian.Uint16(front[4:]))
					copy(front[4:6], clear[4:6])
					differ := 0
					for i := range front {
						if front[i] != clear[i] {
							require.Equal(t, proto, front[i], name)
							differ++
						}
					}
					require.Equal(t, 1, differ, "%s: one next header", name)
					at := c.front
					if proto == ipsec.ProtoAH {
						require.Zero(t, (int(d.Packet[at+1])+2)*4%8, "RFC 4302, Section 2.6: a multiple of 8 bytes")
						at += 4
					}
					require.Equal(t, d.SPI, binary.BigEndian.Uint32(d.Packet[at:]))

					o := b.InboundProtected(start, d.Packet)
					require.Equal(t, Opened, o.Outcome, "%s: %s", name, o.Why)
					require.Equal(t, kept, o.Packet, name)
					require.Equal(t, []Layer{d.Layer, d.Inner}, []Layer{o.Layer, o.Inner})
				}
			}
		})
	}
}

// A sender may leave destination options for the end in front of ESP, which says
// nothing about them (RFC 4303, Section 3.1.1).
func TestOptionsInFrontOfESP(t *testing.T) {
	a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, tripleDES)
	sealed := a.Outbound(start, ip6(alice6, bob6, ipsec.ProtoUDP, udp(1, 2, 9)), 0).Packet
	o := b.InboundProtected(start, ip6(alice6, bob6, ipsec.ProtoESP, sealed[40:], destination(1, 2, 0, 0)))
	require.Equal(t, Opened, o.Outcome, o.Why)
	require.Equal(t, ip6(alice6, bob6, ipsec.ProtoUDP, udp(1, 2, 9), destination(1, 2, 0, 0)), o.Packet)
}

// Whatever extension headers stand in front, a datagram comes out as it went in,
// and what is outside shows nothing but ESP or AH.
func TestIPv6Property(t *testing.T) {
	all := everyProtection()
	pairs := make([][2]*node, len(all))
	rapid.Check(t, func(rt *rapid.T) {
		i := rapid.IntRange(0, len(all)-1).Draw(rt, "protection")
		if pairs[i][0] == nil {
			a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, all[i]...)
			pairs[i] = [2]*node{a, b}
		}
		var exts []ext
		bytesOf := func(label string) []byte { return rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(rt, label) }
		if rapid.Bool().Draw(rt, "hop-by-hop") {
			exts = append(exts, hopByHop(optionsOf(bytesOf("options"))...))
		}
		for range rapid.IntRange(0, 3).Draw(rt, "more") {
			if rapid.Bool().Draw(rt, "routing") {
				exts = append(exts, routing(rapid.Byte().Draw(rt, "type"), 0, carol6))
			} else {
				exts = append(exts, destination(optionsOf(bytesOf("options"))...))
			}
		}
		clear := ip6(alice6, bob6, ipsec.ProtoUDP, append(udp(1, 2, 0), bytesOf("payload")...), exts...)
		d := pairs[i][0].Outbound(start, clear, 0)
		if d.Outcome != Protected {
			rt.Fatal(d.Why)
		}
		f, err := FlowOf(d.Packet)
		if err != nil || f.Proto != ipsec.ProtoESP && f.Proto != ipsec.ProtoAH || f.Src != alice6 || f.Dst != bob6 {
			rt.Fatalf("outside is %v, %v", f, err)
		}
		o := pairs[i][1].InboundProtected(start, d.Packet)
		if o.Outcome != Opened || !bytes.Equal(clear, o.Packet) {
			rt.Fatalf("%s: %s\nin  %x\nout %x", named(all[i]), o.Why, clear, o.Packet)
		}
	})
}

// optionsOf makes one option of any bytes.
func optionsOf(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append([]byte{b[0] | 1, byte(len(b) - 1)}, b[1:]...)
}

// Routers may change what RFC 4302, Section 3.3.3.1.2 calls mutable, and nothing
// else.
func TestAHCoversWhatDoesNotChangeInIPv6(t *testing.T) {
	// An option that may change (0x3e) and one that may not (0x1e), each with two bytes of data.
	exts := []ext{hopByHop(0x3e, 2, 7, 7, 0x1e, 2, 7, 7), routing(0, 0, carol6)}
	mutable := map[int]bool{1: true, 2: true, 3: true, 7: true, 44: true, 45: true}
	for _, transforms := range protections {
		t.Run(named(transforms), func(t *testing.T) {
			a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, transforms...)
			clear := ip6(alice6, bob6, ipsec.ProtoUDP, udp(1, 2, 30), exts...)
			fresh := func() []byte { return a.Outbound(start, clear, 0).Packet }
			sealed := fresh()
			for i := range sealed {
				bad := bytes.Clone(sealed)
				bad[i] ^= 0x80
				o := b.InboundProtected(start, bad)
				if !mutable[i] {
					require.NotEqual(t, Opened, o.Outcome, "byte %d", i)
					continue
				}
				require.Equal(t, Opened, o.Outcome, "byte %d: %s", i, o.Why)
				require.Equal(t, clear[80:], o.Packet[80:])
				sealed = fresh()
			}
			sealed[0] ^= 8 // of the traffic class
			require.Equal(t, Opened, b.InboundProtected(start, sealed).Outcome)
		})
	}
}

// The ICV of a packet under a routing header is for its last stop (RFC 4302,
// Section 3.3.3.1.2.3). The hops do what RFC 2460, Section 4.4 says.
func TestAHUnderARoutingHeader(t *testing.T) {
	hop, last := netip.MustParseAddr("2001:db8:8::8"), netip.MustParseAddr("2001:db8:9::9")
	for _, stops := range [][]netip.Addr{{last}, {hop, last}, {carol6, hop, last}} {
		for _, left := range []int{1, len(stops)} {
			out, in := params(ahSHA1, alice6, bob6, 0x1000, 0x2000)
			in.Dst, in.Selector = last, between(alice6, last)
			a, b := tunnelled(t, Config{}, []ipsec.SAParams{out}, []ipsec.SAParams{in})
			d := a.Outbound(start, ip6(alice6, bob6, ipsec.ProtoUDP, udp(1, 2, 30), routing(0, byte(left), stops...)), 0)
			require.Equal(t, Protected, d.Outcome, d.Why)
			p := d.Packet
			for ; p[43] > 0; p[43]-- {
				next := p[48+16*(len(stops)-int(p[43])):][:16]
				here := bytes.Clone(p[24:40])
				copy(p[24:40], next)
				copy(next, here)
				p[7]--
			}
			o := b.InboundProtected(start, p)
			require.Equal(t, Opened, o.Outcome, "%d of %d stops left: %s", left, len(stops), o.Why)
		}
	}
}

// What AH cannot cover is not sent, uses up no number, and is not taken for authentic.
func TestUncoverableIPv6(t *testing.T) {
	data := udp(1, 2, 30)
	for why, packets := range map[string][][]byte{
		"IP options are malformed: AH cannot tell which of them may change": {
			ip6(alice6, bob6, 17, data, hopByHop(5, 5, 0, 0)), ip6(alice6, bob6, 17, data, destination(5, 200), routing(0, 0, carol6)),
			ip6(alice6, bob6, 17, data, hopByHop(1, 3, 0, 0, 0, 9)),
		},
		"a routing header does not tell AH where it ends": {
			ip6(alice6, bob6, 17, data, routing(3, 1, carol6)), ip6(alice6, bob6, 17, data, routing(0, 2, carol6)),
			ip6(alice6, bob6, 17, data, ext{extRouting, []byte{1, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}}),
		},
		"a fragment header is gone after reassembly, and AH cannot cover it": {ip6(alice6, bob6, 17, data, fragmentOf(0, false))},
	} {
		for _, p := range packets {
			a, b := joinedAt(t, families["IPv6"], Config{}, ipsec.Lifetime{}, ahSHA1)
			d := a.Outbound(start, p, 0)
			require.Equal(t, Dropped, d.Outcome, "%x", p)
			require.Equal(t, why, d.Why)
			require.Nil(t, d.Packet)
			require.Zero(t, a.SAs()[1].Sequence)

			// The same headers in front of an AH that the peer sealed.
			good := a.Outbound(start, ip6(alice6, bob6, 17, data), 0).Packet
			front := bytes.Clone(p[:len(p)-len(data)])
			forged := append(front, good[40:]...)
			clear, bad := parsed(p)
			require.Empty(t, bad)
			forged[clear.nextAt] = ipsec.ProtoAH
			binary.BigEndian.PutUint16(forged[4:], uint16(len(forged)-40))
			require.Equal(t, why, b.InboundProtected(start, forged).Why)
			require.Equal(t, Opened, b.InboundProtected(start, good).Outcome)
		}
	}
}
