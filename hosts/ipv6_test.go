package hosts_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/sim"
)

var (
	alice6 = netip.MustParseAddr("2001:db8:1::1")
	bob6   = netip.MustParseAddr("2001:db8:1::2")
)

func TestIPv6ApplicationsInTheClear(t *testing.T) {
	b := newBench6(t, nil, nil)
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	udp, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bob6, Count: 3, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		require.Equal(t, 2*time.Millisecond, r.Latency[1], "one round trip over a link of 1 ms")
		r = b.alice.Ping(p, hosts.Ping{To: bob6, Count: 1, Size: 20_000, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bob6, 80), Request: 100_000, Response: 50_000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bob6, 7), Count: 2, Size: 5000, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
	})
	require.Equal(t, hosts.Seen{SYNs: 1, Connections: 1, Bytes: 100_000}, tcp.Seen())
	require.Equal(t, hosts.Seen{Datagrams: 2, Bytes: 10_000}, udp.Seen())
}

func TestIPv6TransportModeProtectsEverythingButIKEAndNeighbourDiscovery(t *testing.T) {
	b := newBench6(t, require3DES(bob6, "secret"), require3DES(alice6, "secret"))
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	_, err = b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bob6, 80), Request: 300_000, Response: 1000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bob6, 7), Count: 1, Size: 30_000, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "a datagram of 30 kB is protected whole and fragmented: %v", r.Err)
		for _, size := range []int{32, 1472, 3000, 20_000} {
			r = b.alice.Ping(p, hosts.Ping{To: bob6, Count: 1, Size: size, Timeout: time.Second})
			require.Equal(t, "ok", r.Result(), "%d bytes: %v", size, r.Err)
		}
	})
	require.Equal(t, 1, tcp.Seen().SYNs)
	n := b.protocols6(t)
	require.NotZero(t, n["ipsecesp"])
	require.NotZero(t, n["nd"])
	require.Equal(t, 9, n["udp"], "the six messages of main mode and the three of quick mode")
	require.Len(t, n, 3, "nothing else: %v", n)
	require.Len(t, b.alice.SAs(), 2)
	require.Len(t, b.bob.MainModes(), 1)
}

// protocols6 counts the IPv6 frames seen, by protocol, as gopacket reads them.
func (b *bench) protocols6(t *testing.T) map[string]int {
	n := map[string]int{}
	for _, f := range b.frames {
		p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.NoCopy)
		ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		require.True(t, ok, "no IPv6: %v", p)
		next := ip.NextHeader
		if fragment, ok := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment); ok {
			next = fragment.NextHeader
		}
		icmp, _ := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
		switch {
		case icmp != nil && icmp.TypeCode.Type() >= 133 && icmp.TypeCode.Type() <= 137:
			n["nd"]++
		default:
			n[strings.ToLower(next.String())]++
		}
	}
	return n
}
