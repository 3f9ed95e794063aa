//go:build unix

package hosts_test

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"io"
	"net/netip"
	"os"
	"path/filepath"
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

// bulk is what BenchmarkTCP sends.
const bulk = 100_000_000

// BenchmarkTCP sends 100 MB from host to host over an Ethernet of 1 ms without a
// rate. With "evidence" the capture and the trace go to files, and without nowhere.
//
// netstack-MB/s is the limit, measured in the same run: two netstacks with nothing
// around them hand the packets to each other on the same loop. cpu-s/GB is what the
// process takes of all processors, and netstack-cpu-s/GB what the limit does;
// gcm-cpu-s/GB is the bare sealing and opening of as many bytes in packets of 1400.
func BenchmarkTCP(b *testing.B) {
	for _, protection := range []struct {
		name   string
		method []ipsec.Transform
		nat    ike.NATTraversal // of Alice; Bob has its dialects
	}{
		{name: "clear"},
		{name: "aes128-gcm", method: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}}},
		{"aes128-gcm-in-udp", []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}}, ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}, Force: true}},
	} {
		for _, evidence := range []bool{false, true} {
			name := protection.name + "/quiet"
			if evidence {
				name = protection.name + "/evidence"
			}
			b.Run(name, func(b *testing.B) {
				var wall, cpu, bareWall, bareCPU, gcm time.Duration
				b.ReportAllocs()
				for range b.N {
					b.StopTimer()
					w, a := timed(b, func() { bareTCP(b, bulk, 1500) })
					bareWall, bareCPU = bareWall+w, bareCPU+a
					if protection.method != nil {
						_, a = timed(b, func() { bareGCM(b, bulk) })
						gcm += a
					}
					b.StartTimer()
					w, a = timed(b, func() { transfer(b, protection.method, protection.nat, evidence) })
					wall, cpu = wall+w, cpu+a
				}
				perGB := func(d time.Duration) float64 { return d.Seconds() * 1e9 / bulk / float64(b.N) }
				b.ReportMetric(bulk*float64(b.N)/1e6/wall.Seconds(), "MB/s")
				b.ReportMetric(bulk*float64(b.N)/1e6/bareWall.Seconds(), "netstack-MB/s")
				b.ReportMetric(perGB(cpu), "cpu-s/GB")
				b.ReportMetric(perGB(bareCPU), "netstack-cpu-s/GB")
				if gcm > 0 {
					b.ReportMetric(perGB(gcm), "gcm-cpu-s/GB")
				}
			})
		}
	}
}

// timed is how long f takes, by the clock and of the processors.
func timed(b *testing.B, f func()) (wall, cpu time.Duration) {
	start, used := time.Now(), cpuTime(b)
	f()
	return time.Since(start), cpuTime(b) - used
}

// transfer makes two hosts and sends bulk bytes from one to the other.
func transfer(b *testing.B, method []ipsec.Transform, nat ike.NATTraversal, evidence bool) {
	c := sim.Config{Name: "bench"}
	if evidence {
		c.Trace, c.Capture = trace.New(file(b, "trace.jsonl")), file(b, "capture.pcapng")
	}
	w, err := sim.New(c)
	require.NoError(b, err)
	lan, err := w.NewSegment("lan", sim.SegmentConfig{Latency: time.Millisecond})
	require.NoError(b, err)
	host := func(name string, a, peer netip.Addr, nat ike.NATTraversal) *hosts.Host {
		var p *policy.Policy
		if method != nil {
			p = demand(peer, method...)
		}
		h, err := hosts.New(w, hosts.Config{
			Name: name, Interfaces: []hosts.Interface{{Segment: lan, Prefixes: []netip.Prefix{netip.PrefixFrom(a, 24)}}}, Policy: p, NAT: nat,
		})
		require.NoError(b, err)
		return h
	}
	alice, bob := host("alice", aliceAddr, bobAddr, nat), host("bob", bobAddr, aliceAddr, ike.NATTraversal{Dialects: nat.Dialects, Responder: ike.AssumeBoth})
	server, err := bob.ServeTCP(80)
	require.NoError(b, err)
	client := w.Go(alice, "client", func(p *sim.Proc) {
		r := alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: bulk, Timeout: time.Hour})
		require.NoError(b, r.Err)
	})
	require.NoError(b, w.Run(b.Context(), 0, client.Done))
	require.EqualValues(b, bulk, server.Seen().Bytes)
	for _, sa := range alice.SAs() {
		require.Equal(b, nat.Force, sa.UDP.On())
	}
	require.NoError(b, w.Close())
	alice.Close()
	bob.Close()
}

// demand is a policy that negotiates a method with main mode of group 2 for all traffic with a peer.
func demand(peer netip.Addr, method ...ipsec.Transform) *policy.Policy {
	return &policy.Policy{
		Name:     "demand",
		MainMode: policy.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "aes128-cbc", Hash: "sha1", Group: 2}}},
		Rules: []policy.Rule{{
			Name:    "peer",
			Filters: policy.FilterList{Name: "peer", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Host(peer), Mirrored: true}}},
			Action: policy.FilterAction{Name: "demand", Kind: policy.Negotiate, Methods: []ipsec.Proposal{{
				Mode: ipsec.Transport, Transforms: method, Lifetime: ipsec.Lifetime{Duration: time.Hour},
			}}},
			Auth: []policy.AuthMethod{{PreSharedKey: "secret"}},
		}},
	}
}

// file is a buffered file of the benchmark's folder, flushed and closed with it.
func file(b *testing.B, name string) io.Writer {
	f, err := os.Create(filepath.Join(b.TempDir(), name))
	require.NoError(b, err)
	w := bufio.NewWriterSize(f, 64<<10)
	b.Cleanup(func() {
		require.NoError(b, w.Flush())
		require.NoError(b, f.Close())
	})
	return w
}

// bareGCM seals and opens n bytes in packets of 1400 with AES-128-GCM.
func bareGCM(b *testing.B, n int) {
	block, err := aes.NewCipher(make([]byte, 16))
	require.NoError(b, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(b, err)
	nonce, header := make([]byte, gcm.NonceSize()), make([]byte, 8)
	sealed, plain := make([]byte, 1400+gcm.Overhead()), make([]byte, 1400)
	for range n / 1400 {
		gcm.Seal(sealed[:0], nonce, sealed[:1400], header)
		if _, err := gcm.Open(plain[:0], nonce, sealed, header); err != nil {
			b.Fatal(err)
		}
	}
}
