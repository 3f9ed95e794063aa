//go:build unix

package hosts_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

// BenchmarkFilters is a host whose policy has n mirrored filters and that pings another one, in
// the clear and through SAs that it negotiates. The policy is judged by twice for a
// ping, and the rest of cpu-us/ping is that of two hosts and a segment: with 10
// filters, nearly all. KiB/filter is what the host takes with each filter, and
// assign-ms what giving it the policy takes of the processors.
func BenchmarkFilters(b *testing.B) {
	for _, kind := range []policy.Kind{policy.Permit, policy.Negotiate} {
		for _, n := range []int{10, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) { filtered(b, kind, n) })
		}
	}
}

func filtered(b *testing.B, kind policy.Kind, n int) {
	w, err := sim.New(sim.Config{Name: "filters"})
	require.NoError(b, err)
	lan, err := w.NewSegment("lan", sim.SegmentConfig{Latency: time.Millisecond})
	require.NoError(b, err)
	host := func(name string, a netip.Addr) *hosts.Host {
		h, err := hosts.New(w, hosts.Config{
			Name: name, Interfaces: []hosts.Interface{{Segment: lan, Prefixes: []netip.Prefix{netip.PrefixFrom(a, 24)}}},
		})
		require.NoError(b, err)
		return h
	}
	alice, bob := host("alice", aliceAddr), host("bob", bobAddr)
	method := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}
	if kind == policy.Negotiate {
		require.NoError(b, bob.AssignPolicy(demand(aliceAddr, method)))
	}
	g := newGauge(b)
	p := filters(n, demand(bobAddr, method), kind)
	start := cpuTime(b)
	require.NoError(b, alice.AssignPolicy(p))
	assign, used := cpuTime(b)-start, g.used
	g.look()
	used = g.used - used

	ping := func(count int) {
		done := w.Go(alice, "ping", func(p *sim.Proc) {
			r := alice.Ping(p, hosts.Ping{To: bobAddr, Count: count, Size: 56, Interval: time.Millisecond, Timeout: time.Second})
			require.NoError(b, r.Err)
			require.GreaterOrEqual(b, r.Received, count-1, "but for the first, while SAs are negotiated")
		})
		require.NoError(b, w.Run(b.Context(), 0, done.Done))
	}
	ping(100)
	b.ResetTimer()
	start = cpuTime(b)
	ping(b.N)
	b.ReportMetric(float64((cpuTime(b)-start).Nanoseconds())/1000/float64(b.N), "cpu-us/ping")
	b.ReportMetric(float64(assign.Microseconds())/1000, "assign-ms")
	b.ReportMetric(float64(int64(used))/1024/float64(n), "KiB/filter")
	b.StopTimer()
	require.NoError(b, w.Close())
	alice.Close()
	bob.Close()
	runtime.KeepAlive(p)
}

// filters are a policy of n filters, of which the one for the peer of a policy comes
// last: hosts elsewhere, with and without a port.
func filters(n int, p *policy.Policy, kind policy.Kind) *policy.Policy {
	elsewhere := p.Rules[0]
	elsewhere.Name = "elsewhere"
	elsewhere.Filters = policy.FilterList{Name: "elsewhere"}
	for i := range n - 1 {
		f := policy.Filter{Source: policy.Me(), Destination: policy.Host(addrOf(1<<16 + i)), Mirrored: true}
		if i%2 == 0 {
			f.Protocol, f.DestinationPort = ipsec.ProtoTCP, uint16(1+i%1000)
		}
		elsewhere.Filters.Filters = append(elsewhere.Filters.Filters, f)
	}
	p.Rules = append([]policy.Rule{elsewhere}, p.Rules...)
	if kind == policy.Permit {
		for i := range p.Rules {
			p.Rules[i].Action, p.Rules[i].Auth = policy.FilterAction{Name: "permit", Kind: policy.Permit}, nil
		}
	}
	return p
}
