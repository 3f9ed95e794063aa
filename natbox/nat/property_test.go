package nat

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What goes out comes back: an answer to any packet that has left in the time that its
// mapping lives reaches the same inside host and port. And no two inside endpoints have one
// outside endpoint towards the same remote one, unless ports are overloaded.
func TestAnswersComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := configOf(rapid.Uint64().Draw(t, "configuration"))
		if c.IKE == IKEKeepPort || c.IKE == IKEOneHost || c.Ports.Collision == Overload {
			c.IKE, c.Ports.Collision = IKEPlain, Another
		}
		c.Limits, c.TCPRules.Window = Limits{}, WindowIgnored // the answers are not in one
		n, err := New(c, rand.New(rand.NewPCG(1, 2)))
		require.NoError(t, err)
		seen := map[string]string{} // outside and remote: inside
		now := time.Duration(0)
		for range rapid.IntRange(1, 40).Draw(t, "packets") {
			now += rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second}).Draw(t, "wait")
			proto := rapid.SampledFrom([]string{"udp", "tcp", "echo"}).Draw(t, "protocol")
			inside := fmt.Sprintf("%s:%d", rapid.SampledFrom(insideHosts).Draw(t, "host"), rapid.SampledFrom([]int{1, 2, 500, 1024, 1025, 4500}).Draw(t, "port"))
			remote := fmt.Sprintf("%s:%d", rapid.SampledFrom(outsideHosts).Draw(t, "remote"), rapid.IntRange(1, 3).Draw(t, "remote port"))
			if proto == "echo" {
				remote = netip.MustParseAddrPort(remote).Addr().String()
			}
			// IKE is told apart by its cookie: each host has one of its own.
			payload := append([]byte(inside), "payload"...)
			r := n.Outbound(now, makePayload(t, proto+" "+inside+" > "+remote+" S", payload))
			if r.Packets == nil {
				require.NotEmpty(t, r.Why)
				continue
			}
			p := describe(r.Packets[0])
			var name, outside, arrow, to string
			_, err := fmt.Sscan(p, &name, &outside, &arrow, &to)
			require.NoError(t, err)
			require.Equal(t, remote, to)
			before := seen[proto+p]
			if c.IKE != IKECookies || netip.MustParseAddrPort(outside).Port() != 500 {
				require.Contains(t, []string{"", inside}, before, "%s is another's", p)
			}
			seen[proto+p] = inside
			// The answer to this one, now.
			back := map[string]string{"udp": "udp", "tcp": "tcp", "echo": "reply"}[proto]
			r = n.Inbound(now, makePayload(t, back+" "+remote+" > "+outside+" SA", payload))
			require.Len(t, r.Packets, 1, "%s: %s", p, r.Why)
			require.Empty(t, badChecksums(r.Packets[0]))
			require.Contains(t, describe(r.Packets[0]), "> "+inside)
		}
	})
}

// The same bytes, settings and stream give the same bytes.
func TestSameSeedSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := configOf(rapid.Uint64().Draw(t, "configuration"))
		b := rapid.SliceOfN(rapid.Byte(), 100, 600).Draw(t, "script")
		var logs [2][]string
		for i := range logs {
			n, err := New(c, rand.New(rand.NewPCG(1, 2)))
			require.NoError(t, err)
			n.Trace = func(e Event) { logs[i] = append(logs[i], fmt.Sprint(e)) }
			s := &script{b: b}
			for now := time.Duration(0); len(s.b) > 0; now += time.Second {
				p := s.packet(s.of(insideHosts...), s.of(outsideHosts...))
				r := n.Outbound(now, p)
				logs[i] = append(logs[i], fmt.Sprintf("%x %x %s", r.Packets, r.Answer, r.Why))
			}
			logs[i] = append(logs[i], fmt.Sprint(n.Mappings(0), n.Sessions(0), n.Counters()))
		}
		require.Equal(t, logs[0], logs[1])
	})
}
