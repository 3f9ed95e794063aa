package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// decisions are what the views of an answer say, in their order; of a file with cells, in the first.
func decisions(t *testing.T, file string, q scenarios.Question) (all []string) {
	t.Helper()
	x, err := scenarios.Explain(loadAll(t, file)[0], q)
	require.NoError(t, err)
	for _, v := range x.Views {
		all = append(all, v.Node+" "+v.Direction+": "+v.Action+" "+v.Rule)
	}
	return all
}

// The answer knows the exemptions of each host, in both directions, and that what is
// sent to many meets the filters of all who are there.
func TestExplainExemptions(t *testing.T) {
	const scan = "exempt_kerberos_source_port.yaml" // its first cell has the exemptions of Windows 2000
	for _, c := range []struct {
		q    scenarios.Question
		want []string
	}{
		{scenarios.Question{From: "scanner", To: "server", Protocol: "tcp", Port: 445, FromPort: 88}, []string{
			"scanner outbound: no match ", "server inbound: exempt exempt: kerberos",
			"server outbound: exempt exempt: kerberos", "scanner inbound: no match ",
		}},
		{scenarios.Question{From: "scanner", To: "server", Protocol: "tcp", Port: 445, FromPort: 89}, []string{
			"scanner outbound: no match ", "server inbound: block public/rest", "server outbound: block public/rest", "scanner inbound: no match ",
		}},
		{scenarios.Question{From: "server", To: "scanner", Protocol: "46"}, []string{
			"server outbound: exempt exempt: rsvp", "scanner inbound: no match ", "scanner outbound: no match ", "server inbound: exempt exempt: rsvp",
		}},
		{scenarios.Question{From: "scanner", To: "224.0.0.251", Protocol: "udp", Port: 5353}, []string{
			"scanner outbound: no match ", "server inbound: exempt exempt: multicast",
		}},
		{scenarios.Question{From: "server", To: "198.51.100.255", Protocol: "udp", Port: 137}, []string{
			"server outbound: exempt exempt: broadcast", "scanner inbound: no match ",
		}},
		{scenarios.Question{From: "server", To: "255.255.255.255", Protocol: "udp", Port: 67}, []string{
			"server outbound: exempt exempt: broadcast", "scanner inbound: no match ",
		}},
	} {
		require.Equal(t, c.want, decisions(t, scan, c.q), "%+v", c.q)
	}
	// Windows Server 2003, which the other reading of its documentation lets hear what is sent to many.
	require.Equal(t, []string{"speaker outbound: no match ", "blocks-all inbound: block block/all", "blocks-to-me inbound: no match "},
		decisions(t, "exempt_inbound_groups.yaml", scenarios.Question{From: "speaker", To: "239.1.2.3", Protocol: "udp", Port: 4001}))
}
