//go:build unix

package mux_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// BenchmarkNegotiation is the CPU time of a phase 1 and a quick mode, of both ends
// together and garbage collection included: cpu-ms, and how many of them fit into a
// second of it. Beside it, in the same run and by turns with it, is what no
// implementation can do without, the public-key arithmetic of the two ends
// (arithmetic-ms; see there), and how many times as long the whole takes: ratio.
// CPU time rather than elapsed time, because other work may run on the machine.
func BenchmarkNegotiation(b *testing.B) {
	des3, aes := ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1", Group: 2}, ike.MainModeProposal{Cipher: "aes128-cbc", Hash: "sha1", Group: 14}
	for _, row := range []struct {
		mainMode   ike.MainModeProposal
		pfs        bool
		aggressive bool
		method     ike.AuthMethod
		bits       int
		traced     bool
	}{
		{mainMode: des3, method: ike.PreSharedKey},
		{mainMode: des3, method: ike.PreSharedKey, traced: true},
		{mainMode: des3, method: ike.PreSharedKey, aggressive: true},
		{mainMode: aes, method: ike.PreSharedKey},
		{mainMode: aes, method: ike.PreSharedKey, traced: true},
		{mainMode: aes, method: ike.PreSharedKey, pfs: true},
		{mainMode: ike.MainModeProposal{Cipher: "aes256-cbc", Hash: "sha256", Group: 16}, method: ike.PreSharedKey},
		{mainMode: des3, method: ike.RSASignature, bits: 1024},
		{mainMode: aes, method: ike.RSASignature, bits: 1024},
		{mainMode: aes, method: ike.RSASignature, bits: 2048},
		{mainMode: aes, method: ike.RSASignature, bits: 2048, traced: true},
		{mainMode: aes, method: ike.RSASignature, bits: 2048, aggressive: true},
		{mainMode: aes, method: ike.RSAEncryption, bits: 2048},
		{mainMode: aes, method: ike.RevisedRSAEncryption, bits: 2048},
	} {
		group := suite.GroupNumbered(row.mainMode.Group)
		sum := arithmetic{group: group, exchanges: 1}
		name := fmt.Sprintf("%v/modp%d", row.method, group.Bits)
		if row.bits > 0 {
			name = fmt.Sprintf("%v/rsa%d-modp%d", row.method, row.bits, group.Bits)
		}
		if row.pfs {
			sum.exchanges, name = 2, name+"-pfs"
		}
		if row.aggressive {
			name += "-aggressive"
		}
		if row.traced {
			name += "-traced"
		}
		b.Run(name, func(b *testing.B) {
			n, x, y := newPair(b)
			if row.bits > 0 {
				sum.by(b, row.method, certify(b, fmt.Sprintf("rsa-%d", row.bits), row.method, x, y))
			}
			for _, h := range n.hosts {
				h.mainMode.Proposals, h.mainMode.Aggressive, h.quickMode.PFS = []ike.MainModeProposal{row.mainMode}, row.aggressive, row.pfs
				h.config.Trace = nil
				if row.traced {
					h.config.Trace = func(trace.Body) {}
				}
			}
			negotiate := func() {
				x.reboot()
				y.reboot()
				x.request(y)
				n.run(n.now.Sub(n.start) + time.Second)
				require.Len(b, x.in, 1)
				n.sent, x.events, y.events = nil, nil, nil
			}
			negotiate() // what is made once for the group
			sum.do(b)
			var whole, least, exp time.Duration
			measure := func(sum *time.Duration, do func()) {
				start := cpuTime(b)
				do()
				*sum += cpuTime(b) - start
			}
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; left -= turn {
				measure(&whole, func() {
					for range min(turn, left) {
						negotiate()
					}
				})
				b.StopTimer()
				measure(&least, func() {
					for range min(turn, left) {
						sum.do(b)
					}
				})
				measure(&exp, func() {
					for range min(turn, left) * sum.exchanges {
						exponentiate(group)
					}
				})
				b.StartTimer()
			}
			b.StopTimer()
			ms := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
			b.ReportMetric(ms(whole), "cpu-ms")
			b.ReportMetric(float64(b.N)/whole.Seconds(), "per-cpu-s")
			b.ReportMetric(ms(least), "arithmetic-ms")
			b.ReportMetric(ms(exp), "exp-ms")
			b.ReportMetric(whole.Seconds()/least.Seconds(), "ratio")
		})
	}
}

// turn is how many negotiations are made before their arithmetic is.
const turn = 16

// cpuTime is what the process has used of all CPUs.
func cpuTime(b testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
