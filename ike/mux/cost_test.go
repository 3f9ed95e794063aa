package mux_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Bounds of what a negotiation and a main mode take: a test of processor time would
// hang on what else the machine does. The first hangs on nothing; the second is
// the heap of a gateway, which has no room for what is over.
func TestCost(t *testing.T) {
	n, x, y := newPair(t)
	for _, h := range n.hosts {
		h.config.Trace = nil
	}
	allocations := testing.AllocsPerRun(20, func() {
		x.reboot()
		y.reboot()
		x.request(y)
		n.run(n.now.Sub(n.start) + time.Second)
		require.Len(t, x.in, 1)
		n.sent, x.events, y.events = nil, nil, nil
	})
	require.Less(t, allocations, 1030.0, "allocations of a main mode and a quick mode, both ends")

	const peers = 300
	start := heapOf(newCrowd(t, 0))
	c := newCrowd(t, peers)
	c.gateway.refuses = true
	c.ask(time.Minute)
	c.run(12 * time.Minute)
	require.Len(t, established(c.gateway), peers)
	c.peers, c.n.hosts, c.next = nil, nil, nil
	clear(c.at)
	require.Less(t, (heapOf(c)-start)/peers, 6000, "bytes of the gateway for each main mode")
}

// heapOf are the bytes in use, of v and everything else.
func heapOf(v any) int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // and what has waited for the first one
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(v)
	return int(m.HeapAlloc)
}
