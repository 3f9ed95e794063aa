package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/sim"
)

// A host learns the MTU of its own link, also when that changes.
func TestTheLinkOfAHostShrinks(t *testing.T) {
	for name, p := range map[string][2]*policy.Policy{
		"clear": {}, "protected": {require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret")},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, p[0], p[1], hosts.Faults{})
			_, err := b.bob.ServeTCP(80)
			require.NoError(t, err)
			echo, err := b.bob.ServeUDP(7)
			require.NoError(t, err)
			require.NoError(t, b.alice.Interfaces()[0].SetLink(sim.LinkConfig{MTU: 600}))
			b.on(b.alice, func(p *sim.Proc) {
				r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 50_000, Response: 50_000, Timeout: time.Minute})
				require.Equal(t, "ok", r.Result())
				b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 1, Size: 1400, Timeout: time.Second})
			})
			require.Equal(t, 1, echo.Seen().Datagrams)
		})
	}
}

// A link that takes its time for each frame is no reason to send anything twice:
// the acknowledgements of a flight that left at one moment come one by one.
func TestSlowLinkLosesNothing(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	_, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	require.NoError(t, b.alice.Interfaces()[0].SetLink(sim.LinkConfig{Rate: 10_000_000}))
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 150_000, Response: 10, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
	})
	sent := map[uint32]bool{} // sequence numbers of Alice's segments with data
	for _, f := range b.frames {
		packet := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
		ip, _ := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		tcp, _ := packet.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if ip == nil || tcp == nil || len(tcp.Payload) == 0 || !ip.SrcIP.Equal(aliceAddr.AsSlice()) {
			continue
		}
		require.False(t, sent[tcp.Seq], "the segment with sequence number %d is sent twice", tcp.Seq)
		sent[tcp.Seq] = true
	}
	require.Greater(t, len(sent), 100)
}

// Requests that cannot even be sent are requests without an answer, each of them.
func TestRequestsWithoutARoute(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	far := netip.MustParseAddrPort("192.0.2.1:7")
	b.on(b.alice, func(p *sim.Proc) {
		for _, r := range []hosts.Report{
			b.alice.Ping(p, hosts.Ping{To: far.Addr(), Count: 10, Size: 32, Timeout: time.Second}),
			b.alice.SendDatagrams(p, hosts.Datagrams{To: far, Count: 10, Size: 32, Timeout: time.Second}),
		} {
			require.Equal(t, "unreachable", r.Result())
			require.Equal(t, 10, r.Sent-r.Received)
		}
		taken := b.alice.SendDatagrams(p, hosts.Datagrams{To: far, LocalPort: 500, Count: 10, Size: 32, Timeout: time.Second})
		require.Equal(t, "error", taken.Result(), "IKE has the port")
		require.Equal(t, 10, taken.Sent)
	})
}
