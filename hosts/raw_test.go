package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

// Datagrams of a protocol without ports reach the application that takes them: whole
// or in fragments, in either family, in the clear or under ESP; but not what policy drops.
func TestRawDatagrams(t *testing.T) {
	carol4, carol6 := netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("2001:db8:1::3")
	blocks := &policy.Policy{Name: "block", Rules: []policy.Rule{{
		Name:    "all",
		Filters: policy.FilterList{Name: "all", Filters: []policy.Filter{{Source: policy.Any(), Destination: policy.Me(), Mirrored: true}}},
		Action:  policy.FilterAction{Name: "block", Kind: policy.Block},
	}}}
	for _, c := range []struct {
		name  string
		bench *bench
		carol netip.Addr
		mine  *policy.Policy
		seen  hosts.Seen
		wire  map[byte]int // IPv4 frames by protocol
	}{
		{"clear", newBench(t, nil, nil, hosts.Faults{}), carol4, nil, hosts.Seen{Datagrams: 3, Bytes: 9000}, map[byte]int{46: 9}},
		{"ESP", newBench(t, require3DES(carol4, "secret"), nil, hosts.Faults{}), carol4, require3DES(aliceAddr, "secret"),
			hosts.Seen{Datagrams: 3, Bytes: 9000}, map[byte]int{17: 9, 50: 9}},
		{"blocked", newBench(t, nil, nil, hosts.Faults{}), carol4, blocks, hosts.Seen{}, map[byte]int{46: 9}},
		{"IPv6", newBench6(t, nil, nil), carol6, nil, hosts.Seen{Datagrams: 3, Bytes: 9000}, map[byte]int{}},
	} {
		b := c.bench
		bits := 24
		if c.carol.Is6() {
			bits = 64
		}
		carol, err := hosts.New(b.world, hosts.Config{
			Name: "carol", Interfaces: []hosts.Interface{{Segment: b.segment, Prefixes: []netip.Prefix{netip.PrefixFrom(c.carol, bits)}}},
			Policy: c.mine, Protocols: []uint8{ipsec.ProtoRSVP},
		})
		require.NoError(t, err, c.name)
		rsvp := hosts.RawDatagrams{To: c.carol, Protocol: ipsec.ProtoRSVP, Count: 3, Size: 3000, Interval: time.Second}
		b.on(b.alice, func(p *sim.Proc) {
			require.NoError(t, b.alice.SendRaw(p, rsvp), c.name)
			p.Sleep(time.Second)
		})
		require.Equal(t, c.seen, carol.Listener(ipsec.ProtoRSVP, 0).Seen(), c.name)
		require.Equal(t, c.wire, b.protocols(), "%s: and nobody answers", c.name)

		// The application takes them again after a restart.
		again := b.world.Go(nil, "restart", func(p *sim.Proc) {
			require.NoError(t, carol.Restart(p, time.Second, true))
			rsvp.Count = 1
			require.NoError(t, b.alice.SendRaw(p, rsvp), c.name)
			p.Sleep(5 * time.Second)
			carol.Close()
		})
		require.NoError(t, b.world.Run(t.Context(), 0, again.Done))
		require.Equal(t, c.seen.Datagrams/3*4, carol.Listener(ipsec.ProtoRSVP, 0).Seen().Datagrams, c.name)
	}
}

// A host without the application says that it does not know the protocol: RFC 1122, Section 3.2.2.1.
func TestRawDatagramsForNobody(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		require.NoError(t, b.alice.SendRaw(p, hosts.RawDatagrams{To: bobAddr, Protocol: ipsec.ProtoRSVP, Count: 1, Size: 20}))
		p.Sleep(time.Second)
		require.ErrorIs(t, b.alice.SendRaw(p, hosts.RawDatagrams{To: netip.MustParseAddr("192.0.2.1"), Protocol: ipsec.ProtoRSVP, Count: 1}), hosts.ErrUnreachable)
	})
	require.Equal(t, map[byte]int{46: 1, 1: 1}, b.protocols())
	unreachable := b.frames[len(b.frames)-1][34:]
	require.Equal(t, []byte{3, 2}, unreachable[:2], "ICMP: protocol unreachable")
}
