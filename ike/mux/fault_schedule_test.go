package mux_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
)

// story is one negotiation from its beginning to its end: a pair, another one
// under the same main mode, and the Deletes of all.
type story struct {
	*network
	a, b  *host
	setup setup
	name  string
}

func newStory(t testing.TB, s setup, seed uint64) *story {
	n := newNetwork(t)
	st := &story{network: n, a: n.add("a", "10.0.0.1", 2*seed+1), b: n.add("b", "10.0.0.2", 2*seed+2), setup: s, name: s.String()}
	s.place(n, st.a, st.b)
	s.apply(n)
	st.a.drive(st.b, 1)
	st.b.drive(st.a, 2)
	st.a.driver.rekeys, st.b.driver.rekeys = false, false
	return st
}

// Times of a story: nothing of one chapter is under way at the end of it.
const (
	secondPair = 5 * time.Minute
	theEnd     = 10 * time.Minute
	afterwards = 15 * time.Minute
)

// tell plays the story. Each chapter ends with both sides at the same end. It
// returns how many of the two requests were served.
func (s *story) tell(faults ...fault) (served int) {
	s.name = fmt.Sprintf("%s: %v", s.name, faults)
	way := s.goBad(faults...)
	s.a.request(s.b)
	s.run(secondPair)
	s.wantOneEnd(s.name+": first pair", way.wordLost)
	s.a.request(s.b)
	s.run(theEnd)
	s.wantOneEnd(s.name+": second pair", way.wordLost)
	for _, h := range s.hosts {
		h.wantAnswered(s.name)
		h.wantBounded(s.name, 2)
	}
	for _, e := range s.a.events {
		if _, ok := e.(ike.EventSAs); ok {
			served++
		}
	}
	s.a.driver.endAll()
	s.run(afterwards)
	s.wantOneEnd(s.name+": deleted", way.wordLost)
	require.Empty(s.t, s.a.in, s.name)
	s.wantNothingLeft(s.name)
	require.Less(s.t, len(s.sent), 200, "%s: messages", s.name)
	return served
}

// messages is how many a story without faults has.
func (s setup) messages(t testing.TB) [][]byte {
	st := newStory(t, s, 1)
	require.Equal(t, 2, st.tell(), "%s: without faults", s)
	var bs [][]byte
	for _, d := range st.sent {
		bs = append(bs, d.Payload)
	}
	return bs
}

// setups are each mode with each method, as plain as can be and with all options in turn.
func setups() (all []setup) {
	for _, aggressive := range []bool{false, true} {
		for _, method := range methods {
			plain := setup{aggressive: aggressive, method: method}
			all = append(all, plain)
			for _, option := range []func(*setup){
				func(s *setup) { s.reliable = true; s.asks = true; s.pfs = true; s.dpd = true },
				func(s *setup) { s.commit = true; s.silent = true },
				func(s *setup) { s.fragments = ike.CiscoFragments; s.bundle = true; s.dos = true },
				func(s *setup) { s.fragments = ike.WindowsFragments; s.real = true; s.asks = true },
			} {
				one := plain
				option(&one)
				all = append(all, one)
			}
			all = append(all,
				setup{aggressive: aggressive, method: method, dialect: dialects[len(all)%6], where: placements()[len(all)%4], reliable: true},
				setup{aggressive: aggressive, method: method, dialect: ike.NATDraft02Newline, where: ike.NATPlacement{Initiator: true}, fragments: ike.CiscoFragments})
		}
	}
	return all
}

func TestSetupsWithoutFaults(t *testing.T) {
	for _, s := range setups() {
		least := s.phase1() + 7
		if s.dpd {
			least += 8 // four queries at least, each with its answer
		}
		require.GreaterOrEqual(t, len(s.messages(t)), least, s)
	}
}

// eachFault are all faults of a message, by what it is.
func eachFault(number int, message []byte) (all []fault) {
	for m := range mishaps {
		for detail := range m.details(message) {
			all = append(all, fault{number, m, detail})
		}
	}
	return all
}

// One of so many of the faults happens to a setup with options; each of a plain one.
var share = flag.Int("faults.share", 6, "TestEachFault has one of so many faults happen to setups with options")

// Every single fault, of every message, in every mode with every method.
func TestEachFault(t *testing.T) {
	const parts = 4
	all := setups()
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for i := part; i < len(all); i += parts {
				t.Run(all[i].String(), func(t *testing.T) { all[i].faultByFault(t, i) })
			}
		})
	}
}

func (s setup) faultByFault(t *testing.T, number int) {
	count, every := number, *share
	if s == (setup{aggressive: s.aggressive, method: s.method}) {
		every = 1
	}
	for k, message := range s.messages(t) {
		t.Run(fmt.Sprint("message ", k+1), func(t *testing.T) {
			for _, f := range eachFault(k+1, message) {
				if count++; count%every == 0 {
					served := newStory(t, s, 1).tell(f)
					require.True(t, served == 2 || f.maySpoil(s), "%s: %v: both requests are served all the same", s, f)
				}
			}
		})
	}
}
