package scenarios_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

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

// Two hosts of each scenario of the catalogue can be asked about, at rest and, of some,
// in a run; filters have the lines where they are written, and no answer shows a key.
func TestExplainTheCatalogue(t *testing.T) {
	asked := 0
	for _, s := range loadAll(t, catalogueFiles(t)...) {
		if s.Long {
			continue
		}
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Nodes)), func(name string) bool { return !s.Nodes[name].Host() })
		if len(names) < 2 {
			continue
		}
		q := scenarios.Question{From: names[0], To: names[1], Protocol: "tcp", Port: 80}
		to, err := s.Destination(q.From, q.To)
		if err == nil {
			_, err = s.Source(q.From, to)
		}
		if err != nil {
			continue // of no common family, or without an address before DHCP gives one
		}
		if len(s.NodeAddrs(q.From)) == 0 || len(s.NodeAddrs(q.To)) == 0 {
			continue // they get one by DHCP
		}
		x, err := scenarios.Explain(s, q)
		require.NoError(t, err, s.Name)
		text, err := json.Marshal(x)
		require.NoError(t, err)
		for _, p := range s.Policies {
			for _, r := range p.Rules {
				for _, a := range r.Auth {
					if a.PSK != "" {
						require.NotContains(t, string(text)+x.String(), a.PSK, s.Name)
					}
				}
			}
		}
		for _, v := range x.Views {
			require.NotEmpty(t, v.Now.Result, s.Name)
			for _, m := range v.Matches {
				require.Equal(t, m.Generic == "", m.RuleSource == "", "%s: %s", s.Name, m.Filter)
				require.Equal(t, m.Generic == "", m.FilterSource == "", "%s: %s", s.Name, m.Filter)
			}
		}
		if asked++; asked%10 == 0 {
			x, err = scenarios.ExplainAt(t.Context(), s, q, 2*time.Second)
			require.NoError(t, err, s.Name)
			require.Equal(t, 2*time.Second, *x.At)
		}
	}
	require.Greater(t, asked, 50)
}

// A running world is asked about its SAs and its soft SAs, by the names that the trace has.
func TestExplainAt(t *testing.T) {
	s := loadAll(t, "tunnel_path_mtu.yaml")[0]
	q := scenarios.Question{From: "alice", To: "bob", Protocol: "udp", Port: 9000, Direction: scenarios.DirectionOut}
	before, err := scenarios.Explain(s, q)
	require.NoError(t, err)
	x, err := scenarios.ExplainAt(t.Context(), s, q, time.Second)
	require.NoError(t, err)
	snapshot, err := scenarios.Show(t.Context(), s, scenarios.Moment{Host: "alice", At: time.Second})
	require.NoError(t, err)
	require.Equal(t, "negotiate", before.Views[0].Now.Result)
	require.Equal(t, "protect", x.Views[0].Now.Result)
	require.Contains(t, x.Views[0].Now.Why, snapshot.QuickModes.Pairs[0].OutboundSPI)
	require.Equal(t, before.Views[0].Matches, x.Views[0].Matches)

	for at, want := range map[time.Duration]string{
		-time.Second:        "scenarios: explain: -1s is no time of a run: want more than 0, and at most 100 years",
		1000000 * time.Hour: "scenarios: explain: 1000000h is no time of a run: want more than 0, and at most 100 years",
	} {
		_, err = scenarios.ExplainAt(t.Context(), s, q, at)
		require.EqualError(t, err, want)
	}
	q.Direction = "up"
	_, err = scenarios.ExplainAt(t.Context(), s, q, time.Second)
	require.EqualError(t, err, `scenarios: explain: "up" is no direction: out or in`)
}

