package mux_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// More of them: go test ./ike/mux -run RandomSchedules -schedules 5000. One of
// them: -run RandomSchedules -schedules.first SEED -schedules 1.
var (
	schedules     = flag.Int("schedules", 1000, "number of schedules that TestRandomSchedules runs")
	firstSchedule = flag.Uint64("schedules.first", 0, "seed of the first schedule")
)

// tally is how many of what the schedules had.
type tally map[string]int

// On a network that loses, repeats, delays, reorders and alters at random for a
// while, with an attacker in every third, two hosts ask for SAs at random times,
// replace them, delete them, restart and change their policies. See
// randomRun.check for what must come of it.
func TestRandomSchedules(t *testing.T) {
	const parts = 4
	var tallies [parts]tally
	t.Run("all", func(t *testing.T) {
		for part := range parts {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				tallies[part] = tally{}
				for i := part; i < *schedules; i += parts {
					seed := *firstSchedule + uint64(i)
					newRun(t, rand.New(rand.NewPCG(seed, 1)), seed, false).check(fmt.Sprintf("seed %d", seed), tallies[part])
				}
			})
		}
	})
	total := tally{}
	for _, part := range tallies {
		for what, n := range part {
			total[what] += n
		}
	}
	t.Log(total)
	if *schedules < 500 {
		return
	}
	require.Greater(t, total["requests served"], total["requests failed"], "most requests succeed in spite of it all")
	for _, method := range methods {
		require.Positive(t, total[method.String()])
	}
	for _, what := range []string{
		"aggressive mode", "requests failed", "successors", "restarts", "policy changes", "deleted", "expired", "main modes", "lost", "repeated", "altered", "attacks", "orphans", "bundles",
		"xauth", "mode config", "new groups", "NAT traversal", "NATs", "mappings lost", "other outside addresses", "moves", "replays of strangers",
	} {
		require.Positive(t, total[what], "%s: the schedules are as bad as they should be", what)
	}
}

// check runs the schedule. When the network has recovered and all
// exchanges have come to their ends, each SA that one side sends under is one
// that the other has, with the same keys. The exception is one that the other
// had, but lost in a restart or ended when it could not say so; it ends with its
// lifetime. Each request has been answered once, or was lost in a restart.
func (s *randomRun) check(name string, total tally) {
	t, n := s.t, s.n
	s.misbehave()
	s.wantBounded(name)

	// All copies of what was under way when the network recovered have been sent
	// after two schedules: a main mode, and the quick mode that waited for it.
	n.run(s.elapsed() + 10*time.Minute)
	s.stopRekeying()
	n.run(s.elapsed() + 6*time.Minute)
	s.wantMirror(name)
	for _, h := range n.hosts {
		s.wantAnswers(name, h)
	}

	// The hosts can still talk. If one has lost the main mode, the first request finds that out.
	for i, h := range n.hosts {
		s.wantRequestServed(name, h, n.hosts[1-i])
	}
	s.wantMirror(name + ", afterwards")
	s.wantNobodyAtStrangers(name)

	// Nothing is left when the lifetimes are over, not even a timer.
	n.run(s.elapsed() + 24*time.Hour)
	for _, h := range n.hosts {
		require.Empty(t, h.in, "%s: %s after all lifetimes", name, h.name)
		require.Empty(t, h.out, "%s: %s after all lifetimes", name, h.name)
		require.Empty(t, h.early, "%s: %s after all lifetimes", name, h.name)
		require.Empty(t, h.allocated, "%s: %s after all lifetimes", name, h.name)
		require.Empty(t, h.mux.MainModes(), "%s: %s after all lifetimes", name, h.name)
		require.Empty(t, h.alive, "%s: keep-alives of %s after all lifetimes", name, h.name)
		_, waits := h.mux.NextDeadline()
		require.False(t, waits, "%s: %s waits for nothing", name, h.name)
		for _, g := range h.gone {
			total[g.why]++
		}
		total["main modes"] += count[ike.EventMainMode](h)
	}
	for what, count := range s.tally {
		total[what] += count
	}
}

func (s *randomRun) elapsed() time.Duration { return s.n.now.Sub(s.n.start) }

func (s *randomRun) stopRekeying() {
	for _, h := range s.n.hosts {
		h.driver.rekeys = false
	}
}

