package hosts_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/dhcp"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// withDHCP adds a client to a bench whose bob serves addresses.
func withDHCP(t testing.TB, b *bench, lease time.Duration, p *policy.Policy) *hosts.Host {
	_, err := b.bob.ServeDHCP(dhcp.ServerConfig{
		Address: netip.PrefixFrom(bobAddr, 24), First: netip.MustParseAddr("10.0.0.100"), Last: netip.MustParseAddr("10.0.0.103"),
		Lease: lease, Router: aliceAddr, DNS: []netip.Addr{bobAddr}, WINS: []netip.Addr{aliceAddr},
	})
	require.NoError(t, err)
	h, err := hosts.New(b.world, hosts.Config{
		Name: "carol", Interfaces: []hosts.Interface{{Segment: b.segment, Unnumbered: true, DHCP: &hosts.DHCP{}}}, Policy: p,
	})
	require.NoError(t, err)
	t.Cleanup(h.Close)
	return h
}

// A lease makes the host what it says, and its end unmakes it.
func TestDHCPLease(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	carol := withDHCP(t, b, time.Hour, nil)
	b.direct(func(p *sim.Proc) {
		p.Sleep(time.Second)
		require.Equal(t, []netip.Addr{netip.MustParseAddr("10.0.0.100")}, carol.Addrs())
		require.Equal(t, []netip.Addr{aliceAddr}, carol.Servers(policy.DefaultGateways))
		require.Equal(t, []netip.Addr{bobAddr}, carol.Servers(policy.DNSServers))
		require.Equal(t, []netip.Addr{aliceAddr}, carol.Servers(policy.WINSServers))
		require.Equal(t, []netip.Addr{bobAddr}, carol.Servers(policy.DHCPServers))
		require.Equal(t, "ok", b.ping(p, b.alice, carol.Addrs()[0]))
		require.ErrorContains(t, carol.SetAddresses("lan", nil, "test"), "has its address by DHCP")
		// Over a restart of either side: the server remembers, the client asks anew.
		require.NoError(t, b.bob.Restart(p, time.Second, false))
		require.NoError(t, carol.Restart(p, time.Second, false))
		require.Empty(t, carol.Addrs())
		p.Sleep(time.Second)
		require.Equal(t, []netip.Addr{netip.MustParseAddr("10.0.0.100")}, carol.Addrs())
		// What an administrator says goes before what DHCP says.
		carol.SetServers(hosts.Servers{policy.DNSServers: {aliceAddr}}, "test")
		require.Equal(t, []netip.Addr{aliceAddr}, carol.Servers(policy.DNSServers))
		require.NoError(t, carol.ReleaseDHCP())
		p.Sleep(time.Second)
		require.Empty(t, carol.Addrs())
		require.Empty(t, carol.Servers(policy.DefaultGateways))
		require.Empty(t, carol.Servers(policy.WINSServers))
		require.NoError(t, carol.RenewDHCP())
		p.Sleep(time.Second)
		require.Len(t, carol.Addrs(), 1)
	})
	require.ErrorContains(t, b.alice.RenewDHCP(), "no interface has its address by DHCP")
}

// The renewal goes under an SA where policy wants it so, and so does the answer.
func TestDHCPRenewalUnderAnSA(t *testing.T) {
	carolAddr := netip.MustParseAddr("10.0.0.100")
	b := newBench(t, nil, nil, hosts.Faults{})
	client := require3DES(bobAddr, "secret")
	permit := policy.Rule{Name: "first", Filters: policy.FilterList{Name: "first", Filters: []policy.Filter{
		{Source: policy.Host(netip.IPv4Unspecified()), Destination: policy.Any(), Mirrored: true},
	}}, Action: policy.FilterAction{Name: "permit", Kind: policy.Permit}}
	client.Rules = append(client.Rules, permit)
	carol := withDHCP(t, b, time.Hour, client)
	b.direct(func(p *sim.Proc) {
		p.Sleep(time.Second)
		require.Equal(t, []netip.Addr{carolAddr}, carol.Addrs())
		require.NoError(t, b.bob.AssignPolicy(require3DES(carolAddr, "secret")))
		before := len(b.frames)
		p.Sleep(31 * time.Minute)
		require.Equal(t, []netip.Addr{carolAddr}, carol.Addrs())
		for _, f := range b.frames[before:] {
			require.False(t, len(f) > 38 && f[23] == 17 && f[36] == 0 && (f[37] == 67 || f[37] == 68), "no DHCP in the clear")
		}
		require.Positive(t, carol.Counters().PacketsProtected)
		require.Positive(t, carol.Counters().PacketsOpened)
	})
	bound := 0
	for _, e := range b.log.Events() {
		if a, ok := e.Body.(trace.Application); ok && a.App == "dhcp client" && a.Event == "bound" {
			bound++
		}
	}
	require.GreaterOrEqual(t, bound, 2, "the lease was renewed")
}

// Frames that only look like DHCP are dropped or left to the stack, and the client
// goes on.
func FuzzDHCPFrames(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint16(68), false)
	f.Add([]byte(strings.Repeat("\x02\x01\x06\x00", 100)), uint16(68), true)
	f.Fuzz(func(t *testing.T, b []byte, port uint16, toAll bool) {
		bench := newBench(t, nil, nil, hosts.Faults{})
		carol := withDHCP(t, bench, time.Minute, nil)
		frame := make([]byte, 14, 14+len(b)+64)
		copy(frame, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 0})
		if !toAll {
			mac := sim.MACFor("carol", "lan")
			copy(frame, mac[:])
		}
		n := 28 + len(b)
		frame = append(frame, 0x45, 0, byte(n>>8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 255, 255, 255, 255)
		sum := uint32(0)
		for i := 14; i < 34; i += 2 {
			sum += uint32(frame[i])<<8 | uint32(frame[i+1])
		}
		sum = ^(sum>>16 + sum&0xffff)
		frame[24], frame[25] = byte(sum>>8), byte(sum)
		frame = append(frame, 0, 67, byte(port>>8), byte(port), byte((n-20)>>8), byte(n-20), 0, 0)
		frame = append(frame, b...)
		port9, err := bench.segment.Attach(sim.PortConfig{Node: "mallory", MAC: [6]byte{2, 0, 0, 0, 0, 9}, Receive: func([]byte) {}})
		require.NoError(t, err)
		bench.direct(func(p *sim.Proc) {
			if len(frame) <= 1514 {
				port9.Send(frame, "")
			}
			p.Sleep(2 * time.Second)
			require.Len(t, carol.Addrs(), 1, "the lease comes all the same")
		})
	})
}
