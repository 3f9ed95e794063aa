package esp

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// quiet are Alice and Bob without a trace, as a gateway or a benchmark has them,
// and the outermost SAs from her to him.
func quiet(t testing.TB, transforms ...ipsec.Transform) (a, b *node, out, in *sa) {
	return quietAt(t, families["IPv4"], transforms...)
}

func quietAt(t testing.TB, e ends, transforms ...ipsec.Transform) (a, b *node, out, in *sa) {
	a, b = joinedAt(t, e, Config{}, ipsec.Lifetime{}, transforms...)
	a.cfg.Trace, b.cfg.Trace = nil, nil
	return a, b, a.sad.list[len(a.sad.list)-1], b.sad.list[len(transforms)-1]
}

// A packet costs no allocation to seal and to open, and exactly its own buffer
// through the whole Pipeline.
func TestAllocations(t *testing.T) {
	packets := map[string][]byte{
		"IPv4": ip(alice, bob, 17, udp(1, 2, 1000), 0x94, 4, 0, 0),
		"IPv6": ip6(alice6, bob6, 17, udp(1, 2, 1000), hopByHop(5, 2, 0, 0), routing(0, 0, carol6), destination()),
	}
	for _, transforms := range everyProtection() {
		for family, e := range families {
			t.Run(family+" "+named(transforms), func(t *testing.T) { checkAllocations(t, e, packets[family], transforms) })
		}
	}
}

func checkAllocations(t *testing.T, e ends, packet []byte, transforms []ipsec.Transform) {
	a, b, out, in := quietAt(t, e, transforms...)
	d, _ := parsed(packet)
	sealed, opened := make([]byte, out.protectedSize(d)), make([]byte, 1500)
	var inner Layer
	require.Zero(t, testing.AllocsPerRun(200, func() {
		out.seal(sealed, d)
		var s datagram
		s.parse(sealed)
		if why := in.open(opened, &s, 0, &inner); why != "" {
			t.Fatal(why)
		}
	}), "seal and open")

	require.EqualValues(t, 2, testing.AllocsPerRun(200, func() {
		s := a.Outbound(start, packet, 1500)
		if o := b.InboundProtected(start, s.Packet); o.Outcome != Opened {
			t.Fatal(o.Why)
		}
	}), "Outbound and InboundProtected: the two packets that they return")

	f := ipsec.Flow{Src: carol, Dst: alice, Proto: 17}
	require.Zero(t, testing.AllocsPerRun(200, func() { a.InboundClear(start, f) }), "InboundClear")
}

// payloadSizes are what the benchmarks carry: an acknowledgement, an old-fashioned
// datagram, a full segment.
var payloadSizes = []int{64, 548, 1400}

