package esp

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// quiet are Alice and Bob without a trace, as a gateway or a benchmark has them.
func quiet(t testing.TB, tr ipsec.Transform) (a, b *node) {
	a, b = secured(t, Config{}, tr, ipsec.Lifetime{})
	a.cfg.Trace, b.cfg.Trace = nil, nil
	return a, b
}

// A packet costs no allocation to seal and to open, and exactly its own buffer
// through the whole Pipeline.
func TestAllocations(t *testing.T) {
	for _, tr := range suites {
		t.Run(tr.String(), func(t *testing.T) {
			a, b := quiet(t, tr)
			out, in := a.sad.list[1], b.sad.list[0]
			packet := ip(alice, bob, 17, udp(1, 2, 1000))
			d, _ := parseIPv4(packet)
			sealed, opened := make([]byte, out.protectedSize(d)), make([]byte, 1500)
			var inner Layer
			require.Zero(t, testing.AllocsPerRun(200, func() {
				out.seal(sealed, d)
				s, _ := parseIPv4(sealed)
				if _, why := in.open(opened, s, &inner); why != "" {
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
		})
	}
}

// payloadSize is what the benchmarks carry: a full segment.
const payloadSize = 1400

// raw is the bare work of the Go primitives for sealing and opening one packet of
// this suite: the limit for everything built on them.
func raw(t testing.TB, tr ipsec.Transform) func() {
	out, in := params(tr, alice, bob, 0x1000, 1)
	seal, err := newTransform(out)
	require.NoError(t, err)
	open, err := newTransform(in)
	require.NoError(t, err)
	n := seal.ciphered(payloadSize)
	buffer, plain := make([]byte, n+seal.icvLen), make([]byte, n)
	if seal.aead != nil {
		nonce, aad := make([]byte, nonceLen), make([]byte, espHeader)
		return func() {
			seal.aead.Seal(buffer[:0], nonce, buffer[:n], aad)
			if _, err := open.aead.Open(plain[:0], nonce, buffer, aad); err != nil {
				t.Fatal(err)
			}
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
// that raw is: 1 would be no work but the primitives'. They take turns, and the
// times are those of the median turn: on a busy machine a few turns last as long
// as all others together. Work of the garbage collector beside the turns is in
// B/op, not in the times.
func against(b *testing.B, raw, ours func()) {
	const turn = 16
	turns := max(b.N/turn, 1)
	limit, cost := make([]time.Duration, turns), make([]time.Duration, turns)
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
	}
	slices.Sort(limit)
	slices.Sort(cost)
	rawTime, ourTime := float64(limit[turns/2])/turn, float64(cost[turns/2])/turn
	b.ReportMetric(ourTime, "ns/op")
	b.ReportMetric(rawTime, "raw-ns/op")
	b.ReportMetric(rawTime/ourTime, "of-raw")
	b.ReportMetric(payloadSize*1e3/ourTime, "MB/s")
}

// BenchmarkSealOpen is one packet protected and opened into buffers that are used again.
func BenchmarkSealOpen(b *testing.B) {
	for _, tr := range suites {
		b.Run(tr.String(), func(b *testing.B) {
			x, y := quiet(b, tr)
			out, in := x.sad.list[1], y.sad.list[0]
			d, _ := parseIPv4(ip(alice, bob, 17, udp(1, 2, payloadSize-8)))
			sealed, opened := make([]byte, out.protectedSize(d)), make([]byte, 1600)
			var inner Layer
			against(b, raw(b, tr), func() {
				out.seal(sealed, d)
				s, _ := parseIPv4(sealed)
				if _, why := in.open(opened, s, &inner); why != "" {
					b.Fatal(why)
				}
			})
		})
	}
}

// BenchmarkPipeline is the same through policy, SAs, lifetimes and counters, with
// a fresh buffer for each packet.
func BenchmarkPipeline(b *testing.B) {
	for _, tr := range suites {
		b.Run(tr.String(), func(b *testing.B) {
			x, y := quiet(b, tr)
			packet := ip(alice, bob, 17, udp(1, 2, payloadSize-8))
			against(b, raw(b, tr), func() {
				d := x.Outbound(start, packet, 1500)
				if o := y.InboundProtected(start, d.Packet); o.Outcome != Opened {
					b.Fatal(o.Why)
				}
			})
		})
	}
}
