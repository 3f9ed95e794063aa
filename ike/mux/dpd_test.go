package mux_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
)

// A peer that falls silent loses its main modes and pairs, and the next request starts anew.
func TestDeadPeer(t *testing.T) {
	n, a, b := newPair(t)
	var in, out time.Time
	for _, h := range n.hosts {
		h.config.DPD = ike.DPD{Enabled: true}
	}
	a.config.DPD.Idle = 20 * time.Second
	a.config.Traffic = func(remote netip.AddrPort) (time.Time, time.Time) {
		require.Equal(t, b.addr, remote.Addr())
		return in, out
	}
	a.reboot()
	b.reboot()
	a.request(b)
	n.run(time.Second)
	b.request(a) // a second main mode does not come of it, a second pair does
	n.run(2 * time.Second)
	n.wantPairs("two", 2)

	in, out = n.now, n.now.Add(time.Second)
	n.run(30 * time.Second)
	require.Len(t, a.mux.MainModes(), 1, "b has answered")
	asked := len(n.sent)
	require.Equal(t, 6+3+3+2, asked)

	b.deaf = true
	b.reboot()
	in, out = n.now, n.now.Add(time.Second)
	n.run(59 * time.Second)
	require.Len(t, a.mux.MainModes(), 1)
	n.run(70 * time.Second)
	require.Empty(t, a.mux.MainModes())
	require.Empty(t, a.in, "pairs go with it")
	require.Empty(t, a.out)
	require.Contains(t, a.negotiations(), "main mode deleted")
	require.Equal(t, asked+5, len(n.sent), "five times, and no Delete")

	b.deaf = false
	a.request(b)
	n.run(71 * time.Second)
	n.wantPairs("anew", 1)
}

// The latest of several main modes asks. All of them end, and those with others do not.
func TestDeadPeerOfSeveral(t *testing.T) {
	n, a, b := newPair(t)
	c := n.add("c", "10.0.0.3", 3)
	for _, h := range n.hosts {
		h.config.DPD = ike.DPD{Enabled: true}
	}
	start := n.now
	a.config.DPD.Idle = 20 * time.Second
	a.config.Traffic = func(remote netip.AddrPort) (in, out time.Time) {
		if remote.Addr() == b.addr {
			return start, start.Add(5 * time.Second)
		}
		return start, start
	}
	for _, h := range n.hosts {
		h.reboot()
	}
	a.request(c)
	a.request(b)
	b.request(a) // at the same time
	n.run(2 * time.Second)
	require.Len(t, a.mux.MainModes(), 3)
	sent := len(n.sent)
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if d.Remote.Addr() == b.addr || d.Local.Addr() == b.addr {
			return nil
		}
		return []time.Duration{n.latency}
	}
	n.run(40 * time.Second)
	require.Equal(t, sent+5, len(n.sent), "one main mode asks")
	for _, sa := range a.mux.MainModes() {
		require.Equal(t, c.addr, sa.Remote)
	}
	require.Len(t, a.in, 1)
}
