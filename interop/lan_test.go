package interop

import (
	"bytes"
	"cmp"
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/sim"
)

var (
	aliceAddr = netip.MustParseAddr("10.0.0.1")
	bobAddr   = netip.MustParseAddr("10.0.0.2")
)

// lan is a segment with alice, who is virtual, and bob, who is real; it runs by the wall clock.
type lan struct {
	testing.TB
	world  *sim.World
	log    *trace.Log
	alice  *hosts.Host
	bob    scenarios.Peer
	ended  chan error
	frames [][]byte // on the loop
}

// newLAN starts bob by a driver.
func newLAN(t testing.TB, d *Driver, c scenarios.PeerConfig, forAlice *policy.Policy, nat ike.NATTraversal) *lan {
	l := &lan{TB: t, log: trace.New(nil), ended: make(chan error, 1)}
	var err error
	l.world, err = sim.New(sim.Config{Name: t.Name(), Seed: 1, Epoch: time.Now(), Trace: l.log})
	require.NoError(t, err)
	segment, err := l.world.NewSegment("lan", sim.SegmentConfig{MTU: 1500})
	require.NoError(t, err)
	l.world.Tap(func(f sim.Frame) { l.frames = append(l.frames, bytes.Clone(f.Data)) })
	l.alice, err = hosts.New(l.world, hosts.Config{
		Name: "alice", Policy: forAlice, NAT: nat,
		Interfaces: []hosts.Interface{{Segment: segment, Prefixes: []netip.Prefix{netip.PrefixFrom(aliceAddr, 24)}}},
	})
	require.NoError(t, err)
	_, err = l.alice.ServeTCP(80)
	require.NoError(t, err)
	_, err = l.alice.ServeUDP(7)
	require.NoError(t, err)

	mac := sim.MACFor("bob", "lan")
	port, err := segment.Attach(sim.PortConfig{Node: "bob", MAC: mac, Receive: func(f []byte) { l.bob.Send(0, f) }})
	require.NoError(t, err)
	c.Scenario, c.Name, c.Image = t.Name(), "bob", cmp.Or(c.Image, "strongswan-5.9")
	c.Interfaces = []scenarios.PeerInterface{{
		Segment: "lan", MAC: mac, MTU: 1500, Prefixes: []netip.Prefix{netip.PrefixFrom(bobAddr, 24)},
		Deliver: func(f []byte) { l.world.Inject(func() { port.Send(f, "") }) },
	}}
	c.Services = []scenarios.PeerService{{Protocol: ipsec.ProtoTCP, Port: 80}, {Protocol: ipsec.ProtoUDP, Port: 7}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	peers, err := d.Start(ctx, []scenarios.PeerConfig{c})
	require.NoError(t, err)
	l.bob = peers[0]
	run, stop := context.WithCancel(context.Background())
	go func() { l.ended <- l.world.RunWall(run, nil) }()
	t.Cleanup(func() {
		stop()
		<-l.ended
		require.NoError(t, l.world.Close())
		require.NoError(t, l.bob.Stop(context.Background()))
	})
	return l
}

// on runs f as a coroutine of alice, and waits.
func (l *lan) on(f func(*sim.Proc)) {
	done := make(chan struct{})
	l.world.Inject(func() {
		l.world.Go(l.alice, "test", func(p *sim.Proc) {
			defer close(done)
			f(p)
		})
	})
	<-done
}

// look runs f on the loop.
func (l *lan) look(f func()) {
	done := make(chan struct{})
	l.world.Inject(func() {
		defer close(done)
		f()
	})
	<-done
}

// protocols counts the frames with IPv4 by protocol.
func (l *lan) protocols() map[uint8]int {
	n := map[uint8]int{}
	l.look(func() {
		for _, f := range l.frames {
			if len(f) >= 34 && f[12] == 8 && f[13] == 0 {
				n[f[23]]++
			}
		}
	})
	return n
}

// requires is a policy that has everything with a peer protected.
func requires(peer netip.Addr, mode ipsec.Mode, t ...ipsec.Transform) *policy.Policy {
	action := policy.FilterAction{Name: "require", Kind: policy.Negotiate, Methods: []ipsec.Proposal{{
		Mode: ipsec.Transport, Transforms: t, Lifetime: ipsec.Lifetime{Duration: time.Hour},
	}}}
	auth := []policy.AuthMethod{{PreSharedKey: "a secret of both"}}
	p := &policy.Policy{Name: "require", MainMode: policy.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}}}
	filter := policy.Filter{Source: policy.Me(), Destination: policy.Host(peer), Mirrored: true}
	p.Rules = []policy.Rule{{Name: "peer", Filters: policy.FilterList{Name: "peer", Filters: []policy.Filter{filter}}, Action: action, Auth: auth}}
	if mode == ipsec.Tunnel {
		own := aliceAddr
		if peer == aliceAddr {
			own = bobAddr
		}
		p.Rules = []policy.Rule{
			{Name: "out", Tunnel: peer, Action: action, Auth: auth, Filters: policy.FilterList{Name: "out", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Host(peer)}}}},
			{Name: "in", Tunnel: own, Action: action, Auth: auth, Filters: policy.FilterList{Name: "in", Filters: []policy.Filter{{Source: policy.Host(peer), Destination: policy.Me()}}}},
		}
	}
	return p
}

var tripleDES = ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}
