package mux_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// newHourly is two hosts with main modes of an hour and pairs of eight.
func newHourly(t testing.TB) (n *network, a, b *host) {
	n, a, b = newPair(t)
	for _, h := range n.hosts {
		h.mainMode.Lifetime = time.Hour
		h.quickMode.Proposals[0].Lifetime.Duration = 8 * time.Hour
	}
	return n, a, b
}

// A main mode under which pairs live is replaced before it ends: the new one is
// there before the old one goes, and a request never waits.
func TestMainModeIsReplaced(t *testing.T) {
	n, a, b := newHourly(t)
	a.request(b)
	n.run(57 * time.Minute)
	require.Len(t, a.mux.MainModes(), 1)
	first := a.mux.MainModes()[0].Cookies
	n.run(time.Hour - 158*time.Second)
	require.Len(t, a.mux.MainModes(), 2, "159 s before the end there is another one")
	require.Len(t, b.mux.MainModes(), 2)
	before := len(n.sent)
	a.request(b)
	n.run(time.Hour - 157*time.Second)
	n.wantPairs("a request in between takes three messages", 2)
	require.Len(t, n.sent[before:], 3)
	require.Equal(t, 1, b.mux.MainModes()[1].QuickModes, "under the new one")
	n.run(time.Hour + time.Minute)
	for _, h := range n.hosts {
		require.Len(t, h.mux.MainModes(), 1, "the old one has expired")
		require.NotEqual(t, first, h.mux.MainModes()[0].Cookies)
		require.Equal(t, 1, count[ike.EventMainModeGone](h))
		require.Equal(t, 0, count[ike.EventDeleteSAs](h), "no pair is touched")
	}
	before = len(n.sent)
	b.request(a)
	n.run(time.Hour + 2*time.Minute)
	n.wantPairs("the responder uses it too", 3)
	require.Len(t, n.sent[before:], 3)

	n.run(12 * time.Hour)
	require.Empty(t, a.mux.MainModes(), "once no pair is left to want one, the last is let go")
	require.Equal(t, 10, count[ike.EventMainMode](a), "one for every hour less the margin, for as long as the last pair lived")
}

func TestMainModeIsNotReplaced(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(n *network, a, b *host)
		want   int // main modes in two hours
	}{
		{"by default it is", func(*network, *host, *host) {}, 2},
		{"when policy says so", func(_ *network, a, _ *host) { a.config.MainModeMargin = -1 }, 1},
		{"by the responder", func(_ *network, a, b *host) { a.config.MainModeMargin, b.config.MainModeMargin = -1, time.Minute }, 1},
		{"when no pair is left", func(_ *network, a, b *host) { a.quickMode.Proposals[0].Lifetime.Duration = 10 * time.Minute }, 1},
		{"when no rule concerns the peer any more", func(n *network, a, _ *host) {
			n.fate = func(int, ike.Datagram) []time.Duration {
				a.deaf = n.now.After(n.start.Add(time.Minute))
				return []time.Duration{n.latency}
			}
		}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, a, b := newHourly(t)
			row.change(n, a, b)
			a.reboot()
			b.reboot()
			a.request(b)
			n.run(10 * time.Second)
			a.deaf = row.name == "when no rule concerns the peer any more"
			n.run(100 * time.Minute)
			require.Equal(t, row.want, count[ike.EventMainMode](a))
			require.Empty(t, a.failed)
		})
	}
}

// Each side has started a main mode: only the one that ends last is replaced.
func TestTwoMainModesAreReplacedByOne(t *testing.T) {
	n, a, b := newHourly(t)
	a.request(b)
	b.request(a)
	n.run(10 * time.Minute)
	require.Len(t, a.mux.MainModes(), 2)
	n.run(70 * time.Minute)
	require.LessOrEqual(t, len(a.mux.MainModes()), 2)
	require.Equal(t, count[ike.EventMainMode](a), count[ike.EventMainMode](b))
	n.run(20 * time.Hour)
	require.LessOrEqual(t, count[ike.EventMainMode](a), 2*9)
	require.Empty(t, a.mux.MainModes())
}

