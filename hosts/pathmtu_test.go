package hosts

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Errors about packets to ever more destinations do not grow the table without end,
// and old estimates make room for new ones.
func TestPathMTUsAreBounded(t *testing.T) {
	var p pathMTUs
	now := time.Unix(0, 0)
	dst := func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)}) }
	for i := range maxPaths + 1 {
		p.learn(now, dst(i), 1400)
	}
	require.Len(t, p.byDst, maxPaths)
	require.Equal(t, 1400, p.mtu(now, dst(maxPaths-1), 1500))
	require.Equal(t, 1500, p.mtu(now, dst(maxPaths), 1500), "no room")
	p.learn(now, dst(0), 1300)
	require.Equal(t, 1300, p.mtu(now, dst(0), 1500), "what is known may change")
	now = now.Add(pathMTUAge)
	p.learn(now, dst(maxPaths), 1400)
	require.Equal(t, 1400, p.mtu(now, dst(maxPaths), 1500))
	require.Len(t, p.byDst, 1)
}
