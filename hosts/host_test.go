package hosts_test

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// bench is two hosts on one segment, and everything that was seen of them.
type bench struct {
	*testing.T
	world      *sim.World
	segment    *sim.Segment
	log        *trace.Log
	alice, bob *hosts.Host
	frames     [][]byte
	capture    bytes.Buffer
}

var (
	aliceAddr = netip.MustParseAddr("10.0.0.1")
	bobAddr   = netip.MustParseAddr("10.0.0.2")
)

func newBench(t *testing.T, forAlice, forBob *policy.Policy, faults hosts.Faults) *bench {
	t.Helper()
	return newBenchAt(t, netip.PrefixFrom(aliceAddr, 24), netip.PrefixFrom(bobAddr, 24), forAlice, forBob, faults)
}

// newBench6 is newBench over IPv6.
func newBench6(t *testing.T, forAlice, forBob *policy.Policy) *bench {
	t.Helper()
	return newBenchAt(t, netip.PrefixFrom(alice6, 64), netip.PrefixFrom(bob6, 64), forAlice, forBob, hosts.Faults{})
}

func newBenchAt(t *testing.T, alice, bob netip.Prefix, forAlice, forBob *policy.Policy, faults hosts.Faults) *bench {
	t.Helper()
	return newBenchWith(t, alice, bob, func(c *hosts.Config) {
		if c.Policy = forBob; c.Name == "alice" {
			c.Policy, c.Faults = forAlice, faults
		}
	})
}

// newBenchNAT is newBenchAt with NAT traversal.
func newBenchNAT(t *testing.T, alice, bob netip.Prefix, forAlice, forBob *policy.Policy, ofAlice, ofBob ike.NATTraversal) *bench {
	t.Helper()
	return newBenchWith(t, alice, bob, func(c *hosts.Config) {
		if c.Policy, c.NAT = forBob, ofBob; c.Name == "alice" {
			c.Policy, c.NAT = forAlice, ofAlice
		}
	})
}

func newBenchWith(t *testing.T, alice, bob netip.Prefix, with func(*hosts.Config)) *bench {
	t.Helper()
	b := &bench{T: t, log: trace.New(nil)}
	var err error
	b.world, err = sim.New(sim.Config{Name: t.Name(), Seed: 1, Epoch: time.Unix(0, 0).UTC(), Trace: b.log, Capture: &b.capture})
	require.NoError(t, err)
	b.segment, err = b.world.NewSegment("lan", sim.SegmentConfig{Latency: time.Millisecond, MTU: 1500})
	require.NoError(t, err)
	b.world.Tap(func(f sim.Frame) { b.frames = append(b.frames, bytes.Clone(f.Data)) })
	host := func(name string, a netip.Prefix) *hosts.Host {
		c := hosts.Config{Name: name, Interfaces: []hosts.Interface{{Segment: b.segment, Prefixes: []netip.Prefix{a}}}}
		with(&c)
		h, err := hosts.New(b.world, c)
		require.NoError(t, err)
		return h
	}
	b.alice, b.bob = host("alice", alice), host("bob", bob)
	t.Cleanup(func() {
		require.NoError(t, b.world.Close())
		b.alice.Close()
		b.bob.Close()
	})
	return b
}

// on runs f as a coroutine of the host until it ends.
func (b *bench) on(h *hosts.Host, f func(p *sim.Proc)) {
	b.Helper()
	p := b.world.Go(h, "test", f)
	require.NoError(b, b.world.Run(context.Background(), 0, p.Done))
	require.True(b, p.Done(), "the world came to rest before the coroutine ended")
}

// protocols counts the IPv4 frames seen, by protocol.
func (b *bench) protocols() map[byte]int {
	n := map[byte]int{}
	for _, f := range b.frames {
		if len(f) > 34 && f[12] == 8 && f[13] == 0 {
			n[f[23]]++
		}
	}
	return n
}

func TestApplicationsInTheClear(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	udp, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 3, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result())
		require.Equal(t, 2*time.Millisecond, r.Latency[1], "one round trip over a link of 1 ms")
		r = b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 100_000, Response: 50_000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 2, Size: 5000, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
	})
	require.Equal(t, hosts.Seen{SYNs: 1, Connections: 1, Bytes: 100_000}, tcp.Seen())
	require.Equal(t, hosts.Seen{Datagrams: 2, Bytes: 10_000}, udp.Seen())
}

// Datagrams that grow, and several on their way at one time: the interval, not
// the round trip, says when the next is sent.
func TestDatagramsInFlight(t *testing.T) {
	for _, tc := range []struct {
		inFlight int
		took     time.Duration
	}{
		{0, 10 * 2 * time.Millisecond}, // each round trip of 2 ms is waited for
		{3, 4 * 2 * time.Millisecond},  // three in each of the first three round trips, and one more
		{100, 9*500*time.Microsecond + 2*time.Millisecond},
	} {
		b := newBench(t, nil, nil, hosts.Faults{})
		udp, err := b.bob.ServeUDP(7)
		require.NoError(t, err)
		b.on(b.alice, func(p *sim.Proc) {
			b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: time.Second}) // both have resolved the other's address
			start := p.Now()
			r := b.alice.SendDatagrams(p, hosts.Datagrams{
				To: netip.AddrPortFrom(bobAddr, 7), Count: 10, Size: 100, Grow: 7, InFlight: tc.inFlight, Interval: 500 * time.Microsecond, Timeout: time.Second,
			})
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
			require.Len(t, r.Latency, 10)
			require.Equal(t, tc.took, p.Now()-start, "%d in flight", tc.inFlight)
		})
		require.Equal(t, hosts.Seen{Datagrams: 10, Bytes: 10*100 + 7*45}, udp.Seen())
	}
}

// A client may keep its port from one connection to the next, as port scanners do.
func TestConnectionsFromOnePort(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	for _, port := range []uint16{80, 81} {
		_, err := b.bob.ServeTCP(port)
		require.NoError(t, err)
	}
	b.on(b.alice, func(p *sim.Proc) {
		for i, want := range []string{"ok", "ok", "refused"} {
			to := netip.AddrPortFrom(bobAddr, 80+uint16(i))
			r := b.alice.Call(p, hosts.Call{To: to, LocalPort: 88, Request: 10, Response: 10, Timeout: time.Minute})
			require.Equal(t, want, r.Result(), "%s: %v", to, r.Err)
		}
	})
}

func TestFailuresOfApplications(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 81), Request: 1, Response: 1, Timeout: time.Minute})
		require.Equal(t, "refused", r.Result(), "nobody listens: a reset answers")
		r = b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 9), Count: 1, Size: 10, Timeout: time.Second})
		require.Equal(t, "refused", r.Result(), "nobody listens: ICMP port unreachable answers")
		start := p.Now()
		r = b.alice.Ping(p, hosts.Ping{To: netip.MustParseAddr("10.0.0.77"), Count: 1, Size: 32, Timeout: 30 * time.Second})
		require.NotEqual(t, "ok", r.Result(), "nobody has the address")
		require.LessOrEqual(t, p.Now()-start, 30*time.Second)
		r = b.alice.Call(p, hosts.Call{To: netip.MustParseAddrPort("192.0.2.1:80"), Request: 1, Response: 1, Timeout: time.Minute})
		require.Equal(t, "unreachable", r.Result(), "no route")
	})
}
