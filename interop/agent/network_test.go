//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/control"
)

// join carries frames between an interface of one peer and one of another.
func join(a, b *peer) {
	go carry(a.wires[0], b.wires[0])
	go carry(b.wires[0], a.wires[0])
}

// setup is that of the n-th of several peers in 10.9.0.0/24 and fd09::/64.
func setup(n int, six bool) *control.Setup {
	i := control.Interface{Name: "eth0", MAC: fmt.Sprintf("02:00:00:00:09:%02x", n), MTU: 1500}
	i.Prefixes = append(i.Prefixes, netip.MustParsePrefix(fmt.Sprintf("10.9.0.%d/24", n)))
	if six {
		i.Prefixes = append(i.Prefixes, netip.MustParsePrefix(fmt.Sprintf("fd09::%d/64", n)))
	}
	return &control.Setup{
		Hostname: fmt.Sprintf("peer%d", n), Interfaces: []control.Interface{i},
		Routes:  []control.Route{{To: netip.MustParsePrefix("10.77.0.0/16"), Via: netip.AddrFrom4([4]byte{10, 9, 0, byte(3 - n)})}},
		Sysctls: map[string]string{"net/ipv4/ip_forward": "1"},
	}
}

// hasIPv6 reports whether the kernel has it.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

func TestSetup(t *testing.T) {
	p := inNamespace(t, 1)
	ctx := t.Context()
	for range 2 { // the same once more
		require.NoError(t, p.Setup(ctx, setup(1, hasIPv6())))
		require.Equal(t, "1\n", string(p.exec(t, "cat /proc/sys/net/ipv4/ip_forward").Output))
		require.Equal(t, "peer1\n", string(p.exec(t, "cat /proc/sys/kernel/hostname").Output))
		require.Equal(t, "02:00:00:00:09:01\n", string(p.exec(t, "cat /sys/class/net/eth0/address").Output))
		routes := string(p.exec(t, "cat /proc/net/route").Output)
		require.Contains(t, routes, "00004D0A\t0200090A", "10.77.0.0 via 10.9.0.2")
	}
	require.NoError(t, p.Setup(ctx, &control.Setup{}))
	require.NotContains(t, string(p.exec(t, "cat /proc/net/route").Output), "eth0", "what is not asked for is taken away")

	bad := func(want string, change func(*control.Setup)) {
		t.Helper()
		s := setup(1, false)
		change(s)
		require.ErrorContains(t, p.Setup(ctx, s), want)
	}
	bad("interface eth9", func(s *control.Setup) { s.Interfaces[0].Name = "eth9" })
	bad("interface ../..", func(s *control.Setup) { s.Interfaces[0].Name = "../.." })
	bad("invalid MAC", func(s *control.Setup) { s.Interfaces[0].MAC = "red" })
	bad("MTU 1", func(s *control.Setup) { s.Interfaces[0].MTU = 1 })
	bad("route to 10.77.0.0/16 via 192.0.2.1", func(s *control.Setup) { s.Routes[0].Via = netip.MustParseAddr("192.0.2.1") })
	bad("a route needs", func(s *control.Setup) { s.Routes[0].Via = netip.Addr{} })
	bad("the kernel has no setting net/no/such", func(s *control.Setup) { s.Sysctls["net/no/such"] = "1" })
	bad("the kernel has no setting", func(s *control.Setup) { s.Sysctls["../../etc/motd"] = "1" })
	require.NoError(t, p.Setup(ctx, setup(1, false)))
}

