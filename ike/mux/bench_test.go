//go:build unix

package mux_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// BenchmarkNegotiation is the CPU time of a main mode and a quick mode, of both
// ends together and garbage collection included: cpu-ms. Of it, dh-ms are the
// bare exponentiations of the same groups and key lengths as package suite does
// them, dh-share is their share, and exp-ms is what they take with math/big's Exp
// alone: all three are measured in the same run. CPU time rather than elapsed
// time, because other work may run on the machine.
func BenchmarkNegotiation(b *testing.B) {
	for _, row := range []struct {
		mainMode ike.MainModeProposal
		pfs      bool
	}{
		{mainMode: ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1", Group: 2}},
		{mainMode: ike.MainModeProposal{Cipher: "aes128-cbc", Hash: "sha1", Group: 14}},
		{mainMode: ike.MainModeProposal{Cipher: "aes128-cbc", Hash: "sha1", Group: 14}, pfs: true},
		{mainMode: ike.MainModeProposal{Cipher: "aes256-cbc", Hash: "sha256", Group: 16}},
	} {
		group := suite.GroupNumbered(row.mainMode.Group)
		exchanges := 1
		name := fmt.Sprintf("%s-%s-modp%d", row.mainMode.Cipher, row.mainMode.Hash, group.Bits)
		if row.pfs {
			exchanges, name = 2, name+"-pfs"
		}
		for _, traced := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/traced=%v", name, traced), func(b *testing.B) {
				n, x, y := newPair(b)
				for _, h := range n.hosts {
					h.mainMode.Proposals, h.quickMode.PFS = []ike.MainModeProposal{row.mainMode}, row.pfs
					h.config.Trace = nil
					if traced {
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
				b.ReportAllocs()
				b.ResetTimer()
				start := cpuTime(b)
				for range b.N {
					negotiate()
				}
				whole := cpuTime(b) - start
				b.StopTimer()

				start = cpuTime(b)
				for range b.N * exchanges {
					agree(b, group)
				}
				dh := cpuTime(b) - start
				start = cpuTime(b)
				for range b.N * exchanges {
					exponentiate(group)
				}
				exp := cpuTime(b) - start
				ms := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
				b.ReportMetric(ms(whole), "cpu-ms")
				b.ReportMetric(ms(dh), "dh-ms")
				b.ReportMetric(ms(exp), "exp-ms")
				b.ReportMetric(dh.Seconds()/whole.Seconds(), "dh-share")
			})
		}
	}
}

var random = rand.NewChaCha8([32]byte{1})

// agree is one Diffie–Hellman exchange, both ends.
func agree(b *testing.B, g *suite.Group) {
	one, err := g.GenerateKey(random)
	require.NoError(b, err)
	other, err := g.GenerateKey(random)
	require.NoError(b, err)
	_, err = one.Shared(other.Public())
	require.NoError(b, err)
	_, err = other.Shared(one.Public())
	require.NoError(b, err)
}

// exponentiate is the same with nothing but math/big.
func exponentiate(g *suite.Group) {
	two, p := big.NewInt(2), g.Prime()
	exponent := func() *big.Int {
		x := make([]byte, (g.ExponentBits+7)/8)
		_, _ = random.Read(x)
		x[0] |= 0x80
		return new(big.Int).SetBytes(x)
	}
	x, y := exponent(), exponent()
	gx, gy := new(big.Int).Exp(two, x, p), new(big.Int).Exp(two, y, p)
	gy.Exp(gy, x, p)
	gx.Exp(gx, y, p)
}

// cpuTime is what the process has used of all CPUs.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