// raw is the bare work of the Go primitives for sealing and opening one payload
// with this suite: the limit for everything built on them. It opens into another
// buffer, or in place.
func raw(t testing.TB, tr ipsec.Transform, payload int, inPlace bool) func() {
	out, in := params(tr, alice, bob, 0x1000, 1)
	seal, err := newTransform(out)
	require.NoError(t, err)
	open, err := newTransform(in)
	require.NoError(t, err)
	n := seal.ciphered(payload)
	buffer, plain := make([]byte, n+seal.icvLen), make([]byte, n)
	if inPlace {
		plain = buffer[:n]
	}
	if seal.aead != nil {
		nonce, aad := make([]byte, seal.aead.NonceSize()), make([]byte, espHeader)
		return func() {
			seal.aead.Seal(buffer[:0], nonce, buffer[:n], aad)
			if _, err := open.aead.Open(plain[:0], nonce, buffer, aad); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seal.stream != nil {
		nonce := make([]byte, 12)
		return func() {
			seal.stream.XOR(buffer[:n], buffer[:n], nonce)
			seal.integrity.over(buffer[:n])
			open.integrity.over(buffer[:n])
			open.stream.XOR(plain, buffer[:n], nonce)
		}
	}
	if seal.cbc == nil {
		return func() {
			seal.integrity.over(buffer[:n])
			open.integrity.over(buffer[:n])
		}
	}
	return func() {
		seal.cbc.CryptBlocks(buffer[:n], buffer[:n])
		seal.integrity.over(buffer[:n])
		open.integrity.over(buffer[:n])
		open.cbc.CryptBlocks(plain, buffer[:n])
	}
}

// against runs ours as the benchmark and reports how near it comes to the limit
// that raw is: 1 would be no work but the primitives'. They take turns. Times are
// those of the median turn, and the share is the median of those of two turns in a
// row: on a busy machine a few turns last as long as all others together, and the
// clock of the processor changes. Turns are short, so that most are not interrupted.
// Work of the garbage collector beside the turns is in B/op, not in the times.
func against(b *testing.B, payload int, raw, ours func()) {
	turn := turnOf(raw)
	turns := max(b.N/turn, 1)
	limit, cost, share := make([]time.Duration, turns), make([]time.Duration, turns), make([]float64, turns)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range turns {
		t0 := b.Elapsed()
		for range turn {
			raw()
		}
		t1 := b.Elapsed()
		for range turn {
			ours()
		}
		limit[i], cost[i] = t1-t0, b.Elapsed()-t1
		share[i] = float64(limit[i]) / float64(cost[i])
	}
	slices.Sort(limit)
	slices.Sort(cost)
	slices.Sort(share)
	rawTime, ourTime := float64(limit[turns/2])/float64(turn), float64(cost[turns/2])/float64(turn)
	b.ReportMetric(ourTime, "ns/op")
	b.ReportMetric(rawTime, "raw-ns/op")
	b.ReportMetric(share[turns/2], "of-raw")
	b.ReportMetric(float64(payload)*1e3/ourTime, "MB/s")
}

// turnOf is how often work is done in a turn of some 20 µs, 16 times at most.
func turnOf(work func()) int {
	const runs, length = 5, 20 * time.Microsecond
	least := time.Duration(math.MaxInt64)
	for range runs {
		began := time.Now()
		work()
		least = min(least, time.Since(began))
	}
	return int(max(1, min(16, length/max(least, 1))))
}

// benchmark runs f for every suite and size.
func benchmark(b *testing.B, f func(b *testing.B, tr ipsec.Transform, payload int)) {
	for _, tr := range suites {
		for _, n := range payloadSizes {
			b.Run(fmt.Sprintf("%v/%d", tr, n), func(b *testing.B) { f(b, tr, n) })
		}
	}
}

// BenchmarkSealOpen is what ESP adds to the primitives: SPI, number, IV and
// padding on one side, window and padding on the other. The payload is sealed
// where it stands, and opened into another buffer, as raw does, whose share is all
// that a card with ciphers and hashes in hardware could take off (claim C234).
func BenchmarkSealOpen(b *testing.B) {
	benchmark(b, func(b *testing.B, tr ipsec.Transform, payload int) {
		_, _, out, in := quiet(b, tr)
		sealed := make([]byte, out.layout.size(payload))
		opened := make([]byte, len(sealed))
		against(b, payload, raw(b, tr, payload, false), func() {
			out.sequence++
			out.esp.seal(sealed, out.SPI, out.sequence, payload, ipsec.ProtoUDP)
			if _, _, why := in.decrypt(opened, sealed); why != "" {
				b.Fatal(why)
			}
		})
	})
}

// BenchmarkDatagram is a whole datagram protected and opened in its place: with
// both IP headers, which move and get new lengths and checksums.
func BenchmarkDatagram(b *testing.B) {
	benchmark(b, func(b *testing.B, tr ipsec.Transform, payload int) {
		_, _, out, in := quiet(b, tr)
		packet := ip(alice, bob, 17, udp(1, 2, payload-8))
		buf := roomy(packet, Headroom, Tailroom)
		var inner Layer
		d := &datagram{}
		against(b, payload, raw(b, tr, payload, true), func() {
			d.parse(buf[Headroom:])
			d.parse(datagramIn(out, buf, d))
			if why := in.open(in.within(d, 0), d, 0, &inner); why != "" {
				b.Fatal(why)
			}
		})
	})
}

// datagramIn protects a datagram where it stands in buf, behind Headroom.
func datagramIn(s *sa, buf []byte, d *datagram) []byte {
	sealed := room{buf[:cap(buf)], Headroom}.sealed(s, s.protectedSize(d))
	s.seal(sealed, d)
	return sealed
}

// BenchmarkCopy is the same for a caller who keeps both packets: with a copy of the
// payload, into buffers that are used again.
func BenchmarkCopy(b *testing.B) {
	benchmark(b, func(b *testing.B, tr ipsec.Transform, payload int) {
		_, _, out, in := quiet(b, tr)
		packet := ip(alice, bob, 17, udp(1, 2, payload-8))
		sealed, opened := make([]byte, 1600), make([]byte, 1600)
		var inner Layer
		d := &datagram{}
		against(b, payload, raw(b, tr, payload, false), func() {
			d.parse(packet)
			p := sealed[:out.protectedSize(d)]
			out.seal(p, d)
			d.parse(p)
			if why := in.open(opened, d, 0, &inner); why != "" {
				b.Fatal(why)
			}
		})
	})
}

// BenchmarkPipeline is the work in place through policy, SAs, lifetimes and
// counters: all that a gateway does for a packet.
func BenchmarkPipeline(b *testing.B) {
	benchmark(b, func(b *testing.B, tr ipsec.Transform, payload int) {
		x, y, _, _ := quiet(b, tr)
		buf := roomy(ip(alice, bob, 17, udp(1, 2, payload-8)), Headroom, Tailroom)
		against(b, payload, raw(b, tr, payload, true), func() {
			d := x.OutboundInPlace(start, buf, Headroom, 1500)
			if o := y.InboundInPlace(start, d.Packet); o.Outcome != Opened {
				b.Fatal(o.Why)
			}
		})
	})
}

// BenchmarkEncapsulation is BenchmarkPipeline for AES-128-GCM: alone, in UDP, and in UDP through a NAT, with each way
// to repair the checksum of what was inside.
func BenchmarkEncapsulation(b *testing.B) {
	transform := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}
	for _, c := range []struct {
		name string
		udp  ipsec.Encapsulation
		nat  bool
		how  ChecksumFixUp
	}{
		{"alone", ipsec.Encapsulation{}, false, 0}, {"in-udp", natt4500, false, 0}, {"in-udp-non-ike", nonIKE, false, 0},
		{"nat-increment", natt4500, true, FixByIncrement}, {"nat-recompute", natt4500, true, FixByRecomputing}, {"nat-verified", natt4500, true, FixByTelling},
	} {
		for _, payload := range payloadSizes {
			b.Run(fmt.Sprintf("%s/%d", c.name, payload), func(b *testing.B) {
				out, in := bundled([]ipsec.Transform{transform}, ipsec.Transport, alice, bob, 0x5000, 0x6000)
				wrap(c.udp, out, in)
				in[0].OriginalSrc, in[0].OriginalDst = alice, bob
				if c.nat {
					in[0].OriginalSrc = carol
				}
				x, y := tunnelled(b, Config{Checksums: Checksums{FixUp: c.how}}, out, in)
				x.cfg.Trace, y.cfg.Trace = nil, nil
				buf := roomy(summed(b, alice, bob, ipsec.ProtoUDP, make([]byte, payload-8)), Headroom, Tailroom)
				b.SetBytes(int64(payload))
				b.ReportAllocs()
				for b.Loop() {
					d := x.OutboundInPlace(start, buf, Headroom, 1500)
					if o := y.InboundInPlace(start, d.Packet); o.Outcome != Opened {
						b.Fatal(o.Why)
					}
				}
			})
		}
	}
}

// BenchmarkConversations is the same for a server with a thousand clients behind one NAT, each with a conversation, by each strategy that
// keeps them apart, and by none: a packet in, and one out.
func BenchmarkConversations(b *testing.B) {
	const clients = 1000
	for _, strategy := range []ConflictStrategy{ConflictNewest, ConflictTrack, ConflictTranslate} {
		b.Run(strategy.String(), func(b *testing.B) {
			n := behindOneNAT(b, Config{Conflicts: Conflicts{Strategy: strategy}}, clients, ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"})
			n.server.cfg.Trace = nil
			for _, c := range n.clients {
				c.cfg.Trace = nil
			}
			for i := range clients {
				n.hears(i, start, ipsec.ProtoUDP, udp(1701, 1701, 30))
			}
			in := roomy(ip(cliff, bob, ipsec.ProtoUDP, udp(1701, 1701, 548)), Headroom, Tailroom)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i = (i + 7) % clients
				d := n.clients[i].OutboundInPlace(start, in, Headroom, 1500)
				copy(d.Packet[12:], outside.AsSlice())
				d.Packet[20], d.Packet[21] = byte(n.ports[i]>>8), byte(n.ports[i])
				o := n.server.InboundInPlace(start, d.Packet)
				if o.Outcome != Opened {
					b.Fatal(o.Why)
				}
				back := n.server.Outbound(start, ip(bob, outside, ipsec.ProtoUDP, udp(1701, portAt(o.Packet, 20), 548)), 1500)
				if back.Outcome != Protected || strategy == ConflictTranslate && back.portTo() != n.ports[i] {
					b.Fatal(back.Why)
				}
				in = roomy(ip(cliff, bob, ipsec.ProtoUDP, udp(1701, 1701, 548)), Headroom, Tailroom)
			}
		})
	}
}

// BenchmarkPipelineCopy is the same with a fresh buffer for each packet.
func BenchmarkPipelineCopy(b *testing.B) {
	benchmark(b, func(b *testing.B, tr ipsec.Transform, payload int) {
		x, y, _, _ := quiet(b, tr)
		packet := ip(alice, bob, 17, udp(1, 2, payload-8))
		against(b, payload, raw(b, tr, payload, false), func() {
			d := x.Outbound(start, packet, 1500)
			if o := y.InboundProtected(start, d.Packet); o.Outcome != Opened {
				b.Fatal(o.Why)
			}
		})
	})
}