func TestTraffic(t *testing.T) {
	a, b := inNamespace(t, 1), inNamespace(t, 1)
	join(a, b)
	ctx := t.Context()
	require.NoError(t, a.Setup(ctx, setup(1, hasIPv6())))
	require.NoError(t, b.Setup(ctx, setup(2, hasIPv6())))
	for _, s := range []control.Serve{{Protocol: 6, Port: 80}, {Protocol: 17, Port: 7}, {Protocol: 253}} {
		require.NoError(t, b.Serve(ctx, s))
		require.NoError(t, b.Serve(ctx, s), "it goes on")
	}
	peers := []string{"10.9.0.2"}
	if hasIPv6() {
		peers = append(peers, "fd09::2")
	}
	const s = time.Second
	for n, to := range peers {
		to := netip.MustParseAddr(to)
		before := time.Now()
		r, err := a.Ping(ctx, &control.Ping{To: to, Count: 3, Size: 4000, Interval: 10 * time.Millisecond, Timeout: 5 * s})
		require.NoError(t, err)
		require.Equal(t, "ok", r.Result, r.Error)
		require.Equal(t, 3, r.Sent)
		require.Len(t, r.Latency, 3)
		require.Less(t, time.Since(before), 5*s)

		r, err = a.Call(ctx, &control.Call{To: netip.AddrPortFrom(to, 80), LocalPort: 2000 + uint16(n), Request: 100_000, Response: 300_000, Timeout: 5 * s, DSCP: 46})
		require.NoError(t, err)
		require.Equal(t, "ok", r.Result, r.Error)
		require.Positive(t, r.Latency[0])

		r, err = a.UDP(ctx, &control.UDP{To: netip.AddrPortFrom(to, 7), LocalPort: 3000, Count: 20, Size: 10, Grow: 200, InFlight: 5, Interval: time.Millisecond, Timeout: 5 * s, DSCP: 10})
		require.NoError(t, err)
		require.Equal(t, "ok", r.Result, r.Error)
		require.Equal(t, 20, r.Received)

		r, err = a.Call(ctx, &control.Call{To: netip.AddrPortFrom(to, 81), Timeout: 5 * s})
		require.NoError(t, err)
		require.Equal(t, "refused", r.Result, r.Error)
		r, err = a.UDP(ctx, &control.UDP{To: netip.AddrPortFrom(to, 9), Count: 1, Size: 10, Timeout: 5 * s})
		require.NoError(t, err)
		require.Equal(t, "refused", r.Result, r.Error)
		r, err = a.UDP(ctx, &control.UDP{To: netip.AddrPortFrom(to.Prev().Prev().Prev(), 9), Count: 1, Size: 10, Timeout: 100 * time.Millisecond})
		require.NoError(t, err)
		require.NotEqual(t, "ok", r.Result)
	}
	calls := len(peers)
	seen, err := b.Seen(ctx, control.Serve{Protocol: 6, Port: 80})
	require.NoError(t, err)
	require.Equal(t, &control.Seen{Connections: calls, Bytes: int64(calls) * 100_000}, seen)
	seen, err = b.Seen(ctx, control.Serve{Protocol: 17, Port: 7})
	require.NoError(t, err)
	require.Equal(t, 20*calls, seen.Datagrams)

	for what, to := range map[string]string{"timeout": "10.9.0.99", "unreachable": "192.0.2.1"} {
		to := netip.MustParseAddr(to)
		r, err := a.Ping(ctx, &control.Ping{To: to, Count: 2, Size: 56, Timeout: 200 * time.Millisecond})
		require.NoError(t, err)
		require.Equal(t, what, r.Result, r.Error)
		r, err = a.Call(ctx, &control.Call{To: netip.AddrPortFrom(to, 80), Timeout: 200 * time.Millisecond})
		require.NoError(t, err)
		require.Equal(t, what, r.Result, r.Error)
		r, err = a.UDP(ctx, &control.UDP{To: netip.AddrPortFrom(to, 7), Count: 1, Size: 10, Timeout: 200 * time.Millisecond})
		require.NoError(t, err)
		require.Equal(t, what, r.Result, r.Error)
	}

	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err = a.Ping(short, &control.Ping{To: netip.MustParseAddr("10.9.0.99"), Count: 100, Timeout: time.Hour})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	for _, bad := range []func() error{
		func() error { return b.Serve(ctx, control.Serve{Protocol: 6}) },
		func() error { return b.Serve(ctx, control.Serve{Protocol: 253, Port: 1}) },
		func() error { return b.Serve(ctx, control.Serve{}) },
		func() error { _, err := b.Seen(ctx, control.Serve{Protocol: 6, Port: 99}); return err },
		func() error { _, err := a.Ping(ctx, &control.Ping{}); return err },
		func() error {
			_, err := a.Ping(ctx, &control.Ping{To: netip.MustParseAddr("10.9.0.2"), Size: 1 << 20})
			return err
		},
		func() error {
			_, err := a.Ping(ctx, &control.Ping{To: netip.MustParseAddr("10.9.0.2"), TTL: 256})
			return err
		},
		func() error {
			_, err := a.UDP(ctx, &control.UDP{To: netip.MustParseAddrPort("10.9.0.2:7"), Count: 100, Grow: 1000})
			return err
		},
		func() error {
			_, err := a.UDP(ctx, &control.UDP{To: netip.MustParseAddrPort("10.9.0.2:7"), Count: 1, DSCP: 64})
			return err
		},
		func() error { _, err := a.Call(ctx, &control.Call{}); return err },
		func() error {
			_, err := a.Call(ctx, &control.Call{To: netip.MustParseAddrPort("10.9.0.2:80"), Request: -1})
			return err
		},
		func() error { _, err := a.Dial(ctx, "carrier-pigeon", "x"); return err },
	} {
		err := bad()
		var e *control.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, control.BadRequest, e.Kind, e.Text)
	}
}

// Frames over the socket reach the peer as those of a handed-over TAP do.
func TestFrames(t *testing.T) {
	a, b := start(t, 1, "container", "--frames"), start(t, 1, "container")
	join(a, b)
	ctx := t.Context()
	require.NoError(t, a.Setup(ctx, setup(1, false)))
	require.NoError(t, b.Setup(ctx, setup(2, false)))
	r, err := a.Ping(ctx, &control.Ping{To: netip.MustParseAddr("10.9.0.2"), Count: 3, Size: 1000, Timeout: 5 * time.Second})
	require.NoError(t, err)
	require.Equal(t, "ok", r.Result, r.Error)
}
