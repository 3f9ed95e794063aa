package nat

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var benchmarked = []int{10, 1000, 1_000_000}

// crowd is a NAT with many mappings, and the packets of them, mixed.
type crowd struct {
	nat     *Table
	out, in [][]byte // in the order in which they are sent
	bytes   float64  // of memory for each mapping
	filling float64  // nanoseconds
}

// benchConfigs are what is measured: what the RFCs ask for, where a UDP mapping is all; and
// what most boxes do, where each remote endpoint has a record.
var benchConfigs = []struct {
	name  string
	c     Config
	proto string
}{
	{"UDP", Config{}, "udp"},
	{"UDP-filtered", Config{UDP: Behaviour{Filtering: AddressAndPortDependent}}, "udp"},
	{"UDP-symmetric", Config{UDP: Behaviour{AddressAndPortDependent, AddressAndPortDependent}}, "udp"},
	{"TCP", Config{TCP: Behaviour{Filtering: AddressDependent}}, "tcp"},
}

// processor is the time of processors that this process has used, in nanoseconds: the clock would measure what else the machine does.
func processor(b *testing.B) float64 {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// newCrowd makes a NAT with n mappings, of as many inside hosts as send from 16 ports each.
func newCrowd(b *testing.B, c Config, proto string, n int) *crowd {
	c.Limits = Limits{Mappings: 2 << 20, Sessions: 2 << 20}
	for i := range 32 {
		c.Outside = append(c.Outside, netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}))
	}
	w := &crowd{}
	base := makePayload(b, proto+" 10.0.0.1:1 > 198.51.100.1:7000 S", make([]byte, 64))
	make1 := func(i int) []byte {
		p := append([]byte{}, base...)
		binary.BigEndian.PutUint32(p[12:], 0x0a000000+uint32(i/16)+1)
		binary.BigEndian.PutUint16(p[20:], uint16(20000+i%16))
		sumUp(p)
		return p
	}
	packets := make([][]byte, n)
	for i := range packets {
		packets[i] = make1(i)
	}
	var err error
	w.nat, err = New(c, rand.New(rand.NewPCG(1, 2)))
	require.NoError(b, err)
	left := make([][]byte, n)
	for i := range packets {
		left[i] = append([]byte{}, packets[i]...)
	}
	before := heap()
	start := processor(b)
	for i, p := range left {
		require.NotNil(b, w.nat.Outbound(time.Duration(i), p).Packets)
	}
	w.filling = processor(b) - start
	w.bytes = (heap() - before) / float64(n)
	require.Len(b, w.nat.Mappings(0), n)
	most := min(n, 1<<17)
	for _, i := range rand.New(rand.NewPCG(3, 4)).Perm(n)[:most] {
		w.out = append(w.out, packets[i])
		p := append([]byte{}, left[i]...) // the answer to it
		copy(p[12:16], left[i][16:20])
		copy(p[16:20], left[i][12:16])
		copy(p[20:22], left[i][22:24])
		copy(p[22:24], left[i][20:22])
		if proto == "tcp" {
			p[33] |= 0x10
		}
		sumUp(p)
		w.in = append(w.in, p)
	}
	return w
}

// BenchmarkTranslate is packets of a NAT that has so many mappings, in random order. The
// limit is beside it: a map of Go with as many entries by the same endpoints is asked once, and
// the checksums of the same packet are adjusted; x-limit says how many times as long the NAT takes.
func BenchmarkTranslate(b *testing.B) {
	for _, bc := range benchConfigs {
		for _, n := range benchmarked {
			b.Run(fmt.Sprintf("%s/%d", bc.name, n), func(b *testing.B) {
				w := newCrowd(b, bc.c, bc.proto, n)
				for _, dir := range []string{"out", "in"} {
					b.Run(dir, func(b *testing.B) {
						packets, translate := w.out, w.nat.Outbound
						if dir == "in" {
							packets, translate = w.in, w.nat.Inbound
						}
						buf := make([]byte, len(packets[0]))
						limit := bare(b, w, packets, n)
						now := time.Duration(1 << 30)
						b.ReportAllocs()
						b.ResetTimer()
						before := processor(b)
						for i := range b.N {
							copy(buf, packets[i%len(packets)])
							now += 100
							if translate(now, buf).Packets == nil {
								b.Fatal("dropped")
							}
						}
						b.StopTimer()
						each := (processor(b) - before) / float64(b.N)
						b.ReportMetric(each, "cpu-ns/op")
						b.ReportMetric(1e9/each, "packets/s")
						b.ReportMetric(limit, "limit-ns/op")
						b.ReportMetric(each/limit, "x-limit")
						b.ReportMetric(w.bytes, "bytes/mapping")
					})
				}
			})
		}
	}
}

// bare is what looking up in a map of Go and adjusting checksums take for a packet.
func bare(b *testing.B, w *crowd, packets [][]byte, n int) float64 {
	type five struct {
		src, dst uint32
		sp, dp   uint16
		proto    uint8
	}
	of := func(p ipv4) five {
		h := p.payload()
		return five{p.src(), p.dst(), binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:]), p.proto()}
	}
	type to struct {
		addr uint32
		port uint16
	}
	m := make(map[five]to, n)
	for _, p := range packets {
		m[of(p)] = to{1, 2}
	}
	for i := len(m); i < n; i++ { // the others, which are not asked for
		m[five{uint32(i), 1, 2, 3, 255}] = to{}
	}
	buf := make([]byte, len(packets[0]))
	start := processor(b)
	const rounds = 1 << 19
	for i := range rounds {
		copy(buf, packets[i%len(packets)])
		p := ipv4(buf)
		v, ok := m[of(p)]
		if !ok {
			b.Fatal("not there")
		}
		c := change(0).addr(p.src(), v.addr)
		c.to(p[10:])
		h := p.payload()
		c.word(binary.BigEndian.Uint16(h), v.port).to(h[6:])
	}
	return (processor(b) - start) / rounds
}

// BenchmarkGrow is making a million mappings, one by one, and letting them end.
func BenchmarkGrow(b *testing.B) {
	for _, bc := range benchConfigs {
		b.Run(bc.name, func(b *testing.B) {
			const n = 1_000_000
			var filling, ending, bytes float64
			for b.Loop() {
				w := newCrowd(b, bc.c, bc.proto, n)
				filling += w.filling
				bytes = w.bytes
				start := processor(b)
				w.nat.Expire(24 * time.Hour)
				ending += processor(b) - start
				require.Empty(b, w.nat.Mappings(0))
			}
			b.ReportMetric(filling/float64(b.N)/n, "ns/made")
			b.ReportMetric(ending/float64(b.N)/n, "ns/ended")
			b.ReportMetric(bytes, "bytes/mapping")
		})
	}
}
