package hosts_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

var (
	bobInside  = netip.MustParseAddr("10.9.0.1")
	insideNet  = netip.MustParsePrefix("10.9.0.0/24")
	nobodyHere = netip.MustParseAddr("10.9.0.77")
)

// tunnelRule is a rule for one direction of a tunnel.
func tunnelRule(name string, src, dst policy.Address, end netip.Addr, seconds time.Duration) policy.Rule {
	return policy.Rule{
		Name: name, Tunnel: end,
		Filters: policy.FilterList{Name: name, Filters: []policy.Filter{{Source: src, Destination: dst}}},
		Action: policy.FilterAction{Name: "require", Kind: policy.Negotiate, Methods: []ipsec.Proposal{{
			Mode:       ipsec.Transport,
			Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}},
			Lifetime:   ipsec.Lifetime{Duration: seconds},
		}}},
		Auth: []policy.AuthMethod{{PreSharedKey: "secret"}},
	}
}

func tunnelPolicy(rules ...policy.Rule) *policy.Policy {
	return &policy.Policy{
		Name: "p", MainMode: policy.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}}, Rules: rules,
	}
}

// tunnelBench is alice and bob on one segment; bob has an address on another one, the
// network inside, to which alice has no way but a gateway that does not exist.
func tunnelBench(t *testing.T, forAlice, forBob *policy.Policy) *bench {
	t.Helper()
	b := &bench{T: t, log: trace.New(nil)}
	var err error
	b.world, err = sim.New(sim.Config{Name: t.Name(), Seed: 1, Epoch: time.Unix(0, 0).UTC(), Trace: b.log, Capture: &b.capture})
	require.NoError(t, err)
	b.segment, err = b.world.NewSegment("lan", sim.SegmentConfig{Latency: time.Millisecond, MTU: 1500})
	require.NoError(t, err)
	inside, err := b.world.NewSegment("inside", sim.SegmentConfig{MTU: 1500})
	require.NoError(t, err)
	b.world.Tap(func(f sim.Frame) { b.frames = append(b.frames, bytes.Clone(f.Data)) })
	on := func(s *sim.Segment, a netip.Addr) hosts.Interface {
		return hosts.Interface{Segment: s, Prefixes: []netip.Prefix{netip.PrefixFrom(a, 24)}}
	}
	everywhere := netip.MustParsePrefix("0.0.0.0/0")
	b.alice, err = hosts.New(b.world, hosts.Config{
		Name: "alice", Policy: forAlice, Interfaces: []hosts.Interface{on(b.segment, aliceAddr)},
		Routes: []hosts.Route{{To: everywhere, Via: netip.MustParseAddr("10.0.0.254")}},
	})
	require.NoError(t, err)
	b.bob, err = hosts.New(b.world, hosts.Config{
		Name: "bob", Policy: forBob, Interfaces: []hosts.Interface{on(b.segment, bobAddr), on(inside, bobInside)},
		Routes: []hosts.Route{{To: everywhere, Via: netip.MustParseAddr("10.9.0.254")}},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.world.Close())
		b.alice.Close()
		b.bob.Close()
	})
	return b
}

// insidePolicies are the two rules of either side for what alice sends to the network inside.
func insidePolicies(life time.Duration) (alice, bob *policy.Policy) {
	there, back := policy.Subnet(insideNet), policy.Host(aliceAddr)
	return tunnelPolicy(tunnelRule("out", policy.Me(), there, bobAddr, life), tunnelRule("back", there, policy.Me(), aliceAddr, life)),
		tunnelPolicy(tunnelRule("out", there, back, aliceAddr, life), tunnelRule("back", back, there, bobAddr, life))
}

// The inner addresses are nowhere on the wire, and no gateway is asked for: the packet
// goes to the far end, and arrives at the interface that has its address (claim C085).
func TestTunnelHidesTheInnerHeader(t *testing.T) {
	forAlice, forBob := insidePolicies(time.Hour)
	b := tunnelBench(t, forAlice, forBob)
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobInside, Count: 2, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.Ping(p, hosts.Ping{To: bobInside, Count: 1, Size: 20_000, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "fragments of the datagram outside: %v", r.Err)
		r = b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobInside, 80), Request: 100_000, Response: 10, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
	})
	require.Equal(t, hosts.Seen{SYNs: 1, Connections: 1, Bytes: 100_000}, tcp.Seen())
	n := b.protocols()
	require.Equal(t, 9, n[17], "UDP: main mode and quick mode")
	require.Zero(t, n[1]+n[6], "nothing in the clear")
	for i, f := range b.frames {
		require.False(t, bytes.Contains(f, bobInside.AsSlice()), "frame %d shows the inner address", i+1)
		require.False(t, bytes.Contains(f, []byte{10, 0, 0, 254}), "frame %d asks for the gateway", i+1)
	}
	for _, sa := range slices.Concat(b.alice.SAs(), b.bob.SAs()) {
		require.Equal(t, ipsec.Tunnel, sa.Mode)
		rule := "p/out"
		if sa.Direction == ipsec.Inbound {
			rule = "p/back"
		}
		require.Equal(t, rule, sa.Rule)
	}
}

