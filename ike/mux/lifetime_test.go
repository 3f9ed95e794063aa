package mux_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func TestMainModeExpires(t *testing.T) {
	n, a, b := newPair(t)
	a.config.MainModeMargin = -1
	a.reboot()
	a.mainMode.Lifetime, b.mainMode.Lifetime = time.Hour, time.Hour
	a.quickMode.Proposals[0].Lifetime.Duration = 8 * time.Hour
	b.quickMode.Proposals[0].Lifetime.Duration = 8 * time.Hour
	a.request(b)
	n.run(59 * time.Minute)
	require.Len(t, a.mux.MainModes(), 1)
	n.run(61 * time.Minute)
	require.Empty(t, a.mux.MainModes(), "an hour has passed")
	require.Empty(t, b.mux.MainModes())
	require.Equal(t, 1, count[ike.EventMainModeGone](a))
	require.Equal(t, 1, count[ike.EventMainModeGone](b))
	require.Contains(t, b.negotiations(), "main mode expired", "b was done first and told a")
	require.Contains(t, a.negotiations(), "main mode deleted")
	n.wantPairs("IPsec SAs outlive their main mode", 1)

	first := len(n.sent)
	b.request(a)
	n.run(62 * time.Minute)
	n.wantPairs("a new main mode serves the next request", 2)
	require.Len(t, n.sent[first:], 9)
}

// The responder of a main mode takes what is offered, or keeps to its own
// lifetime and says so. An offer that is shorter already needs no word.
func TestMainModeLifetimeOfTheResponder(t *testing.T) {
	const short, long = 10 * time.Minute, 8 * time.Hour
	for _, row := range []struct {
		shorten            bool
		offer, own, agreed time.Duration
		told               string // seconds; "": nothing
	}{
		{false, long, short, long, ""},
		{false, short, long, short, ""},
		{true, long, short, short, "600"},
		{true, short, long, short, ""},
	} {
		n, a, b := newPair(t)
		a.mainMode.Lifetime, b.mainMode.Lifetime, b.config.ShortenMainMode = row.offer, row.own, row.shorten
		b.reboot()
		a.request(b)
		n.run(time.Second)
		require.Equal(t, row.told != "", field(last(a, "main mode", 6).Payloads, "Notification") == "RESPONDER-LIFETIME")
		require.Equal(t, row.told, field(last(a, "main mode", 6).Payloads, "Notification", "Life Duration"))
		for _, h := range n.hosts {
			require.Equal(t, row.agreed, h.mux.MainModes()[0].Expires.Sub(n.start).Truncate(time.Second), "%+v: %s", row, h.name)
		}
	}
}

func TestQuickModeLifetimes(t *testing.T) {
	life := func(d time.Duration, kB uint64) ipsec.Lifetime { return ipsec.Lifetime{Duration: d, Kilobytes: kB} }
	for _, row := range []struct {
		name               string
		offer, own, agreed ipsec.Lifetime
		notify             bool
	}{
		{"equal", life(time.Hour, 100), life(time.Hour, 100), life(time.Hour, 100), false},
		{"responder's is longer", life(time.Hour, 100), life(2*time.Hour, 200), life(time.Hour, 100), false},
		{"responder's is shorter", life(time.Hour, 100), life(time.Minute, 50), life(time.Minute, 50), true},
		{"responder's kilobytes alone are shorter", life(time.Hour, 100), life(time.Hour, 50), life(time.Hour, 50), true},
		{"nothing offered: 28,800 s", life(0, 0), life(0, 0), life(8*time.Hour, 0), false},
		{"responder bounds what the offer does not", life(0, 0), life(time.Hour, 70), life(time.Hour, 70), true},
		{"a fraction of a second is rounded up", life(1500*time.Millisecond, 0), life(time.Hour, 0), life(2*time.Second, 0), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, a, b := newPair(t)
			pa, pb := proposal(des3), proposal(des3)
			pa.Lifetime, pb.Lifetime = row.offer, row.own
			a.quickMode.Proposals, b.quickMode.Proposals = []ipsec.Proposal{pa}, []ipsec.Proposal{pb}
			a.request(b)
			n.run(time.Second)
			n.wantPairs("lifetimes do not prevent a pair", 1)
			for _, sa := range a.in {
				require.Equal(t, row.agreed, sa.Lifetime)
			}
			notify := field(last(a, "quick mode", 2).Payloads, "Notification")
			require.Equal(t, row.notify, notify == "RESPONDER-LIFETIME", notify)
		})
	}
}
