package mux_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// Whatever a stranger sends from an address that is not its own, at most twice its bytes go there at
// once; and fewer than it sent for a first message of main mode in denial of service protection.
func TestStrangersGainLittle(t *testing.T) {
	for _, protected := range []bool{false, true} {
		n, a, b := newPair(t)
		b.config.DoSProtection = protected
		b.config.Trace = nil
		b.config.VendorIDs = [][]byte{make([]byte, 20)} // of the length of that of Windows
		b.reboot()
		r := rand.New(rand.NewPCG(1, 2))
		s := &randomRun{t: t, n: n, a: a, b: b, r: r, tally: map[string]int{}}
		answers, most := 0, 0.0
		for i := range uint64(4000) {
			header := message(payload.MainMode, i+1, r.Uint64N(2)*(i+1), 0, 0)
			msg := s.forge(header)
			payload.SetLength(msg)
			if i%4 == 0 {
				msg = message(payload.MainMode, i+1, 0, 0, 0, offer(t, b))
			}
			before := len(n.sent)
			b.mux.HandleDatagram(n.now, from(b, forged(i), msg))
			b.drain()
			out := 0
			for _, d := range n.sent[before:] {
				out += len(d.Payload)
			}
			factor := float64(out) / float64(len(msg))
			require.LessOrEqual(t, factor, 2.0, "%x", msg)
			if protected && i%4 == 0 {
				require.Less(t, factor, 0.6)
			}
			answers += min(out, 1)
			most = max(most, factor)
		}
		require.Greater(t, answers, 1000)
		t.Logf("%d answers, the longest %.2f times what it answers", answers, most)
		require.LessOrEqual(t, b.mux.Statistics().ISADBListSize, 256)
	}
}
