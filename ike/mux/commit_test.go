package mux_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// newCommitted is two hosts, of which the second sets the commit bit as the responder.
func newCommitted(t testing.TB) (n *network, a, b *host) {
	n, a, b = newPair(t)
	b.config.Commit = true
	b.reboot()
	return n, a, b
}

func TestCommitBit(t *testing.T) {
	n, a, b := newCommitted(t)
	a.request(b)
	n.run(time.Second)
	n.wantPairs("CONNECTED completes the pair", 1)
	require.Equal(t, []string{"main mode 2", "main mode 4", "main mode 6", "quick mode 2", "informational 4"}, b.messages(true))
	require.Equal(t, b.messages(true), a.messages(false))
	require.Equal(t, "CONNECTED", field(last(a, "informational", 4).Payloads, "Notification"))
	require.Equal(t, last(a, "quick mode", 2).MessageID, last(a, "informational", 4).MessageID, "under the message ID of the quick mode")
	require.Equal(t, "commit bit set", last(a, "quick mode", 2).Note)
	require.Less(t, a.index(isInbound), a.index(isSAs), "the initiator's inbound SAs are there first")
	require.Equal(t, 1, count[ike.EventInbound](a))
	require.Empty(t, a.failed)
	require.Empty(t, traced[trace.Negotiation](a)[3].Reason)
}

func isInbound(e ike.Event) bool { _, ok := e.(ike.EventInbound); return ok }
func isSAs(e ike.Event) bool     { _, ok := e.(ike.EventSAs); return ok }

func (h *host) index(is func(ike.Event) bool) int { return slices.IndexFunc(h.events, is) }

// CONNECTED is lost: a copy of message 3 gets it again.
func TestConnectedIsLost(t *testing.T) {
	n, a, b := newCommitted(t)
	lost := 0
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.Informational && lost < 2 {
			lost++
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(2900 * time.Millisecond)
	require.Empty(t, a.out, "the initiator waits")
	require.Len(t, b.out, 1)
	n.run(4 * time.Second)
	n.wantPairs("the third copy arrives", 1)
	require.Equal(t, 2, lost)
}

// No CONNECTED at all: after a while the SAs are used without, and the trace says so.
func TestNoConnected(t *testing.T) {
	n, a, b := newCommitted(t)
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.Informational {
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(6 * time.Second)
	require.Empty(t, a.out)
	n.run(8 * time.Second)
	n.wantPairs("the wait is over", 1)
	require.Equal(t, "CONNECTED never came", traced[trace.Negotiation](a)[3].Reason)
	n.run(5 * time.Minute)
	_, waits := a.mux.NextDeadline()
	require.True(t, waits, "the main mode goes on")
	require.Len(t, a.mux.MainModes(), 1)
}

// Somebody on the way sets the bit, which no hash covers: it costs the initiator a wait, no more.
func TestForgedCommitBit(t *testing.T) {
	for _, x := range []payload.Exchange{payload.MainMode, payload.QuickMode} {
		n, a, b := newPair(t)
		n.alter = func(_ int, bs []byte) []byte {
			if payload.Exchange(bs[18]) == x {
				bs[19] |= byte(payload.Commit)
			}
			return bs
		}
		a.request(b)
		n.run(8 * time.Second)
		n.wantPairs("the pair is up after the wait", 1)
		require.Empty(t, a.failed)
	}
}

// With one quick mode per main mode, the responder deletes the main mode right after CONNECTED.
func TestCommitBitAndMasterKeyPFS(t *testing.T) {
	for lost := range 3 { // the informational message that is lost; 0: none
		n, a, b := newCommitted(t)
		b.mainMode.QuickModes = 1
		seen := 0
		n.fate = func(_ int, d ike.Datagram) []time.Duration {
			if exchangeOf(d) == payload.Informational {
				if seen++; seen == lost {
					return nil
				}
			}
			return []time.Duration{n.latency}
		}
		a.request(b)
		n.run(10 * time.Second)
		a.request(b)
		n.run(30 * time.Second)
		n.wantPairs("both requests are served", 2)
		require.Empty(t, a.failed)
	}
}
