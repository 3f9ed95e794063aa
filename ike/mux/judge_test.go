package mux_test

import (
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What must come of a negotiation, whatever happened on the way.

// wantOneEnd expects the two sides at the same end: SAs of both that agree, or none.
// An SA that the other side does not have any more is one that it lost in a restart, or
// of which the end could not be told, or the word of it may have been lost.
func (n *network) wantOneEnd(sentence string, wordLost bool) {
	n.t.Helper()
	n.wantMirrored(sentence, func(h, other *host, out ipsec.SAParams) {
		end, had := other.gone[idOf(out)]
		require.True(n.t, had, "%s: %s sends under %v, which %s never had", sentence, h.name, idOf(out), other.name)
		require.True(n.t, !end.told || wordLost || end.why == "restart", "%s: %s sends under %v; %s ended it, and could say so: %+v", sentence, h.name, idOf(out), other.name, end)
	})
}

// wantAnswered expects one answer to each request, a failure with a code and words.
func (h *host) wantAnswered(sentence string) {
	h.n.t.Helper()
	answers := map[uint64]int{}
	for _, e := range h.events {
		switch e := e.(type) {
		case ike.EventSAs:
			if e.RequestID != 0 {
				answers[e.RequestID]++
			}
		case ike.EventFailed:
			answers[e.RequestID]++
			h.wantReason(sentence, e.Err)
		}
	}
	for id := uint64(1); id <= h.requests; id++ {
		if id <= h.forgotten && answers[id] == 0 {
			continue
		}
		require.Equal(h.n.t, 1, answers[id], "%s: answers to request %d of %s", sentence, id, h.name)
	}
}

func (h *host) wantReason(sentence string, err error) {
	h.n.t.Helper()
	_, own := errors.AsType[*ike.Error](err)
	_, peers := errors.AsType[*ike.PeerError](err)
	require.True(h.n.t, own || peers, "%s: %s failed with a code: %v", sentence, h.name, err)
	require.NotZero(h.n.t, ike.CodeOf(err), sentence)
	require.NotEmpty(h.n.t, ike.ReasonOf(err), sentence)
}

// wantBounded expects a host to keep and to say no more than there was reason to.
func (h *host) wantBounded(sentence string, requests int) {
	h.n.t.Helper()
	require.LessOrEqual(h.n.t, len(h.mux.MainModes()), 10*requests, "%s: main modes of %s", sentence, h.name)
	require.LessOrEqual(h.n.t, len(h.allocated), 10*requests, "%s: SPIs of %s", sentence, h.name)
}

// wantNothingLeft expects nothing after all lifetimes: no SA, no SPI, no main mode, finished or not, no request, no timer.
func (n *network) wantNothingLeft(sentence string) {
	n.t.Helper()
	n.run(n.now.Sub(n.start) + 24*time.Hour)
	for _, h := range n.hosts {
		require.Empty(n.t, h.in, "%s: inbound SAs of %s after all lifetimes", sentence, h.name)
		require.Empty(n.t, h.out, "%s: outbound SAs of %s after all lifetimes", sentence, h.name)
		require.Empty(n.t, h.early, "%s: early SAs of %s after all lifetimes", sentence, h.name)
		require.Empty(n.t, h.allocated, "%s: SPIs of %s after all lifetimes", sentence, h.name)
		require.Empty(n.t, h.mux.MainModes(), "%s: main modes of %s after all lifetimes", sentence, h.name)
		_, waits := h.mux.NextDeadline()
		require.False(n.t, waits, "%s: %s waits for nothing", sentence, h.name)
		s := h.mux.Statistics()
		require.Zero(n.t, s.ActiveAcquire, "%s: requests of %s", sentence, h.name)
		require.Zero(n.t, s.ISADBListSize, "%s: ISAKMP SAs of %s, finished or not", sentence, h.name)
		require.Zero(n.t, s.ConnectionListSize, "%s: exchanges of %s", sentence, h.name)
	}
}