// The peer does not answer the new main mode: the old one serves to its end.
func TestReplacementFails(t *testing.T) {
	n, a, b := newHourly(t)
	n.fate = func(k int, d ike.Datagram) []time.Duration {
		if k > 9 && exchangeOf(d) == payload.MainMode {
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(time.Hour - 30*time.Second)
	require.Len(t, a.mux.MainModes(), 1, "the schedule of the new one has ended")
	require.Empty(t, a.failed, "nobody asked for it")
	n.run(2 * time.Hour)
	require.Empty(t, a.mux.MainModes())
	n.fate = nil
	a.request(b)
	n.run(2*time.Hour + time.Second)
	n.wantPairs("the next request starts afresh", 2)
}

// The responder has shortened the lifetime: that is the one that counts.
func TestMarginOfAShortenedLifetime(t *testing.T) {
	n, a, b := newHourly(t)
	b.mainMode.Lifetime, b.config.ShortenMainMode = 20*time.Minute, true
	b.reboot()
	a.request(b)
	n.run(20*time.Minute - 155*time.Second)
	require.Len(t, a.mux.MainModes(), 2)
}

// A main mode that has encrypted most of what it may is replaced; one that is
// not replaced is deleted when it has encrypted all of it.
func TestMainModeKilobytes(t *testing.T) {
	for _, row := range []struct {
		name       string
		bound      func(a, b *host)
		offer, end string // where the bound stands
	}{
		{"both", func(a, b *host) { a.mainMode.Kilobytes, b.mainMode.Kilobytes = 2, 2 }, "2", ""},
		{"initiator", func(a, _ *host) { a.mainMode.Kilobytes = 2 }, "2", ""},
		{"responder", func(_, b *host) { b.mainMode.Kilobytes, b.config.ShortenMainMode = 2, true }, "28800", "RESPONDER-LIFETIME"},
		{"not replaced", func(a, b *host) { a.mainMode.Kilobytes, a.config.MainModeMargin = 2, -1 }, "2", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, a, b := newPair(t)
			row.bound(a, b)
			a.reboot()
			b.reboot()
			for i := range 30 {
				a.request(b)
				n.run(time.Duration(i+1) * time.Second)
			}
			n.wantPairs("every request is served", 30)
			require.Empty(t, a.failed)
			replaced := row.name != "not replaced"
			require.Equal(t, replaced, count[ike.EventMainModeGone](a) == 0, "one that is replaced needs not be deleted")
			require.InDelta(t, 6, count[ike.EventMainMode](a), 2, "a main mode is good for some five of them")
			require.Equal(t, row.end, field(last(a, "main mode", 6).Payloads, "Notification"))
			var durations []string
			for _, f := range traced[trace.IKEMessage](b)[0].Payloads[0].Fields[2].Fields[1].Fields {
				if f.Name == "Life Duration" {
					durations = append(durations, f.Value)
				}
			}
			require.Equal(t, row.offer, durations[len(durations)-1])
			before := len(n.sent)
			a.request(b)
			n.run(time.Minute)
			if replaced {
				require.Len(t, n.sent[before:], 3, "no request waits for a main mode")
			}
		})
	}
}

// Main modes that end under traffic of requests, of both kinds and from both sides, lose none.
func TestRequestsWhileMainModesComeAndGo(t *testing.T) {
	n, a, b := newPair(t)
	for _, h := range n.hosts {
		h.mainMode.Lifetime = 3 * time.Minute
		h.quickMode.Proposals[0].Lifetime = ipsec.Lifetime{Duration: 8 * time.Hour}
	}
	requests := 0
	for at := time.Duration(0); at < time.Hour; at += 7 * time.Second {
		n.run(at)
		if requests++; requests%3 == 0 {
			b.request(a)
		} else {
			a.request(b)
		}
	}
	n.run(61 * time.Minute)
	n.wantPairs("each request has its pair", requests)
	require.Empty(t, a.failed)
	require.Empty(t, b.failed)
}