// Addresses are those of the moment in a running world; at rest a host that gets its
// address by DHCP has none.
func TestExplainLeasedAddresses(t *testing.T) {
	s := loadAll(t, "dhcp_at_boot.yaml")[0]
	q := scenarios.Question{From: "client", To: "server", Protocol: "icmp"}
	_, err := scenarios.Explain(s, q)
	require.EqualError(t, err, "scenarios: explain: from: node client has no address: it gets one by DHCP, so ask a running world (--at)")
	_, err = scenarios.ExplainAt(t.Context(), s, q, time.Nanosecond)
	require.ErrorContains(t, err, "node client has no address now")
	x, err := scenarios.ExplainAt(t.Context(), s, q, 2*time.Minute)
	require.NoError(t, err)
	require.Equal(t, "icmp 10.63.0.100 > 10.63.0.2", x.Views[0].Packet)

	q = scenarios.Question{From: "10.63.0.100", To: "server", Protocol: "icmp"}
	again, err := scenarios.ExplainAt(t.Context(), s, q, 2*time.Minute)
	require.NoError(t, err)
	require.Equal(t, x.Views, again.Views)
	q.From = "10.63.0.101"
	one, err := scenarios.ExplainAt(t.Context(), s, q, 2*time.Minute)
	require.NoError(t, err)
	require.Len(t, one.Views, 2, "of the server alone: nobody has the other address")
}

// A policy is written where the file has it until a step stores another one under its name.
func TestExplainSourceOfStoredPolicy(t *testing.T) {
	s := loadAll(t, "agent_polling.yaml")[0]
	q := scenarios.Question{From: "peer", To: "server", Protocol: "udp", Port: 7, Direction: scenarios.DirectionIn}
	for _, at := range []time.Duration{0, 30 * time.Second, 5 * time.Minute} {
		x, err := scenarios.Explain(s, q)
		if at > 0 {
			x, err = scenarios.ExplainAt(t.Context(), s, q, at)
		}
		require.NoError(t, err)
		require.NotEmpty(t, x.Views[0].Matches)
		if source := x.Views[0].Matches[0].RuleSource; at < time.Minute {
			require.Regexp(t, `^agent_polling\.yaml:\d+$`, source, "%v", at)
		} else {
			require.Empty(t, source)
		}
	}
}

// Across NAT boxes the far end is asked about the packet as it arrives there, and behind a
// published port the server inside is.
func TestExplainAcrossNAT(t *testing.T) {
	s := loadAll(t, "nat_without_traversal.yaml")[0]
	x, err := scenarios.Explain(s, scenarios.Question{From: "alice", To: "203.0.113.80", Protocol: "tcp", Port: 80})
	require.NoError(t, err)
	require.Equal(t, []string{"router makes 203.0.113.1 of 192.168.1.2; the port may become another one"}, x.NAT)
	var seen []string
	for _, v := range x.Views {
		seen = append(seen, v.Node+" "+v.Direction+": "+v.Action+" "+v.Rule+" "+v.Packet)
	}
	require.Equal(t, []string{
		"alice outbound: negotiate client-transport/protect tcp 192.168.1.2:1025 > 203.0.113.80:80",
		"server inbound: negotiate server-transport/protect tcp 203.0.113.1:1025 > 203.0.113.80:80",
		"server outbound: negotiate server-transport/protect tcp 203.0.113.80:80 > 203.0.113.1:1025",
		"alice inbound: negotiate client-transport/protect tcp 203.0.113.80:80 > 192.168.1.2:1025",
	}, seen)
	require.Contains(t, x.String(), "NAT: router makes 203.0.113.1 of 192.168.1.2")

	x, err = scenarios.Explain(loadAll(t, "nat_publishing.yaml")[0], scenarios.Question{From: "client", To: "router", Protocol: "tcp", Port: 80})
	require.NoError(t, err)
	require.Equal(t, []string{"router sends what is for 203.0.113.1:80 to 192.168.10.2:8080"}, x.NAT)
	require.Equal(t, "web", x.Views[1].Node)
	require.Equal(t, "tcp 203.0.113.80:1025 > 192.168.10.2:8080", x.Views[1].Packet)

	x, err = scenarios.Explain(loadAll(t, "nat_chains.yaml")[0], scenarios.Question{From: "three", To: "server", Protocol: "udp", Port: 7})
	require.NoError(t, err)
	require.Len(t, x.NAT, 3)
	x, err = scenarios.Explain(loadAll(t, "nat_chains.yaml")[0], scenarios.Question{From: "server", To: "three", Protocol: "icmp"})
	require.NoError(t, err)
	require.Equal(t, []string{"192.168.1.2 means nothing where server is: NAT boxes hide it"}, x.NAT)
}
