package esp

import (
	"bytes"
	"testing"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// FuzzInboundProtected: whatever arrives, nothing panics, only a packet that the
// peer sealed opens, and it opens once.
func FuzzInboundProtected(f *testing.F) {
	type fixture struct {
		ends       ends
		transforms []ipsec.Transform
		udp        ipsec.Encapsulation
		mode       ipsec.Mode
		sealed     []byte // the payload of the one packet that was sealed
	}
	var all []fixture // even ones are IPv4
	for _, tr := range append(everyProtection(), []ipsec.Transform{desIV32}, []ipsec.Transform{desIV64}, []ipsec.Transform{keyedMD5}, []ipsec.Transform{replayMD5}) {
		for _, e := range []ends{families["IPv4"], families["IPv6"]} {
			i := byte(len(all))
			a, _ := joinedAt(f, e, Config{}, ipsec.Lifetime{}, tr...)
			p := a.Outbound(start, e.packet(17, udp(1, 2, 20)), 0).Packet
			d, _ := parsed(p)
			all = append(all, fixture{ends: e, transforms: tr, sealed: d.payload()})
			f.Add(i, p)
			f.Add(i, p[:len(p)-1])
			f.Add(i, p[:d.headerLen+8])
			if d.v6() {
				for _, exts := range [][]ext{
					{hopByHop(0x3e, 2, 7, 7)}, {destination(), routing(0, 1, carol6)}, {routing(3, 1, carol6)}, {fragmentOf(0, false)}, {fragmentOf(8, true)},
				} {
					f.Add(i, ip6(e.a, e.b, d.proto(), d.payload(), exts...))
				}
				continue
			}
			f.Add(i, flagged(p, moreFragments))
			f.Add(i, ip(alice, bob, p[9], p[20:], 1, 1, 1, 1))
			f.Add(i, ip(alice, bob, 51, p[20:], 7, 7, 4, 0, 0, 0, 0, 0))
		}
	}
	for _, form := range []ipsec.Encapsulation{natt4500, nonIKE} {
		for _, e := range []ends{families["IPv4"], families["IPv6"]} {
			for _, mode := range []ipsec.Mode{ipsec.Transport, ipsec.Tunnel} {
				i := byte(len(all))
				a, _ := encapsulated(f, Config{}, e, mode, tripleDES, form)
				p := a.Outbound(start, e.packet(17, udp(1, 2, 20)), 0).Packet
				d, _ := parsed(p)
				wrapped := d.headerLen + encapsulation(form)
				all = append(all, fixture{ends: e, transforms: []ipsec.Transform{tripleDES}, udp: form, mode: mode, sealed: p[wrapped:]})
				for _, seed := range [][]byte{p, p[:len(p)-1], p[:wrapped], p[:wrapped+8], e.packet(ipsec.ProtoESP, p[wrapped:]), e.packet(ipsec.ProtoUDP, udp(form.Src, form.Dst, 1))} {
					f.Add(i, seed)
				}
			}
		}
	}
	f.Add(byte(0), []byte(nil))
	f.Fuzz(func(t *testing.T, i byte, packet []byte) {
		x := all[int(i)%len(all)]
		_, b := joinedAt(t, x.ends, Config{}, ipsec.Lifetime{}, x.transforms...)
		if x.udp.On() {
			_, b = encapsulated(t, Config{Checksums: Checksums{FixUp: ChecksumFixUp(i % 4)}}, x.ends, x.mode, x.transforms[0], x.udp)
		}
		kept := bytes.Clone(packet)
		d := b.InboundProtected(start, packet)
		if !bytes.Equal(kept, packet) {
			t.Fatal("the packet was changed")
		}
		switch d.Outcome {
		case Opened:
			if x.transforms[0] == desIV32 || x.transforms[0] == desIV64 {
				return // nothing authenticates these
			}
			// AH covers the content, and not the flags of the header in front of it.
			if !bytes.Contains(packet, x.sealed) {
				t.Fatalf("a packet opened that nobody sealed: %x", packet)
			}
			if again := b.InboundProtected(start, packet); again.Outcome != Dropped && x.transforms[0] != keyedMD5 {
				t.Fatalf("a replayed packet was %v", again.Outcome)
			}
		case Dropped:
			if d.Packet != nil || d.Why == "" {
				t.Fatalf("dropped with a packet or without a reason: %+v", d)
			}
		default:
			t.Fatalf("a protected packet was %v", d.Outcome)
		}
	})
}

// FuzzFlowOf: what it accepts, the Pipeline can judge; nothing panics.
func FuzzFlowOf(f *testing.F) {
	for _, p := range [][]byte{
		nil, toBob(1, 2), ip(alice, bob, 6, udp(1000, 80, 20), 1, 1, 1, 0), ip(alice, bob, 1, []byte{8, 0, 0, 0}),
		flagged(toBob(1, 2), 100), flagged(toBob(1, 2), moreFragments), toBob(1, 2)[:22], ip(alice, bob, 17, nil),
		ip(alice, bob, 50, make([]byte, 40)),
		ip6(alice6, bob6, 17, udp(1, 2, 3), hopByHop(5, 2, 0, 0), destination(), routing(0, 1, carol6), fragmentOf(0, false), destination()),
		ip6(alice6, bob6, 17, udp(1, 2, 3), fragmentOf(0, true)), ip6(alice6, bob6, extDestination, udp(1, 2, 3), fragmentOf(8, false)),
		ip6(alice6, bob6, 58, []byte{135, 0, 0, 0}), ip6(alice6, bob6, 50, make([]byte, 40), destination()), ip6(alice6, bob6, 59, nil),
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		flow, err := FlowOf(packet)
		n := newNode(t, Config{})
		n.SetPolicy(serverPolicy())
		d := n.Outbound(start, packet, 576)
		if err != nil {
			if (flow != ipsec.Flow{}) || d.Outcome != Dropped || "esp: "+d.Why != err.Error() {
				t.Fatalf("FlowOf says %v, Outbound %+v", err, d)
			}
			return
		}
		if flow.Src.Is4() != flow.Dst.Is4() || flow.Reverse().Reverse() != flow {
			t.Fatalf("not a flow: %+v", flow)
		}
		if d.Outcome != Passed && d.Outcome != Dropped && d.Outcome != Held {
			t.Fatalf("without SAs the outcome was %v", d.Outcome)
		}
		n.InboundClear(start, flow)
	})
}
