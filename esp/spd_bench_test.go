package esp

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// makers are the policies of the benchmarks. Each makes an entry from chance, and
// its number.
var makers = []struct {
	name   string
	sorted bool // the most specific first, as policies are; otherwise as drawn
	entry  func(r *rand.Rand, i int) ipsec.Selector
}{
	// One shape each.
	{"hosts", true, func(_ *rand.Rand, i int) ipsec.Selector {
		return ipsec.Selector{Src: ipsec.Host(alice), Dst: ipsec.Host(numbered4(i))}
	}},
	{"conversations", true, func(r *rand.Rand, i int) ipsec.Selector {
		return ipsec.Selector{Src: ipsec.Host(alice), Dst: ipsec.Host(numbered4(i)), Proto: 6, SrcPort: port(r), DstPort: port(r)}
	}},
	// Hosts, subnets from /16 to /28, and any address; protocols and ports for a half.
	{"mixed", true, func(r *rand.Rand, i int) ipsec.Selector {
		s := ipsec.Selector{Src: ipsec.Host(alice), Dst: ipsec.Host(numbered4(i))}
		switch r.IntN(10) {
		case 0, 1, 2:
			s.Dst = netip.PrefixFrom(numbered4(i), 16+4*r.IntN(4)).Masked()
		case 3:
			s.Dst, s.Src = netip.Prefix{}, netip.PrefixFrom(alice, 24).Masked()
		}
		if r.IntN(2) == 0 {
			s.Proto = []uint8{6, 17}[r.IntN(2)]
			s.SrcPort = []uint16{0, port(r)}[r.IntN(2)]
			s.DstPort = []uint16{0, port(r)}[r.IntN(2)]
		}
		return s
	}},
	// As many shapes as there can be, around the same addresses. In the order of a policy;
	// and in none, where wide entries near the top match most packets, so that a walk is short.
	{"shapes", true, shapes(alice, bob)},
	{"shapes6", true, shapes(alice6, bob6)},
	{"wide-first", false, shapes(alice, bob)},
}

func shapes(src, dst netip.Addr) func(r *rand.Rand, i int) ipsec.Selector {
	return func(r *rand.Rand, _ int) ipsec.Selector {
		return ipsec.Selector{
			Src: netip.PrefixFrom(flip(r, src), 1+r.IntN(src.BitLen())), Dst: netip.PrefixFrom(flip(r, dst), 1+r.IntN(dst.BitLen())),
			Proto: []uint8{6, 17}[r.IntN(2)], SrcPort: []uint16{0, port(r)}[r.IntN(2)], DstPort: []uint16{0, port(r)}[r.IntN(2)],
		}
	}
}

func numbered4(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)})
}

func port(r *rand.Rand) uint16 { return uint16(1 + r.IntN(65535)) }

// flip changes one bit of an address, or none.
func flip(r *rand.Rand, a netip.Addr) netip.Addr {
	b := a.AsSlice()
	if bit := r.IntN(8*len(b) + 1); bit < 8*len(b) {
		b[bit/8] ^= 0x80 >> (bit % 8)
	}
	a, _ = netip.AddrFromSlice(b)
	return a
}

// made is a policy of n entries and packets of which most match, anywhere in it.
func made(maker, n int) (entries []ipsec.Policy, flows []ipsec.Flow) {
	m, r := makers[maker], rand.New(rand.NewPCG(1, uint64(n)))
	for i := range n {
		entries = append(entries, ipsec.Policy{ID: i + 1, Action: ipsec.Bypass, Selector: m.entry(r, i)})
	}
	if m.sorted {
		weight := func(e ipsec.Policy) int {
			s := e.Selector
			w := 1000 * (s.Src.Bits() + s.Dst.Bits())
			for _, named := range []bool{s.Proto != 0, s.SrcPort != 0, s.DstPort != 0} {
				if named {
					w++
				}
			}
			return -w
		}
		slices.SortStableFunc(entries, func(a, b ipsec.Policy) int { return cmp.Compare(weight(a), weight(b)) })
	}
	for range 4096 {
		s := entries[r.IntN(n)].Selector
		f := ipsec.Flow{Src: s.Src.Addr(), Dst: s.Dst.Addr(), Proto: max(s.Proto, 1), SrcPort: s.SrcPort, DstPort: s.DstPort}
		if !f.Dst.IsValid() {
			f.Dst = netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))})
		}
		if ipsec.HasPorts(f.Proto) {
			f.SrcPort, f.DstPort = max(f.SrcPort, uint16(r.IntN(2))), max(f.DstPort, uint16(r.IntN(2)))
		}
		if r.IntN(4) == 0 {
			f.Dst = f.Dst.Next()
		}
		flows = append(flows, f)
	}
	return entries, flows
}

