package hosts_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

var _ = fmt.Sprint
var _ gopacket.Layer
var _ layers.IPv4
var _ net.IP
var _ netip.Addr

// ARP pending leak
func TestZARPPending(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		b.world.Go(b.alice, "pinger", func(p *sim.Proc) {
			b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: 5 * time.Second})
		})
		p.Sleep(500 * time.Microsecond)
		require.NoError(t, b.alice.AssignPolicy(require3DES(bobAddr, "secret")))
		p.Sleep(6*time.Second)
	})
	t.Log(b.protocols())
}

func TestZOwnLinkMTU(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	_, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	require.NoError(t, b.alice.Interfaces()[0].SetLink(sim.LinkConfig{MTU: 1000}))
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 100_000, Response: 50_000, Timeout: time.Minute})
		t.Log(r)
		r = b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 1200, Timeout: 5 * time.Second})
		t.Log(r)
	})
}

func TestZTinyMTU(t *testing.T) {
	for _, mtu := range []int{68, 80, 96, 100, 120} {
		w, err := sim.New(sim.Config{Name: t.Name(), Seed: 1, Epoch: time.Unix(0, 0).UTC(), Trace: trace.New(nil), InstantLimit: 100000})
		require.NoError(t, err)
		s, err := w.NewSegment("lan", sim.SegmentConfig{Latency: time.Millisecond, MTU: mtu})
		require.NoError(t, err)
		mk := func(name string, a, peer netip.Addr) *hosts.Host {
			h, err := hosts.New(w, hosts.Config{Name: name, Interfaces: []hosts.Interface{{Segment: s, Prefix: netip.PrefixFrom(a, 24)}}, Policy: require3DES(peer, "x")})
			require.NoError(t, err)
			return h
		}
		a, b := mk("alice", aliceAddr, bobAddr), mk("bob", bobAddr, aliceAddr)
		_, err = b.ServeTCP(80)
		require.NoError(t, err)
		pr := w.Go(a, "x", func(p *sim.Proc) {
			r := a.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 1200, Timeout: 5 * time.Second})
			t.Log(mtu, "ping", r)
			r = a.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 3000, Response: 50, Timeout: time.Minute})
			t.Log(mtu, "call", r)
		})
		st := time.Now()
		err = w.Run(context.Background(), 0, pr.Done)
		t.Log(mtu, err, time.Since(st), w.Frames(), w.Now())
		w.Close()
		a.Close(); b.Close()
	}
}