// Before its lifetime ends a pair is replaced, no packet is lost, and when bob drops
// his SAs alice hears of it; bob then starts the negotiation himself.
func TestTunnelRekeysAndIsDeleted(t *testing.T) {
	forAlice, forBob := insidePolicies(300 * time.Second)
	b := tunnelBench(t, forAlice, forBob)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobInside, Count: 400, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result())
		require.Equal(t, 400, r.Received)
		require.NotEmpty(t, b.alice.SAs())
		require.NoError(t, b.bob.AssignPolicy(forBob))
		p.Sleep(time.Second)
		require.Empty(t, b.alice.SAs())
	})
	require.EqualValues(t, 1, b.alice.Counters().Rekeys)
}

// Both ends may begin at the same time, and each takes what the other offers.
func TestTunnelBetweenTheEndsThemselves(t *testing.T) {
	policyFor := func(me, peer netip.Addr) *policy.Policy {
		return tunnelPolicy(tunnelRule("out", policy.Me(), policy.Host(peer), peer, time.Hour), tunnelRule("back", policy.Host(peer), policy.Me(), me, time.Hour))
	}
	b := newBench(t, policyFor(aliceAddr, bobAddr), policyFor(bobAddr, aliceAddr), hosts.Faults{})
	_, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.bob, func(p *sim.Proc) {
		other := b.world.Go(b.alice, "alice", func(p *sim.Proc) {
			r := b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 3, Size: 5000, Interval: time.Second, Timeout: time.Second})
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
		})
		r := b.bob.Ping(p, hosts.Ping{To: aliceAddr, Count: 3, Size: 1472, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		for !other.Done() {
			p.Sleep(time.Second)
		}
	})
	require.Zero(t, b.protocols()[1])
}

func drops(b *bench) (reasons []string) {
	for _, e := range b.log.Events() {
		if d, ok := e.Body.(trace.PacketDropped); ok {
			reasons = append(reasons, e.Node+": "+d.Reason)
		}
	}
	return reasons
}

// A host forwards nothing: what comes out of a tunnel for another computer ends there.
func TestTunnelToAComputerBehindIsUnsupported(t *testing.T) {
	forAlice, forBob := insidePolicies(time.Hour)
	b := tunnelBench(t, forAlice, forBob)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: nobodyHere, Count: 1, Size: 32, Timeout: time.Second})
		require.Equal(t, "timeout", r.Result())
	})
	require.Contains(t, strings.Join(drops(b), "\n"), "bob: unsupported: it came out of a tunnel and is for another computer, and hosts do not forward")
}

// A tunnel whose far end has no route fails at once, and is tried again with the next packet.
func TestTunnelWithoutAWay(t *testing.T) {
	far := netip.MustParseAddr("2001:db8::9")
	b := newBench(t, tunnelPolicy(tunnelRule("out", policy.Me(), policy.Host(bobAddr), far, time.Hour)), nil, hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 2, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "timeout", r.Result())
	})
	require.Contains(t, drops(b), "alice: no route to 2001:db8::9, the end of its tunnel")
	require.EqualValues(t, 2, b.alice.Counters().HeldDiscarded)
	require.Zero(t, b.protocols()[1])
}

// The default response rule is for transport mode: it refuses a tunnel.
func TestDefaultResponseRefusesATunnel(t *testing.T) {
	responds := tunnelPolicy()
	responds.DefaultResponse = &policy.DefaultResponse{Auth: []policy.AuthMethod{{PreSharedKey: "secret"}}}
	b := newBench(t, tunnelPolicy(tunnelRule("out", policy.Me(), policy.Host(bobAddr), bobAddr, time.Hour)), responds, hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: time.Second})
		require.Equal(t, "timeout", r.Result())
	})
	require.Empty(t, b.bob.SAs())
	var reasons []string
	for _, e := range b.log.Events() {
		if n, ok := e.Body.(trace.Negotiation); ok && n.State == "failed" {
			reasons = append(reasons, n.Exchange+": "+n.Reason)
		}
	}
	require.NotEmpty(t, reasons)
	require.Contains(t, reasons[0], "quick mode")
}
