package mux_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// The initiator may send as soon as it has message 2: the responder's inbound SA
// is there before message 3 is, and the pair that follows holds the same one.
func TestResponderTakesTrafficFromMessage2On(t *testing.T) {
	n, a, b := newPair(t)
	lost := false
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.QuickMode && len(d.Payload) < 100 && !lost {
			lost = true // message 3, the first time
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(500 * time.Millisecond)
	require.Len(t, a.out, 1, "the initiator has its pair")
	require.Empty(t, b.in, "the responder waits for message 3")
	for id, out := range a.out {
		require.Contains(t, b.early, id, "and can open what the initiator sends")
		require.Equal(t, out.CipherKey, b.early[id].CipherKey)
	}
	require.Zero(t, count[ike.EventInbound](a), "the initiator needs no such thing")
	n.run(time.Minute)
	n.wantPairs("a copy of message 3 completes the pair", 1)
}

// A quick mode that fails takes its inbound SA back before the SPI is free again.
func TestInboundSAOfAFailedQuickModeIsTakenBack(t *testing.T) {
	n, a, b := newPair(t)
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.QuickMode && d.Local.Addr() == a.addr && len(d.Payload) < 100 {
			return nil // every message 3
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(10 * time.Second)
	require.Len(t, b.early, 1)
	n.run(5 * time.Minute)
	require.Empty(t, b.early)
	require.Empty(t, b.allocated)
	require.Equal(t, 1, count[ike.EventInboundGone](b))
	require.False(t, slices.ContainsFunc(b.events, func(e ike.Event) bool { _, ok := e.(ike.EventSAs); return ok }))
}
