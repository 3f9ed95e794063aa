//go:build unix

package mux_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// BenchmarkMainModeStorm has all main modes of a gateway, an hour long, near their end
// within the time in which they were established, or at one moment, and replaced without a
// draw or with one (ike.Config.MainModeSpread). Each pair of hosts has SAs, so that
// each main mode gets a successor. survived is the share of the peers that have one when
// all of the old ones are gone.
func BenchmarkMainModeStorm(b *testing.B) {
	for _, row := range []struct{ within, spread time.Duration }{{within: time.Minute}, {within: time.Second}, {}, {spread: time.Minute}} {
		for _, peers := range crowds(b) {
			b.Run(fmt.Sprintf("within=%v,spread=%v/%d", row.within, row.spread, peers), func(b *testing.B) {
				var s storm
				for range b.N {
					c := newCrowd(b, peers)
					for _, p := range c.peers {
						p.config.MainModeSpread = row.spread
						p.reboot()
					}
					if row.within > 0 {
						c.ask(row.within)
					} else {
						c.askToEndAtOnce(150)
					}
					c.run(20 * time.Minute)
					require.Len(b, established(c.gateway), peers)
					require.Len(b, c.gateway.in, peers)
					s.measure(b, c, func() { c.run(45 * time.Minute) })
					for _, p := range c.peers {
						if len(established(p)) == 1 {
							s.survived++
						}
					}
					require.Len(b, c.gateway.in, peers, "the pairs are not concerned")
				}
				s.report(b, peers)
			})
		}
	}
}

// BenchmarkQuickModeStorm has all pairs of SAs of a gateway replaced at the same moment, asked for by the peers.
func BenchmarkQuickModeStorm(b *testing.B) {
	for _, peers := range crowds(b) {
		b.Run(fmt.Sprint(peers), func(b *testing.B) {
			var s storm
			for range b.N {
				c := newCrowd(b, peers)
				c.ask(time.Minute)
				c.run(20 * time.Minute)
				s.measure(b, c, func() {
					for _, p := range c.peers {
						for id := range p.in {
							p.replace(c.gateway, ipsec.Selector{Src: ipsec.Host(p.addr), Dst: ipsec.Host(c.gateway.addr)}, id.spi)
							c.settle(p)
						}
					}
					c.run(20 * time.Minute)
				})
				for _, p := range c.peers {
					if len(p.in) == 2 {
						s.survived++
					}
				}
			}
			s.report(b, peers)
		})
	}
}

// storm is what happened while all of it happened at once.
type storm struct {
	cpu              time.Duration
	heap             uint64 // most of it, above what was there before
	messages         int
	took             time.Duration // from the first message to the last
	survived, failed int
	modes            int // most main modes of the gateway, finished or not
}

func (s *storm) measure(b *testing.B, c *crowd, do func()) {
	start, messages := uint64(heapOf(c)), c.messages
	var first, last time.Time
	seen := messages
	c.eachWork = func() {
		if c.messages != seen {
			if seen = c.messages; first.IsZero() {
				first = c.n.now
			}
			last = c.n.now
		}
		if c.work%5000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > start {
				s.heap = max(s.heap, m.HeapAlloc-start)
			}
			s.modes = max(s.modes, int(c.gateway.mux.Statistics().ISADBListSize))
		}
	}
	before := cpuTime(b)
	do()
	s.cpu += cpuTime(b) - before
	c.eachWork = nil
	s.messages += c.messages - messages
	s.took = last.Sub(first)
	for _, p := range c.peers {
		s.failed += len(p.failed)
	}
}

func (s *storm) report(b *testing.B, peers int) {
	each := float64(peers * b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(s.cpu.Seconds()*1000/each, "cpu-ms/peer")
	b.ReportMetric(float64(s.messages)/each, "messages/peer")
	b.ReportMetric(float64(s.survived)/each, "survived")
	b.ReportMetric(float64(s.failed)/each, "failed/peer")
	b.ReportMetric(float64(s.heap)/1e6, "peak-MB")
	b.ReportMetric(s.took.Seconds(), "virtual-s")
}
