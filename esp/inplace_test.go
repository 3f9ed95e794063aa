package esp

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// roomy is a packet with the given room around it, which is not zero.
func roomy(packet []byte, head, tail int) []byte {
	b := bytes.Repeat([]byte{0xa5}, head+len(packet)+tail)
	copy(b[head:], packet)
	return b[:head+len(packet)]
}

// every runs f for each protection, outer and inner family and mode, with Alice
// and Bob and a twin of each, who has the same SAs.
func every(t *testing.T, f func(t *testing.T, what string, inner ends, a, twinA, b, twinB *node)) {
	for _, transforms := range everyProtection() {
		for outerName, outer := range families {
			for innerName, inner := range families {
				for _, mode := range []ipsec.Mode{ipsec.Transport, ipsec.Tunnel} {
					if mode == ipsec.Transport && inner != outer {
						continue
					}
					out, in := bundled(transforms, mode, outer.a, outer.b, 0x1000, 0x2000)
					for i := range out {
						out[i].Selector, in[i].Selector = between(inner.a, inner.b), between(inner.a, inner.b)
					}
					a, b := tunnelled(t, Config{}, out, in)
					twinA, twinB := tunnelled(t, Config{}, out, in)
					f(t, innerName+" in "+outerName+" "+mode.String()+" "+named(transforms), inner, a, twinA, b, twinB)
					if out[0].Protocol != ipsec.ESP || len(out) > 1 || out[0].Transform.ESN {
						continue
					}
					for name, form := range forms {
						wrap(form, out, in)
						a, b := tunnelled(t, Config{}, out, in)
						twinA, twinB := tunnelled(t, Config{}, out, in)
						f(t, name+" "+innerName+" in "+outerName+" "+mode.String()+" "+named(transforms), inner, a, twinA, b, twinB)
					}
				}
			}
		}
	}
}

// In its place a datagram becomes what it becomes in a copy, and back.
func TestInPlace(t *testing.T) {
	every(t, func(t *testing.T, what string, inner ends, a, twinA, b, twinB *node) {
		for n := range 40 {
			clear := inner.packet(ipsec.ProtoUDP, udp(1, 2, n))
			buf := roomy(clear, Headroom, Tailroom)
			d := a.OutboundInPlace(start, buf, Headroom, 0)
			require.Equal(t, twinA.Outbound(start, clear, 0), d, what)
			require.Equal(t, Protected, d.Outcome)
			sealed := bytes.Clone(d.Packet)
			d.Packet[len(d.Packet)-1] ^= 1
			require.True(t, bytes.Contains(buf[:cap(buf)], d.Packet), "%s: it stands in the caller's memory", what)
			d.Packet[len(d.Packet)-1] ^= 1

			o := b.InboundInPlace(start, d.Packet)
			require.Equal(t, twinB.InboundProtected(start, sealed), o, what)
			require.Equal(t, Opened, o.Outcome, o.Why)
			require.Equal(t, clear, o.Packet)
			require.Same(t, &buf[Headroom], &o.Packet[0], "%s: and is back where it began", what)
		}
	})
}

// Without room the result is a copy, and the packet stays as it is.
func TestInPlaceWithoutRoom(t *testing.T) {
	every(t, func(t *testing.T, what string, inner ends, a, twinA, b, _ *node) {
		clear := inner.packet(ipsec.ProtoUDP, udp(1, 2, 33))
		for _, room := range [][2]int{{0, Tailroom}, {Headroom, 0}, {7, Tailroom}, {Headroom, 1}} {
			buf := roomy(clear, room[0], room[1])
			kept := bytes.Clone(buf[:cap(buf)])
			d := a.OutboundInPlace(start, buf, room[0], 0)
			require.Equal(t, twinA.Outbound(start, clear, 0), d, what)
			if !bytes.Equal(kept, buf[:cap(buf)]) { // AH without ESP has nothing behind
				require.GreaterOrEqual(t, room[0], 24, what)
				require.Equal(t, ipsec.AH, d.Protocol, what)
				require.Zero(t, d.Inner, what)
			}
			require.Equal(t, clear, b.InboundInPlace(start, d.Packet).Packet)
		}
	})
}

// A packet that is not protected is only read.
func TestInPlaceOtherOutcomes(t *testing.T) {
	for _, e := range families {
		a, _ := joinedAt(t, e, Config{}, ipsec.Lifetime{}, tripleDES)
		long := e.packet(ipsec.ProtoTCP, udp(1, 2, 1452))
		if !e.a.Is6() {
			long = flagged(long, dontFragment)
		}
		for outcome, packet := range map[Outcome][]byte{
			Passed:  e.packet(ipsec.ProtoUDP, udp(1, 2, 3)),
			TooBig:  long,
			Held:    e.packet(ipsec.ProtoUDP, udp(1, 2, 4)),
			Dropped: e.packet(ipsec.ProtoUDP, udp(1, 2, 5)),
		} {
			switch outcome {
			case Passed:
				a.out.entries[0].Action = ipsec.Bypass
			case Dropped:
				a.out.entries[0].Action = ipsec.Discard
			case Held:
				a.out.entries[0].Action, a.out.entries[0].ID = ipsec.Protect, 99
			default:
				a.out.entries[0].Action, a.out.entries[0].ID = ipsec.Protect, 1
			}
			buf := roomy(packet, Headroom, Tailroom)
			kept := bytes.Clone(buf[:cap(buf)])
			d := a.OutboundInPlace(start, buf, Headroom, 1500)
			require.Equal(t, outcome, d.Outcome, d.Why)
			require.Equal(t, kept, buf[:cap(buf)])
			require.Nil(t, d.Packet)
		}
	}
}

// What is not accepted is dropped for the same reason in its place as in a copy.
func TestInboundInPlaceDrops(t *testing.T) {
	every(t, func(t *testing.T, what string, inner ends, a, _, b, twin *node) {
		sealed := a.Outbound(start, inner.packet(ipsec.ProtoUDP, udp(1, 2, 33)), 0).Packet
		for i := range sealed {
			for _, change := range []func([]byte) []byte{
				func(p []byte) []byte { p[i] ^= 0x80; return p },
				func(p []byte) []byte {
					if i < 48 {
						return p[:i]
					}
					cut, _ := parsed(p)
					cut.b = p[:i]
					cut.finish(cut.b, cut.proto())
					return cut.b
				},
			} {
				bad := change(bytes.Clone(sealed))
				want, got := twin.InboundProtected(start, bad), b.InboundInPlace(start, bytes.Clone(bad))
				require.Equal(t, want, got, "%s, byte %d", what, i)
			}
		}
	})
}

// The Pipeline itself allocates nothing for a packet that has room.
func TestInPlaceAllocatesNothing(t *testing.T) {
	every(t, func(t *testing.T, what string, inner ends, a, _, b, _ *node) {
		a.cfg.Trace, b.cfg.Trace = nil, nil
		buf := roomy(inner.packet(ipsec.ProtoUDP, udp(1, 2, 1000)), Headroom, Tailroom)
		require.Zero(t, testing.AllocsPerRun(20, func() {
			d := a.OutboundInPlace(start, buf, Headroom, 1500)
			if o := b.InboundInPlace(start, d.Packet); o.Outcome != Opened {
				t.Fatal(o.Why)
			}
		}), what)
	})
}
