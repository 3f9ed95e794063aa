package firewall_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/firewall"
)

// Whatever packets come, from whichever side and at whichever times: nothing breaks, the table keeps its
// bound, and a firewall that was shown the same says the same.
func FuzzJudge(f *testing.F) {
	first, second := pieces(udp(out, in, 53, 1025, make([]byte, 100)...), 48)
	for _, p := range [][]byte{
		udp(in, out, 500, 500, make([]byte, 28)...), udp(in, out, 4500, 4500, 1, 2, 3, 4), tcp(in, out, 1025, 80, "S"), tcp(out, in, 80, 1025, "SA"),
		esp(in, out), ah(out, in), icmp(in, out, 8, 0, 1), icmp(out, in, 3, 4, 0, udp(in, out, 500, 500)[:28]...),
		udp(in6, out6, 1, 2), icmp6(out6, in6, 2, 0, append(make([]byte, 4), udp(in6, out6, 1, 2)...)...), first, second, nil,
	} {
		for kind := range byte(6) {
			f.Add(p, udp(in, out, 500, 500), kind)
			f.Add(udp(in, out, 500, 500), p, kind)
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, kind byte) {
		config := firewall.Config{
			Inside: []string{"lan"},
			Rules: []firewall.Rule{
				{Action: firewall.Permit, Protocol: 17, DestinationPorts: ports(500, 500), From: firewall.Outside},
				{Action: firewall.Prohibit, Protocol: 6, Established: true, To: firewall.Self},
				{Action: firewall.Deny, Fragments: true, Source: prefixes("10.0.0.0/8")},
			},
			Default: firewall.Action(kind % 3),
		}
		if kind%6 < 3 {
			config.State = &firewall.State{Max: 2, IPsec: firewall.Tracking(kind % 3), MidStream: kind&8 != 0}
		}
		if kind&16 != 0 {
			config.Inspect = []firewall.Inspect{{}}
		}
		run := func() (verdicts []firewall.Verdict, c firewall.Counters) {
			w, err := firewall.New(config)
			require.NoError(t, err)
			for i := range 12 {
				p := [][]byte{a, b, a}[i%3]
				from, to := [3]string{"lan", "net", ""}[i%3], [3]string{"net", "lan", "net"}[i/4]
				verdicts = append(verdicts, w.Judge(time.Duration(i*i)*time.Second, firewall.Crossing{Packet: p, From: from, To: to}))
			}
			return verdicts, w.Counters()
		}
		verdicts, c := run()
		again, _ := run()
		require.Equal(t, verdicts, again)
		require.LessOrEqual(t, c.States, 2)
		require.Equal(t, uint64(12), c.Passed+c.Dropped)
		require.Equal(t, c.Created, c.Expired+c.Evicted+uint64(c.States)+c.Closed)
	})
}
