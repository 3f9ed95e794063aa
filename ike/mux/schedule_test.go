package mux_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// More of them: go test ./ike/mux -run RandomSchedules -schedules 5000, within a
// minute on two cores, for which main mode uses the smallest group.
var schedules = flag.Int("schedules", 500, "random schedules of TestRandomSchedules")

// badFor is shorter than a schedule, so that each exchange still has copies to
// send when the network recovers. Nothing can make two sides agree without
// that: all copies of a last message may be lost, and the Delete after them.
const badFor = 50 * time.Second

// On a network that loses, repeats, delays, reorders and alters at random for a
// while, two hosts ask for SAs at random times: pairs and bundles, with and
// without PFS, limits on main modes and the commit bit. Once the network has
// recovered and the schedules have run out, they have the same SAs, whatever
// those are, and each request has been answered exactly once.
func TestRandomSchedules(t *testing.T) {
	const parts = 4
	var established, failed [parts]int
	t.Run("all", func(t *testing.T) {
		for part := range parts {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for seed := part; seed < *schedules; seed += parts {
					e, f := checkSchedule(t, uint64(seed))
					established[part] += e
					failed[part] += f
				}
			})
		}
	})
	for part := range parts {
		require.Greater(t, established[part], failed[part], "most requests succeed in spite of it all")
		require.Positive(t, failed[part], "the network was bad enough to make some fail")
	}
}

// checkSchedule runs one schedule and counts how its requests ended.
func checkSchedule(t *testing.T, seed uint64) (established, failed int) {
	n, a, b, asked := randomRun(t, seed, false)
	n.wantAgreement(fmt.Sprintf("seed %d", seed))
	for _, h := range []*host{a, b} {
		answers := map[uint64]int{}
		for _, e := range h.events {
			switch e := e.(type) {
			case ike.EventSAs:
				if e.RequestID != 0 {
					answers[e.RequestID]++
					established++
				}
			case ike.EventFailed:
				answers[e.RequestID]++
				failed++
			}
		}
		for id := uint64(1); id <= h.requests; id++ {
			require.Equal(t, 1, answers[id], "seed %d: request %d of %s", seed, id, h.name)
		}
	}
	require.Positive(t, asked)

	// The hosts can still talk. If a Delete of the main mode was lost, the first request finds that out.
	a.failed, b.failed = nil, nil
	before := len(a.in)
	a.request(b)
	n.run(30 * time.Minute)
	if len(a.failed) > 0 {
		a.wantFailure("the peer has lost the main mode", "no response to quick mode message 1", ike.CodeTimedOut)
		a.request(b)
		n.run(40 * time.Minute)
	}
	each := len(b.quickMode.Proposals[0].Transforms)
	require.Equal(t, before+each, len(a.in), "seed %d: a request on the recovered network: %v", seed, a.failed)
	n.wantAgreement(fmt.Sprintf("seed %d, afterwards", seed))
	return established, failed
}

func randomRun(t *testing.T, seed uint64, traced bool) (n *network, a, b *host, asked int) {
	r := rand.New(rand.NewPCG(seed, 1))
	n = newNetwork(t)
	a, b = n.add("a", "10.0.0.1", 2*seed+1), n.add("b", "10.0.0.2", 2*seed+2)
	for _, h := range n.hosts {
		h.firstSPI = uint32(h.addr.AsSlice()[3]) << 24
		h.mainMode.Proposals[0].Group = 1
		if !traced {
			h.config.Trace = nil
		}
		h.mainMode.QuickModes = []int{0, 0, 0, 1, 2}[r.IntN(5)]
		h.mainMode.Lifetime = []time.Duration{0, 0, 3 * time.Minute}[r.IntN(3)]
		h.quickMode.PFS = r.IntN(8) == 0
	}
	b.quickMode.PFS = a.quickMode.PFS
	b.config.Commit, a.config.Commit = r.IntN(4) == 0, r.IntN(8) == 0
	if r.IntN(4) == 0 {
		a.quickMode.Proposals = []ipsec.Proposal{bundled(), proposal(des3)}
		b.quickMode.Proposals = []ipsec.Proposal{bundled()}
	}
	if r.IntN(8) == 0 {
		a.mainMode.Kilobytes = 2
	}
	a.reboot()
	b.reboot()
	loss, repeat, alter := 0.5*r.Float64(), 0.3*r.Float64(), 0.1*r.Float64()*float64(r.IntN(2))
	bad := func() bool { return n.now.Before(n.start.Add(badFor)) }
	n.fate = func(int, ike.Datagram) []time.Duration {
		if !bad() {
			return []time.Duration{n.latency}
		}
		var arrivals []time.Duration
		for r.Float64() < 1-loss && len(arrivals) < 4 {
			delay := n.latency
			if r.IntN(3) == 0 {
				delay = time.Duration(r.Int64N(int64(3 * time.Second)))
			}
			arrivals = append(arrivals, delay)
			if r.Float64() > repeat {
				break
			}
		}
		return arrivals
	}
	n.alter = func(_ int, bs []byte) []byte {
		if bad() && r.Float64() < alter {
			bs[r.IntN(len(bs))] ^= 1 << r.IntN(8)
		}
		return bs
	}
	for at := time.Duration(0); at < badFor; at += time.Duration(r.Int64N(int64(20 * time.Second))) {
		n.run(at)
		h, to := a, b
		if r.IntN(2) == 0 {
			h, to = b, a
		}
		for range 1 + r.IntN(2) {
			h.request(to)
			asked++
		}
		if r.IntN(4) == 0 {
			to.request(h)
			asked++
		}
	}
	n.run(20 * time.Minute)
	return n, a, b, asked
}

// One seed, one trace.
func TestDeterminism(t *testing.T) {
	for seed := range uint64(3) {
		n1, a1, b1, _ := randomRun(t, seed, true)
		n2, a2, b2, _ := randomRun(t, seed, true)
		require.Equal(t, n1.sent, n2.sent)
		require.Equal(t, a1.log, a2.log)
		require.Equal(t, b1.log, b2.log)
	}
	n1, _, _, _ := randomRun(t, 1, true)
	n2, _, _, _ := randomRun(t, 2, true)
	require.NotEqual(t, n1.sent, n2.sent, "another seed differs")
}