// wantBounded expects the hosts to keep and to say no more than there was reason to.
func (s *randomRun) wantBounded(name string) {
	s.t.Helper()
	asked := s.tally["attacks"]
	for _, h := range s.n.hosts {
		asked += int(h.requests) + count[ike.EventSAs](h)
	}
	for _, h := range s.n.hosts {
		require.LessOrEqual(s.t, len(h.mux.MainModes()), 10*asked, "%s: main modes of %s", name, h.name)
		require.LessOrEqual(s.t, len(h.allocated), 10*asked, "%s: SPIs of %s", name, h.name)
	}
	require.LessOrEqual(s.t, len(s.n.sent), 100*asked, "%s: messages", name)
}

// wantMirror expects the two sides to have the same SAs, but for those of which one could not be told the end.
func (s *randomRun) wantMirror(name string) {
	s.t.Helper()
	s.n.wantMirrored(name, func(h, other *host, out ipsec.SAParams) {
		end, had := other.gone[idOf(out)]
		require.True(s.t, had, "%s: %s sends under %v, which %s never had", name, h.name, idOf(out), other.name)
		switch end.why {
		case "restart":
		case "deleted", "expired", "quick mode failed":
			underWay := !s.n.now.After(end.at.Add(s.n.latency)) // the Delete
			require.True(s.t, end.at.Before(s.recovery) || !end.told || underWay, "%s: %s sends under %v; %s ended it, and could say so: %+v", name, h.name, idOf(out), other.name, end)
		default:
			require.Fail(s.t, "split", "%s: %s sends under %v, which %s removed: %+v", name, h.name, idOf(out), other.name, end)
		}
		s.tally["orphans"]++
	})
}

// wantAnswers expects one answer to each request of the host.
func (s *randomRun) wantAnswers(name string, h *host) {
	s.t.Helper()
	answers := map[uint64]int{}
	for _, e := range h.events {
		switch e := e.(type) {
		case ike.EventSAs:
			if e.RequestID != 0 {
				answers[e.RequestID]++
				s.tally["requests served"]++
			}
			if e.Replaces != 0 {
				s.tally["successors"]++
			}
		case ike.EventFailed:
			answers[e.RequestID]++
			s.tally["requests failed"]++
		}
	}
	for id := uint64(1); id <= h.requests; id++ {
		if id <= s.forgotten[h] && answers[id] == 0 {
			continue
		}
		require.Equal(s.t, 1, answers[id], "%s: request %d of %s", name, id, h.name)
	}
}

// wantRequestServed expects a host to get what it asks for, on a network that has recovered, at the second attempt at the latest.
func (s *randomRun) wantRequestServed(name string, h, to *host) {
	s.t.Helper()
	for attempt := 1; ; attempt++ {
		h.failed = nil
		id := h.request(to)
		s.n.run(s.elapsed() + 5*time.Minute)
		if len(h.failed) == 0 {
			require.True(s.t, slices.ContainsFunc(h.events, func(e ike.Event) bool {
				sas, ok := e.(ike.EventSAs)
				return ok && sas.RequestID == id
			}), "%s: the request of %s is served", name, h.name)
			return
		}
		if s.excused(h, to, h.failed[0].Err) {
			return
		}
		attempts := 1
		if h.config.NAT.On() {
			attempts = 2 // a main mode on port 500, from when a vendor ID was altered, may be another computer's by its port
		}
		require.LessOrEqual(s.t, attempt, attempts, "%s: requests of %s on the recovered network: %v", name, h.name, h.failed)
		// Or it has several that the peer has used up: the request goes through one after the other.
		why := h.failed[0].Err.Error()
		require.True(s.t, strings.Contains(why, "no response to quick mode message 1") || strings.Contains(why, "deleted by the peer") || h.config.NAT.On() && strings.Contains(why, "the peer refused with"), "%s: %v", name, why)
	}
}

// One seed, one trace.
func TestDeterminism(t *testing.T) {
	run := func(seed uint64) *randomRun {
		s := newRun(t, rand.New(rand.NewPCG(seed, 1)), seed, true)
		s.misbehave()
		s.n.run(s.elapsed() + 20*time.Minute)
		return s
	}
	for seed := range uint64(3) {
		one, other := run(seed), run(seed)
		require.Equal(t, one.n.sent, other.n.sent)
		require.Equal(t, one.a.log, other.a.log)
		require.Equal(t, one.b.log, other.b.log)
	}
	require.NotEqual(t, run(1).n.sent, run(2).n.sent, "another seed differs")
}
