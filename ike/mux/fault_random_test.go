package mux_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
)

// More of them: go test ./ike/mux -run RandomFaults -faults 100000. One of them:
// -run RandomFaults -faults.first SEED -faults 1.
var (
	faultRuns  = flag.Int("faults", 20000, "number of schedules that TestRandomFaults runs")
	firstFault = flag.Uint64("faults.first", 0, "seed of the first schedule")
)

// drawnSetup is any combination, real keys in one of twelve.
func drawnSetup(r *rand.Rand) setup {
	one := func(n int) bool { return r.IntN(n) == 0 }
	s := setup{
		aggressive: one(2), method: pick(r, methods...), real: one(12), asks: one(2), pfs: one(6), bundle: one(4), commit: one(5),
		fragments: pick(r, ike.NoFragments, ike.NoFragments, ike.WindowsFragments, ike.CiscoFragments), reliable: one(2), dos: one(5), dpd: one(4), silent: one(4),
	}
	if one(2) {
		s.dialect, s.where = pick(r, dialects...), pick(r, placements()...)
		s.bundle = s.bundle && !s.where.Any() // AH does not cross a NAT
	}
	return s
}

// Combinations of faults at random, in any mode with any method and any options.
// In some schedules both sides start at the same time, in some a host restarts.
func TestRandomFaults(t *testing.T) {
	const parts = 4
	var tallies [parts]tally
	t.Run("all", func(t *testing.T) {
		for part := range parts {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				tallies[part] = tally{}
				for i := part; i < *faultRuns; i += parts {
					randomFaults(t, *firstFault+uint64(i), tallies[part])
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
	if *faultRuns < 5000 {
		return
	}
	require.Greater(t, total["served"], 4*total["failed"], "most requests succeed in spite of it all")
	for _, what := range []string{"both at once", "restarts", "failed", "unequal"} {
		require.Positive(t, total[what], "%s: the schedules are as bad as they should be", what)
	}
}

func randomFaults(t *testing.T, seed uint64, total tally) {
	r := rand.New(rand.NewPCG(seed, 3))
	s := drawnSetup(r)
	faults := someFaults(r, s.phase1()+8)
	st := newStory(t, s, seed)
	st.name = fmt.Sprintf("seed %d: %s", seed, st.name)
	switch r.IntN(8) {
	case 0:
		total["both at once"]++
		st.after(time.Duration(r.IntN(20))*time.Millisecond, func() { st.b.request(st.a) })
	case 1:
		total["restarts"]++
		h := pick(r, st.a, st.b)
		st.after(time.Duration(r.IntN(60))*time.Millisecond, func() { h.restart() })
	}
	if r.IntN(10) == 0 {
		total["unequal"]++
		total["unequal served"] += st.disagree(r, faults)
		return
	}
	served := st.tell(faults...)
	total["served"] += served
	total["failed"] += len(st.a.failed) + len(st.b.failed)
}

// restart loses all that the host has and was asked for.
func (h *host) restart() {
	h.forgotten = h.requests
	h.reboot()
}

// disagree has one side be somebody else than the other takes it for: nothing may come of it.
func (s *story) disagree(r *rand.Rand, faults []fault) int {
	h := pick(r, s.a, s.b)
	s.name = fmt.Sprintf("%s: %s has no right key: %v", s.name, h.name, faults)
	h.impostor(s.setup, r.IntN(2) == 0)
	s.goBad(faults...)
	s.a.request(s.b)
	s.run(secondPair)
	s.wantNoSA()
	return 0
}

// wantNoSA expects that the two sides never came to an SA of any kind, and that whoever asked was told so.
func (s *story) wantNoSA() {
	s.t.Helper()
	for _, h := range s.hosts {
		h.wantAnswered(s.name)
		require.Zero(s.t, count[ike.EventSAs](h), "%s: SAs of %s", s.name, h.name)
		require.Zero(s.t, count[ike.EventInbound](h), "%s: inbound SAs of %s", s.name, h.name)
	}
	s.wantNothingLeft(s.name)
}

// impostor gives a host a key that is not the one of who it says it is.
func (h *host) impostor(s setup, certificate bool) {
	switch {
	case s.method == ike.PreSharedKey:
		h.psk = "another key"
	case s.method.Encryption():
		// It cannot decrypt what is encrypted for the host of its name.
		h.wallet.key = h.wallet.find(func(c *card) bool {
			return c.subject == h.name && c.authority == badAuthority && c.private.Algorithm() == "rsa"
		}).private
	case certificate: // of an authority that nobody trusts, with its key
		h.wallet.authority = badAuthority
	default: // a good certificate, and not its key
		h.wallet.key = h.wallet.find(func(c *card) bool {
			return c.subject == h.name && c.authority == badAuthority && c.private.Algorithm() == algorithm(s.method)
		}).private
	}
}

// Whoever has not the right key gets no SA: in each mode with each method, on
// either side, with a wrong key and with a wrong certificate. The other side
// says so with a code for that.
func TestImpostors(t *testing.T) {
	for _, aggressive := range []bool{false, true} {
		for _, method := range methods {
			for _, real := range []bool{false, method != ike.PreSharedKey} {
				for i := range 4 {
					s := setup{aggressive: aggressive, method: method, real: real}
					st := newStory(t, s, 1)
					h := st.hosts[i%2]
					h.impostor(s, i/2 == 0)
					st.name = fmt.Sprintf("%s: %s is an impostor %d", st.name, h.name, i)
					st.a.request(st.b)
					st.run(secondPair)
					st.wantNoSA()
					require.Len(t, st.a.failed, 1, st.name)
					require.Contains(t, []ike.Code{ike.CodeAuthFailed, ike.CodeInvalidSignature, ike.CodeTimedOut, ike.CodeNoResponse, ike.CodeNoCertificate}, ike.CodeOf(st.a.failed[0].Err), "%s: %v", st.name, st.a.failed[0].Err)
				}
			}
		}
	}
}
