package mux_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// newProtected is a pair whose second host is in denial of service protection mode.
func newProtected(t testing.TB) (n *network, a, b *host) {
	n, a, b = newPair(t)
	b.config.DoSProtection = true
	b.reboot()
	return n, a, b
}

// The messages of MS-IKEE, 3.9: message 1, the cookie, message 1 with it, and then all as ever.
func TestDoSProtection(t *testing.T) {
	n, a, b := newProtected(t)
	a.request(b)
	n.run(time.Second)
	n.wantPairs("it comes to a pair", 1)
	require.Len(t, n.sent, 11, "two more than else")

	first, told, again, second := n.sent[0].Payload, n.sent[1].Payload, n.sent[2].Payload, n.sent[3].Payload
	h, err := payload.ParseHeader(told)
	require.NoError(t, err)
	require.Equal(t, payload.Informational, h.Exchange)
	require.Equal(t, first[:8], h.CookieI[:])
	require.Zero(t, h.CookieR)
	require.NotZero(t, h.MessageID)
	chain, rest, err := payload.Parse(h.Next, told[payload.HeaderLen:])
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Len(t, chain, 1, "the message consists of a header and a Notify payload")
	notify := chain[0].Payload.(payload.Notify)
	require.EqualValues(t, 0x9c44, notify.NotifyType)
	require.Len(t, notify.Data, 8)
	require.Less(t, len(told), len(first), "the answer is no amplification")

	want := bytes.Clone(first)
	copy(want[8:16], notify.Data)
	require.Equal(t, want, again, "message 1 but for the cookie")
	require.Equal(t, notify.Data, second[8:16], "of which it is the cookie of the main mode")
	require.Equal(t, [8]byte(notify.Data), b.mux.MainModes()[0].Cookies.Responder)
}

// Nothing is kept of first messages, however many, and none is answered with more than came.
func TestDoSProtectionKeepsNothing(t *testing.T) {
	n, a, b := newProtected(t)
	in, out := 0, 0
	for i := range uint64(5000) {
		n.open(b, forged(i), i+1)
		in += len(message(payload.MainMode, i+1, 0, 0, 0, offer(t, b)))
	}
	for _, d := range n.sent {
		out += len(d.Payload)
	}
	require.Zero(t, b.mux.Statistics().ISADBListSize)
	_, waits := b.mux.NextDeadline()
	require.False(t, waits)
	require.Less(t, out, in)
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a genuine peer gets through, whatever its distance", 1)
}

// What is not message 1 with the right cookie starts nothing.
func TestDoSCookieHasToBeRight(t *testing.T) {
	n, a, b := newProtected(t)
	n.fate = func(k int, _ ike.Datagram) []time.Duration {
		if k > 2 {
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(100 * time.Millisecond)
	good := n.sent[2].Payload
	for _, row := range []struct {
		name, from string
		change     func([]byte)
		answer     bool
	}{
		{"another cookie", "10.0.0.1:500", func(b []byte) { b[15] ^= 1 }, true},
		{"of another main mode", "10.0.0.1:500", func(b []byte) { b[7] ^= 1 }, true},
		{"from another address", "10.0.0.9:500", func([]byte) {}, true},
		{"from another port", "10.0.0.1:501", func([]byte) {}, true},
		{"none", "10.0.0.1:500", func(b []byte) { clear(b[8:16]) }, true},
		{"not sound", "10.0.0.1:500", func(b []byte) { clear(b[8:16]); b[payload.HeaderLen+2] = 0xff }, false},
		{"the right one", "10.0.0.1:500", func([]byte) {}, true},
	} {
		before := len(n.sent)
		msg := bytes.Clone(good)
		row.change(msg)
		b.mux.HandleDatagram(n.now, from(b, row.from, msg))
		b.drain()
		require.Equal(t, row.name == "the right one", len(b.mux.MainModes()) == 1, row.name)
		require.Equal(t, row.answer, len(n.sent) == before+1, row.name)
	}

	before := len(n.sent)
	b.mux.HandleDatagram(n.now, from(b, "10.0.0.1:500", good))
	b.drain()
	require.Equal(t, n.sent[before-1].Payload, n.sent[before].Payload, "a copy gets the stored answer")
}

// Cookies are of no use long after they were given out.
func TestDoSCookieAges(t *testing.T) {
	for _, row := range []struct {
		after time.Duration
		good  bool
	}{{time.Minute, true}, {3 * time.Minute, true}, {5 * time.Minute, false}, {time.Hour, false}} {
		n, a, b := newProtected(t)
		n.fate = func(k int, _ ike.Datagram) []time.Duration {
			if k > 2 {
				return nil
			}
			return []time.Duration{n.latency}
		}
		a.request(b)
		n.run(row.after)
		b.mux.HandleDatagram(n.now, from(b, "10.0.0.1:500", n.sent[2].Payload))
		b.drain()
		require.Equal(t, row.good, len(b.mux.MainModes()) == 1, "after %v", row.after)
	}
}

// Each message may be lost: the one with the cookie is repeated, and a plain copy gets the cookie again.
func TestDoSProtectionUnderLoss(t *testing.T) {
	for _, silent := range []bool{false, true} {
		for lost := 1; lost <= 5; lost++ {
			n, a, b := newProtected(t)
			b.config.SilentResponder = silent
			b.reboot()
			n.fate = func(k int, _ ike.Datagram) []time.Duration {
				if k == lost {
					return nil
				}
				return []time.Duration{n.latency}
			}
			a.request(b)
			n.run(5 * time.Second)
			n.wantPairs("it comes to a pair", 1)
			require.Len(t, traced[trace.IKEKeys](b), 1, "of one main mode")
		}
	}
}

// A peer that does not know the notification, and one that is told cookies without end.
func TestDoSCookieAtTheInitiator(t *testing.T) {
	n, a, b := newProtected(t)
	a.config.NoDoSCookie = true
	a.reboot()
	a.request(b)
	n.run(2 * time.Minute)
	a.wantFailure("it is not answered", "no response to message 1", ike.CodeNoResponse)
	require.Len(t, n.sent, 14, "seven messages and seven cookies")

	n, a, _ = newPair(t)
	n.fate = func(int, ike.Datagram) []time.Duration { return nil }
	a.request(n.hosts[1])
	ci := n.sent[0].Payload[:8]
	tell := func(mid uint32, ps ...payload.Payload) {
		msg := message(payload.Informational, 0, 0, mid, 0, ps...)
		copy(msg, ci)
		a.mux.HandleDatagram(n.now, from(a, "10.0.0.2:500", msg))
		a.drain()
	}
	told := payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyMSDoSCookie, Data: make([]byte, 8)}
	tell(1, told)
	require.Len(t, n.sent, 1, "a cookie of zero is none")
	told.Data = []byte("cookie.")
	tell(2, told)
	require.Len(t, n.sent, 1, "nor is one of seven bytes")
	told.Data = []byte("a cookie")
	tell(3, told, told)
	require.Len(t, n.sent, 1, "nor two at once")
	for i := range uint32(100) {
		tell(4+i, told)
	}
	require.Len(t, n.sent, 4, "three are sent back")
}
