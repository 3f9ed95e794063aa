package hosts_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

// direct runs f as a coroutine of no host until it ends.
func (b *bench) direct(f func(p *sim.Proc)) {
	b.Helper()
	p := b.world.Go(nil, "test", f)
	require.NoError(b, b.world.Run(context.Background(), 0, p.Done))
	require.True(b, p.Done(), "the world came to rest before the coroutine ended")
}

// ping is what becomes of one echo request.
func (b *bench) ping(p *sim.Proc, from *hosts.Host, to netip.Addr) string {
	return from.Ping(p, hosts.Ping{To: to, Count: 1, Size: 32, Timeout: 500 * time.Millisecond}).Result()
}

// A host is where its addresses are: at the new one at once, at the old one not any more.
func TestSetAddresses(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	fresh := netip.MustParseAddr("10.0.0.99")
	b.direct(func(p *sim.Proc) {
		require.Equal(t, "ok", b.ping(p, b.bob, aliceAddr))
		require.NoError(t, b.alice.SetAddresses("lan", prefixes("10.0.0.99/24"), "test"))
		require.Equal(t, []netip.Addr{fresh}, b.alice.Addrs())
		require.NotEqual(t, "ok", b.ping(p, b.bob, aliceAddr))
		require.Equal(t, "ok", b.ping(p, b.bob, fresh))
		require.Equal(t, "ok", b.ping(p, b.alice, bobAddr))
		// Without an address nothing leaves, and with one again it does.
		require.NoError(t, b.alice.SetAddresses("lan", nil, "test"))
		require.Empty(t, b.alice.Addrs())
		require.NotEqual(t, "ok", b.ping(p, b.alice, bobAddr))
		require.NotEqual(t, "ok", b.ping(p, b.bob, fresh))
		require.NoError(t, b.alice.SetAddresses("lan", prefixes("10.0.0.1/24"), "test"))
		require.Equal(t, "ok", b.ping(p, b.bob, aliceAddr))
		// It keeps its last address over a restart.
		require.NoError(t, b.alice.SetAddresses("lan", prefixes("10.0.0.98/24"), "test"))
		require.NoError(t, b.alice.Restart(p, time.Second, false))
		require.Equal(t, "ok", b.ping(p, b.bob, netip.MustParseAddr("10.0.0.98")))
	})
}

// When an address moves to another host, those that knew the old holder hear of it.
func TestAddressMoves(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	carol, err := hosts.New(b.world, hosts.Config{Name: "carol", Interfaces: []hosts.Interface{{Segment: b.segment, Unnumbered: true}}})
	require.NoError(t, err)
	t.Cleanup(carol.Close)
	b.direct(func(p *sim.Proc) {
		require.Equal(t, "ok", b.ping(p, b.bob, aliceAddr))
		require.NoError(t, b.alice.SetAddresses("lan", nil, "test"))
		require.NoError(t, carol.SetAddresses("lan", prefixes("10.0.0.1/24"), "test"))
		p.Sleep(10 * time.Millisecond)
		require.Equal(t, "ok", b.ping(p, b.bob, aliceAddr), "it is asked for anew, not lost at the old holder")
	})
}

func TestSetAddresses6(t *testing.T) {
	b := newBench6(t, nil, nil)
	b.direct(func(p *sim.Proc) {
		require.Equal(t, "ok", b.ping(p, b.bob, alice6))
		require.NoError(t, b.alice.SetAddresses("lan", prefixes("2001:db8:1::99/64", "2001:db8:1::98/64"), "test"))
		require.Equal(t, "ok", b.ping(p, b.bob, netip.MustParseAddr("2001:db8:1::99")))
		require.Equal(t, "ok", b.ping(p, b.bob, netip.MustParseAddr("2001:db8:1::98")))
		require.NotEqual(t, "ok", b.ping(p, b.bob, alice6))
		require.Equal(t, "ok", b.ping(p, b.alice, bob6))
	})
}

// The SAs of an address end with it, and those of others stay; what waits for a
// negotiation from it is discarded.
func TestSAsEndWithTheirAddress(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	b.direct(func(p *sim.Proc) {
		require.Equal(t, "ok", b.ping(p, b.alice, bobAddr))
		require.Len(t, b.alice.SAs(), 2)
		require.Len(t, b.alice.MainModes(), 1)
		before := len(b.frames)
		require.NoError(t, b.alice.SetAddresses("lan", prefixes("10.0.0.99/24"), "test"))
		require.Empty(t, b.alice.SAs())
		require.Empty(t, b.alice.MainModes())
		p.Sleep(time.Second)
		require.Len(t, b.bob.SAs(), 2, "nobody could tell bob")
		require.Len(t, b.frames[before:], 1, "the announcement of the address, and nothing else")
		require.Equal(t, byte(6), b.frames[before][13], "it is ARP")

		// Bob's policy is for alice's old address alone: main mode fails, and the
		// address goes while the packet waits.
		b.soon(b.alice, func(p *sim.Proc) { b.ping(p, b.alice, bobAddr) })
		p.Sleep(100 * time.Millisecond)
		discarded := b.alice.Counters().HeldDiscarded
		require.NoError(t, b.alice.SetAddresses("lan", nil, "test"))
		require.Equal(t, discarded+1, b.alice.Counters().HeldDiscarded)
		require.Empty(t, b.alice.MainModes())
		p.Sleep(200 * time.Second)
	})
	for _, f := range b.frames {
		require.False(t, len(f) > 34 && f[12] == 8 && f[13] == 0 && f[23] == ipsec.ProtoICMP, "nothing in the clear")
	}
}

// A filter with me is expanded for the new address, and the trace says so.
func TestMeIsExpandedAgain(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), nil, hosts.Faults{})
	b.direct(func(p *sim.Proc) {
		require.NoError(t, b.alice.SetAddresses("lan", prefixes("10.0.0.99/24"), "test"))
	})
	var expanded []trace.FiltersChanged
	for _, e := range b.log.Events() {
		if x, ok := e.Body.(trace.FiltersChanged); ok {
			expanded = append(expanded, x)
		}
	}
	require.Len(t, expanded, 1)
	require.Equal(t, "expanded again: test", expanded[0].Reason)
	require.Contains(t, expanded[0].Filters, "outbound any 10.0.0.99 > 10.0.0.2: negotiate, require/peer")
}

func TestAddressesThatCannotBe(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	for _, tc := range []struct {
		segment string
		give    []netip.Prefix
		want    string
	}{
		{"wan", nil, "hosts: alice: addresses on wan: no interface is there"},
		{"lan", prefixes("10.0.0.3/24", "10.0.0.4/24"), "hosts: alice: addresses on lan: unsupported: 10.0.0.4 is a second IPv4 address on the interface"},
		{"lan", prefixes("2001:db8::3/64"), "hosts: alice: addresses on lan: unsupported: 2001:db8::3 is of a family that the host did not have at its start"},
	} {
		require.EqualError(t, b.alice.SetAddresses(tc.segment, tc.give, "test"), tc.want)
	}
	require.Equal(t, []netip.Addr{aliceAddr}, b.alice.Addrs(), "nothing has changed")
	require.ErrorContains(t, b.alice.SetGateway(netip.MustParseAddr("192.0.2.1"), "test"), "is on no subnet of the host")
}
