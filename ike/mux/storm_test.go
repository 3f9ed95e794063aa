package mux_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// All main modes of a gateway are to be replaced at the same moment, more than it takes
// at a time. Pairs of SAs outlive them in any case, and the next request starts
// a main mode anew; with a spread each has its successor in time.
func TestMainModesThatEndTogether(t *testing.T) {
	const peers, room = 40, 8
	for spread, survive := range map[time.Duration]int{0: room, 10 * time.Minute: peers} {
		c := newCrowd(t, peers)
		c.gateway.config.MaxHalfOpen = room
		c.gateway.reboot()
		for _, p := range c.peers {
			p.config.MainModeSpread = spread
			p.reboot()
		}
		c.askToEndAtOnce(room)
		c.run(10 * time.Minute)
		require.Len(t, established(c.gateway), peers)
		require.Len(t, c.gateway.in, peers)
		c.run(55 * time.Minute)
		require.Len(t, established(c.gateway), survive, "spread %v", spread)
		require.Len(t, c.gateway.in, peers, "no pair ends with its main mode")
		for _, p := range c.peers {
			require.Empty(t, p.failed)
		}
		c.ask(time.Minute)
		c.run(2 * time.Minute)
		require.Len(t, established(c.gateway), peers, "the next request starts one")
		require.Len(t, c.gateway.in, 2*peers)
	}
}

// What is found by the peer's address is found however many peers there are: each
// of the many has one main mode, and ends what is its own.
func TestCrowd(t *testing.T) {
	c := newCrowd(t, 300)
	c.ask(10 * time.Second)
	c.run(time.Minute)
	require.Len(t, established(c.gateway), 300)
	for i, p := range c.peers {
		require.Len(t, p.in, 1)
		if i%2 == 0 {
			p.mux.Shutdown(c.n.now)
			c.settle(p)
		}
	}
	c.run(10 * time.Minute)
	left := established(c.gateway)
	require.Len(t, left, 150)
	for i, m := range left {
		require.Equal(t, c.peers[2*i+1].addr, m.Remote, "oldest first")
	}
	for _, p := range c.peers {
		c.gateway.mux.DeletePeer(c.n.now, p.addr)
	}
	c.settle(c.gateway)
	c.run(10 * time.Minute)
	require.Zero(t, c.gateway.mux.Statistics().ISADBListSize)
	for _, p := range c.peers {
		require.Empty(t, p.mux.MainModes())
	}
}
