//go:build unix

package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// long is a policy of n mirrored filters in ten rules: hosts, subnets and any address, with and
// without protocols and ports.
func long(n int) *Policy {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	p := &Policy{Name: "long"}
	for i := range 10 {
		p.Rules = append(p.Rules, rule(fmt.Sprint("r", i), []Kind{Negotiate, Permit, Negotiate, Block}[i%4]))
		p.Rules[i].Filters.Filters = nil
	}
	for i := range n {
		far := netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)})
		f := Filter{Source: Me(), Destination: Host(far), Mirrored: true}
		switch r.IntN(10) {
		case 0, 1, 2:
			f.Destination = Subnet(netip.PrefixFrom(far, 16+4*r.IntN(4)))
		case 3:
			f.Destination = Any()
		}
		if f.Protocol = []uint8{0, 6, 17}[r.IntN(3)]; f.Protocol != 0 || f.Destination.IsAny() {
			f.Protocol = max(f.Protocol, 6)
			f.DestinationPort = uint16(1 + r.IntN(65535))
			f.SourcePort = []uint16{0, uint16(1 + r.IntN(65535))}[r.IntN(2)]
		}
		filters := &p.Rules[i%10].Filters.Filters
		*filters = append(*filters, f)
	}
	for i := range p.Rules {
		seen := map[Filter]bool{}
		var kept []Filter
		for _, f := range p.Rules[i].Filters.Filters {
			if !seen[f] {
				kept = append(kept, f)
			}
			seen[f] = true
		}
		p.Rules[i].Filters.Filters = kept
	}
	return p
}

var home = []netip.Addr{addr("192.0.2.1")}

// peers are addresses of which some filter of a long policy names most.
func peers(n int) (all []netip.Addr) {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	for range 1024 {
		i := r.IntN(n + n/4)
		all = append(all, netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)}))
	}
	return all
}

// BenchmarkCompile compiles policies of n filters for a host with one address, which
// makes some n entries in each direction. cpu-us/filter is processor
// time of the quickest run, the garbage collector's part included, and x-vs-1000 that by
// the one with 1,000 filters; B/filter is what the compiled policy takes.
func BenchmarkCompile(b *testing.B) {
	var at1000 float64
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := long(n)
			used := heap()
			var c *Compiled
			best := time.Duration(math.MaxInt64)
			b.ResetTimer()
			for range max(b.N, 3) {
				used := processors(b)
				var err error
				c, err = Compile(p, home, Options{})
				best = min(best, processors(b)-used)
				require.NoError(b, err)
			}
			b.StopTimer()
			each := float64(best.Microseconds()) / float64(n)
			if n == 1000 {
				at1000 = each
			}
			b.ReportMetric(0, "ns/op") // of three runs or more, and of a machine that may be busy
			b.ReportMetric(each, "cpu-us/filter")
			if at1000 > 0 {
				b.ReportMetric(each/at1000, "x-vs-1000")
			}
			b.ReportMetric(float64(heap()-used)/float64(n), "B/filter")
			runtime.KeepAlive(c)
		})
	}
}

// processors is the time that the process has taken of all of them.
func processors(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkIKE is what key exchange asks of a policy with n filters: a main mode and a
// quick mode for a conversation with each of many peers. walk-ns/op is a search from
// the top for the same, in the same run.
func BenchmarkIKE(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		c, err := Compile(long(n), home, Options{})
		require.NoError(b, err)
		walking := *c
		walking.index = nil
		all := peers(n)
		for _, of := range []struct {
			name string
			ask  func(c *Compiled, peer netip.Addr)
		}{
			{"main", func(c *Compiled, a netip.Addr) { c.MainMode(home[0], a) }},
			{"quick", func(c *Compiled, a netip.Addr) { c.QuickMode(a, conversation(a)) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", of.name, n), func(b *testing.B) {
				walk := perPeer(of.ask, &walking, all[:64], 3)
				b.ResetTimer()
				b.ReportMetric(perPeer(of.ask, c, all, max(b.N/len(all), 1)), "ns/op")
				b.ReportMetric(walk, "walk-ns/op")
			})
		}
	}
}

// perPeer is what a question takes, in nanoseconds: of the median turn through the peers.
func perPeer(ask func(*Compiled, netip.Addr), c *Compiled, peers []netip.Addr, turns int) float64 {
	times := make([]time.Duration, turns)
	for i := range times {
		t0 := time.Now()
		for _, p := range peers {
			ask(c, p)
		}
		times[i] = time.Since(t0)
	}
	slices.Sort(times)
	return float64(times[turns/2].Nanoseconds()) / float64(len(peers))
}

func conversation(peer netip.Addr) ipsec.Selector {
	return ipsec.Selector{Src: ipsec.Host(home[0]), Dst: ipsec.Host(peer), Proto: 6, DstPort: 80}
}
