package libreswan

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What pluto 4.10 prints; the first two states as it did beside charon.
const status = `000 using kernel interface: xfrm
000 "outwards": 10.2.0.0/24===10.0.0.2...10.0.0.1===10.1.0.0/24; erouted; eroute owner: #4
000 Total IPsec connections: loaded 1, active 1
000 State Information: DDoS cookies not required, Accepting new IKE connections
000 #1: "outwards":500 STATE_AGGR_R2 (IKE SA established); REPLACE in 28619s; newest; lastdpd=-1s(seq in:0 out:0); idle;
000 #2: "outwards":500 STATE_QUICK_R0 (expecting Quick Mode request); CRYPTO_TIMEOUT in 59s; lastdpd=-1s(seq in:0 out:0); idle;
000 #4: "outwards":500 STATE_QUICK_R2 (IPsec SA established); REPLACE in 3329s; newest; eroute owner; IKE SA #1; idle;
000 #4: "outwards" esp.c4f5a1b2@10.0.0.1 esp.9e8d7c6b@10.0.0.2 tun.0@10.0.0.1 tun.0@10.0.0.2 Traffic: ESPin=84B ESPout=168B ESPmax=0B
000 #6: "answer"[3] 10.0.0.7:4500 STATE_QUICK_R2 (IPsec SA established); REPLACE in 100s; newest; eroute owner; isakmp#5; idle;
000 #6: "answer"[3] 10.0.0.7 ah.1@10.0.0.7 ah.2@10.0.0.2 Traffic: AHin=0B AHout=0B
000 #: "broken":x STATE_ (
000 #99999999999: "large":500 STATE_MAIN_R3 (IKE SA established); REPLACE in 99999999999999999999s
`

func TestStatus(t *testing.T) {
	all := Status(status)
	require.Equal(t, []State{
		{Number: 1, Connection: "outwards", Name: "STATE_AGGR_R2", Meaning: "IKE SA established", Established: true, ReplaceIn: 28619 * time.Second},
		{Number: 2, Connection: "outwards", Name: "STATE_QUICK_R0", Meaning: "expecting Quick Mode request"},
		{
			Number: 4, Connection: "outwards", Name: "STATE_QUICK_R2", Meaning: "IPsec SA established", Established: true, Parent: 1,
			ReplaceIn: 3329 * time.Second, Protocol: ipsec.ESP, Out: 0xc4f5a1b2, In: 0x9e8d7c6b, Tunnel: true,
			Remote: netip.MustParseAddr("10.0.0.1"),
		},
		{
			Number: 6, Connection: "answer", Instance: 3, Name: "STATE_QUICK_R2", Meaning: "IPsec SA established", Established: true, Parent: 5,
			ReplaceIn: 100 * time.Second, Protocol: ipsec.AH, Out: 1, In: 2, Remote: netip.MustParseAddr("10.0.0.7"),
		},
		{Number: 0, Connection: "large", Name: "STATE_MAIN_R3", Meaning: "IKE SA established", Established: true}, // numbers that are none are 0
	}, all)
}

func FuzzStatus(f *testing.F) {
	f.Add(status)
	f.Fuzz(func(t *testing.T, s string) {
		all := Status(s)
		require.LessOrEqual(t, len(all), len(s))
	})
}
