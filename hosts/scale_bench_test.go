//go:build unix

package hosts_test

import (
	"fmt"
	"math/rand"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/tcprun"
	"github.com/ipseclab/ipseclab/sim"
)

// largestScale names a number of hosts beyond the usual ones for BenchmarkHosts:
// 100000 of them take about ten GiB and a minute.
const largestScale = "IPSECLAB_BENCH_HOSTS"

// BenchmarkHosts makes that many hosts on one segment, lets them idle for an hour,
// joins them in pairs by a TCP connection that stays open, and gives each an SA
// pair with its partner, 3DES and SHA-1. KiB are what is in use after a collection.
//
// The limit of KiB/host is KiB/netstack: one of the same protocols with an
// interface and an address, and nothing else.
func BenchmarkHosts(b *testing.B) {
	sizes := []int{100, 1000, 10_000}
	if s := os.Getenv(largestScale); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(b, err, "%s is a number of hosts", largestScale)
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				scale(b, n)
			}
		})
	}
}

func scale(b *testing.B, n int) {
	g := newGauge(b)
	netstacks(b, g, min(n, 1000))
	crowd := newCrowd(b, n, func(int) *policy.Policy { return nil })
	g.stage(n, "host")

	require.NoError(b, crowd.world.Run(b.Context(), time.Hour, nil))
	g.stage(n, "idle-hour")

	crowd.connect(b)
	g.stage(n, "conn")

	for i, h := range crowd.hosts {
		require.NoError(b, h.AddSAs(pairOf(addrOf(i), addrOf(i^1), uint32(0x1000+i^1), uint32(0x1000+i))...))
	}
	g.stage(2*n, "SA")
	b.ReportMetric(float64(g.mem.Sys-g.mem.HeapReleased)/(1<<20), "MiB")
	crowd.close(b)
}

// netstacks measures n netstacks as hosts have them, and takes them down.
func netstacks(b *testing.B, g *gauge, n int) {
	w, err := sim.New(sim.Config{Name: "netstacks"})
	require.NoError(b, err)
	var all []*stack.Stack
	for i := range n {
		s := stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC, udp.NewProtocol, icmp.NewProtocol4},
			Clock:              w.Clock(nil), SecureRNG: w.Rand("secure", fmt.Sprint(i)), RandSource: rand.NewSource(1),
			IPTables: new(stack.IPTables),
		})
		_, err := tcprun.Take(s)
		require.NoError(b, err)
		require.Nil(b, s.CreateNIC(1, ethernet.New(channel.New(1, 1500, tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01")))))
		require.Nil(b, s.AddProtocolAddress(1, tcpip.ProtocolAddress{
			Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddrFromSlice(addrOf(i).AsSlice()).WithPrefix(),
		}, stack.AddressProperties{}))
		all = append(all, s)
	}
	g.stage(n, "netstack")
	require.NoError(b, w.Close())
	for _, s := range all {
		s.Destroy()
	}
	g.look()
}

// BenchmarkNegotiatedHosts makes hosts that demand ESP of each other and have each
// pair negotiate, so that a policy and a main mode are counted with the two SAs of a host.
func BenchmarkNegotiatedHosts(b *testing.B) {
	const n = 100
	method := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}
	for range b.N {
		g := newGauge(b)
		crowd := newCrowd(b, n, func(i int) *policy.Policy { return demand(addrOf(i^1), method) })
		g.stage(n, "host")
		crowd.connect(b)
		g.stage(n, "negotiated-conn")
		for _, h := range crowd.hosts {
			require.Len(b, h.SAs(), 2)
		}
		crowd.close(b)
	}
}

// crowd is an even number of hosts on one segment; neighbours are partners.
type crowd struct {
	world *sim.World
	hosts []*hosts.Host
}

// addrOf is the address of a host.
func addrOf(i int) netip.Addr {
	i++
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func newCrowd(b *testing.B, n int, policyOf func(int) *policy.Policy) *crowd {
	w, err := sim.New(sim.Config{Name: "scale"})
	require.NoError(b, err)
	lan, err := w.NewSegment("lan", sim.SegmentConfig{Latency: time.Millisecond})
	require.NoError(b, err)
	c := &crowd{world: w}
	for i := range n {
		h, err := hosts.New(w, hosts.Config{
			Name: fmt.Sprint("host", i), Interfaces: []hosts.Interface{{Segment: lan, Prefixes: []netip.Prefix{netip.PrefixFrom(addrOf(i), 8)}}}, Policy: policyOf(i),
		})
		require.NoError(b, err)
		c.hosts = append(c.hosts, h)
	}
	return c
}

// connect opens a connection between all partners.
func (c *crowd) connect(b *testing.B) {
	open := 0
	for i := 0; i < len(c.hosts); i += 2 {
		_, err := c.hosts[i+1].ServeTCP(80)
		require.NoError(b, err)
		h := c.hosts[i]
		c.world.Go(h, h.Name(), func(p *sim.Proc) {
			require.NoError(b, h.Connect(p, netip.AddrPortFrom(addrOf(i+1), 80)))
			open++
		})
	}
	require.NoError(b, c.world.Run(b.Context(), c.world.Now()+10*time.Second, nil))
	require.Equal(b, len(c.hosts)/2, open)
}

func (c *crowd) close(b *testing.B) {
	require.NoError(b, c.world.Close())
	for _, h := range c.hosts {
		h.Close()
	}
}

// pairOf are the two SAs of one host.
func pairOf(local, remote netip.Addr, out, in uint32) []ipsec.SAParams {
	p := ipsec.SAParams{
		Direction: ipsec.Outbound, Protocol: ipsec.ESP, SPI: out, PeerSPI: in, Src: local, Dst: remote, Mode: ipsec.Transport,
		Transform: ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"},
		CipherKey: []byte("three parts of it differ"), AuthKey: make([]byte, 20),
		Selector: ipsec.Selector{Src: ipsec.Host(local), Dst: ipsec.Host(remote)}, Lifetime: ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100_000},
	}
	back := p
	back.Direction, back.SPI, back.PeerSPI, back.Src, back.Dst = ipsec.Inbound, in, out, remote, local
	back.Selector.Src, back.Selector.Dst = p.Selector.Dst, p.Selector.Src
	return []ipsec.SAParams{p, back}
}

// gauge measures what each stage of a benchmark takes.
type gauge struct {
	b    *testing.B
	cpu  time.Duration
	used uint64
	mem  runtime.MemStats
}

func newGauge(b *testing.B) *gauge {
	g := &gauge{b: b}
	g.look()
	return g
}

// stage reports the memory that is in use beyond that of the stage before, and the
// processor time, for each of n things.
func (g *gauge) stage(n int, of string) {
	cpu, used := cpuTime(g.b)-g.cpu, g.used
	g.look()
	g.b.ReportMetric(float64(int64(g.used-used))/1024/float64(n), "KiB/"+of)
	g.b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-us/"+of)
}

func (g *gauge) look() {
	runtime.GC()
	runtime.ReadMemStats(&g.mem)
	g.used = g.mem.HeapAlloc + g.mem.StackInuse
	g.cpu = cpuTime(g.b)
}
