package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/sim"
)

// What is sent to many is heard where somebody listens for it, and answered by nobody.
func TestAnnounce(t *testing.T) {
	group4, group6 := netip.MustParseAddr("239.1.2.3"), netip.MustParseAddr("ff02::4321")
	for _, c := range []struct {
		name  string
		bench *bench
		to    netip.Addr
		join  []netip.Addr
		heard int
		own   int
	}{
		{"group", newBench(t, nil, nil, hosts.Faults{}), group4, []netip.Addr{group4}, 3, 0},
		{"group that nobody has joined", newBench(t, nil, nil, hosts.Faults{}), group4, nil, 0, 0},
		{"subnet", newBench(t, nil, nil, hosts.Faults{}), netip.MustParseAddr("10.0.0.255"), nil, 3, 3},
		{"limited broadcast", newBench(t, nil, nil, hosts.Faults{}), netip.MustParseAddr("255.255.255.255"), nil, 3, 3},
		{"IPv6 group", newBench6(t, nil, nil), group6, []netip.Addr{group6}, 3, 0},
		{"IPv6 group that nobody has joined", newBench6(t, nil, nil), group6, nil, 0, 0},
	} {
		b := c.bench
		l, err := b.bob.ServeUDP(4001, c.join...)
		require.NoError(t, err, c.name)
		own, err := b.alice.ServeUDP(4001, c.join...)
		require.NoError(t, err, c.name)
		b.on(b.alice, func(p *sim.Proc) {
			err := b.alice.Announce(p, hosts.Announcement{
				To: netip.AddrPortFrom(c.to, 4001), Count: 3, Size: 100, Interval: time.Second,
			})
			require.NoError(t, err, c.name)
			p.Sleep(time.Second)
		})
		require.Equal(t, hosts.Seen{Datagrams: c.heard, Bytes: int64(100 * c.heard)}, l.Seen(), c.name)
		require.Equal(t, c.own, own.Seen().Datagrams, "%s: at the speaker", c.name)
		require.Len(t, b.frames, 3, "%s: nobody resolves an address, and nobody answers", c.name)
		if c.to.Is6() {
			src := netip.AddrFrom16([16]byte(b.frames[0][14+8:]))
			require.Equal(t, b.alice.Addrs()[0], src, "%s: not from the link-local address", c.name)
		}
	}
}

// A request with one hop to live crosses a segment, in either family.
func TestPingWithTTL(t *testing.T) {
	for _, c := range []struct {
		bench *bench
		to    netip.Addr
		ttl   int // where the byte stands in a frame
	}{{newBench(t, nil, nil, hosts.Faults{}), bobAddr, 14 + 8}, {newBench6(t, nil, nil), bob6, 14 + 7}} {
		b := c.bench
		b.on(b.alice, func(p *sim.Proc) {
			r := b.alice.Ping(p, hosts.Ping{To: c.to, Count: 1, TTL: 1, Timeout: time.Second})
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
		})
		request := b.frames[len(b.frames)-2]
		require.EqualValues(t, 1, request[c.ttl])
	}
}