// lengthsOfPolicies are those of the benchmarks.
var lengthsOfPolicies = []int{10, 100, 1000, 10_000, 100_000}

// BenchmarkPolicySearch finds the entries for 4096 packets, of which most match, in
// policies of several kinds. walk-ns/op is what a walk of the same list takes, measured
// in the same run; x-vs-1000 is the time of a search by that in a policy of the kind with
// 1,000 entries; B/filter is what the search takes besides the entries, and build-ms
// the time to make it. Times are those of the median turn through the packets.
func BenchmarkPolicySearch(b *testing.B) {
	for maker, m := range makers {
		var at1000 float64
		for _, n := range lengthsOfPolicies {
			b.Run(fmt.Sprintf("%s/%d", m.name, n), func(b *testing.B) {
				entries, flows := made(maker, n)
				used := inUse()
				t0 := time.Now()
				s := newSPD(entries)
				build := time.Since(t0)
				index := float64(inUse()-used) - float64(n)*float64(unsafe.Sizeof(entries[0]))
				walk := spd{entries: entries}
				limit := perPacket(&walk, flows[:64], 5)
				b.ReportAllocs()
				b.ResetTimer()
				each := perPacket(&s, flows, max(b.N/len(flows), 1))
				b.StopTimer()
				b.ReportMetric(each, "ns/op")
				b.ReportMetric(limit, "walk-ns/op")
				if n == 1000 {
					at1000 = each
				}
				if at1000 > 0 {
					b.ReportMetric(each/at1000, "x-vs-1000")
				}
				b.ReportMetric(index/float64(n), "B/filter")
				b.ReportMetric(float64(build.Microseconds())/1000, "build-ms")
				runtime.KeepAlive(s)
			})
		}
	}
}

// perPacket is what a search takes, in nanoseconds: of the median turn through the flows.
func perPacket(s *spd, flows []ipsec.Flow, turns int) float64 {
	times := make([]time.Duration, turns)
	for i := range times {
		t0 := time.Now()
		for f := range flows {
			s.lookup(&flows[f])
		}
		times[i] = time.Since(t0)
	}
	slices.Sort(times)
	return float64(times[turns/2].Nanoseconds()) / float64(len(flows))
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkShortPolicy is what the limit between walking and searching is from: both, in
// turns, for policies around it. of-raw above 1 says that searching is faster.
func BenchmarkShortPolicy(b *testing.B) {
	for maker, m := range makers {
		for _, n := range []int{4, 8, 12, 16, 24, 32} {
			b.Run(fmt.Sprintf("%s/%d", m.name, n), func(b *testing.B) {
				entries, flows := made(maker, n)
				walk, search := spd{entries: entries}, searching(entries)
				i, j := 0, 0
				against(b, 0, func() {
					for range 64 {
						walk.lookup(&flows[i%len(flows)])
						i++
					}
				}, func() {
					for range 64 {
						search.lookup(&flows[j%len(flows)])
						j++
					}
				})
			})
		}
	}
}

// The policies of the benchmarks are searched rightly, too, and without allocation.
func TestBenchmarkedPolicies(t *testing.T) {
	for maker, m := range makers {
		entries, flows := made(maker, 2000)
		s := searching(entries)
		matched := 0
		for _, f := range flows[:500] {
			require.Equal(t, naiveLookup(entries, f) == nil, s.lookup(&f) == nil, "%s: %v", m.name, f)
			if want := naiveLookup(entries, f); want != nil {
				matched++
				require.Equal(t, *want, *s.lookup(&f), "%s: %v", m.name, f)
			}
		}
		require.Greater(t, matched, 250, m.name)
		i := 0
		require.Zero(t, testing.AllocsPerRun(100, func() { s.lookup(&flows[i%len(flows)]); i++ }))
	}
}
