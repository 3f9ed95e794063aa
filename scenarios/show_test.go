package scenarios_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// fromCatalogue is a scenario of the catalogue, of several cells the first.
func fromCatalogue(t *testing.T, name string) *spec.Scenario {
	t.Helper()
	all, err := scenarios.LoadAllFS(scenarios.Catalogue(), name+".yaml")
	require.NoError(t, err)
	return all[0]
}

func show(t *testing.T, s *spec.Scenario, host string, at time.Duration) *scenarios.Snapshot {
	t.Helper()
	v, err := scenarios.Show(t.Context(), s, scenarios.Moment{Host: host, At: at})
	require.NoError(t, err)
	return v
}

// value is a statistic by its label; −1: there is none.
func value(list []scenarios.Statistic, label string) int {
	if i := slices.IndexFunc(list, func(s scenarios.Statistic) bool { return s.Label == label }); i >= 0 {
		return int(list[i].Value)
	}
	return -1
}

// established is when both sides of event_negotiation have their SAs, and the answer is on its way.
const established = 11500 * time.Microsecond

// A negotiation as the monitor shows it while it goes on, when it is over, and when
// policy and SAs are gone.
func TestShowAlongANegotiation(t *testing.T) {
	s := fromCatalogue(t, "event_negotiation")
	v := show(t, s, "alice", 5*time.Millisecond)
	require.Equal(t, 5*time.Millisecond, v.At)
	require.Equal(t, s.Epoch().Add(v.At), v.Time)
	require.Len(t, *v.MainModes, 1)
	require.Equal(t, "negotiating", (*v.MainModes)[0].State)
	require.Empty(t, (*v.MainModes)[0].PeerID, "nobody has proved anything yet")
	require.Empty(t, v.QuickModes.Pairs)
	require.Equal(t, 1, value(v.Statistics.IKE, "Active Acquire"))
	require.Equal(t, 1, value(v.Statistics.Driver, "Pending Key Operations"))

	v = show(t, s, "alice", established)
	w := show(t, s, "bob", established)
	a, b := (*v.MainModes)[0], (*w.MainModes)[0]
	require.Equal(t, "established", a.State)
	require.Equal(t, "10.90.0.20", a.PeerID)
	require.Equal(t, []string{a.InitiatorCookie, a.ResponderCookie}, []string{b.InitiatorCookie, b.ResponderCookie})
	require.Equal(t, []string{"initiator", "responder"}, []string{a.Role, b.Role})
	require.Equal(t, 8*time.Hour, a.Age+a.Expires)
	require.Len(t, v.QuickModes.Pairs, 1)
	p, q := v.QuickModes.Pairs[0], w.QuickModes.Pairs[0]
	require.Equal(t, []string{p.InboundSPI, p.OutboundSPI}, []string{q.OutboundSPI, q.InboundSPI})
	require.Equal(t, "icmp 10.90.0.10 > 10.90.0.20", p.Filter)
	require.Equal(t, "icmp 10.90.0.20 > 10.90.0.10", q.Filter)
	require.Equal(t, time.Hour, p.Age+p.Expires)
	require.EqualValues(t, 100000, *p.Kilobytes)
	require.Equal(t, "local", v.Policy.Source)
	require.Equal(t, []string{"icmp"}, v.Policy.RuleNames)

	w = show(t, s, "bob", 15*time.Millisecond)
	require.Equal(t, "none", w.Policy.Source)
	require.Empty(t, w.QuickModes.Pairs)
	require.Empty(t, *w.MainModes)
	require.Empty(t, w.QMFilters.Specific)

	w = show(t, s, "bob", 30*time.Second)
	require.True(t, w.Off, "its power is cut")
	w = show(t, s, "bob", 0)
	require.Equal(t, 61*time.Second, w.At.Truncate(time.Second), "the end of the run")
	require.False(t, w.Off)
	require.Equal(t, 0, value(w.Statistics.IKE, "IKE Main Mode"), "statistics begin anew")
}

// The configuration is the one that the host works by; what set config has written waits
// for the next start.
func TestShowConfig(t *testing.T) {
	s := fromCatalogue(t, "event_log_interval")
	line := func(at time.Duration, label string) string {
		v := show(t, s, "server", at)
		if i := slices.IndexFunc(v.Config, func(l scenarios.Line) bool { return l.Name == label }); i >= 0 {
			return v.Config[i].Value
		}
		return ""
	}
	const label, later = "IPsec Log Interval", "IPsec Log Interval, At Next Start"
	require.Equal(t, "1h", line(30*time.Minute, label))
	require.Equal(t, "5m", line(30*time.Minute, later))
	require.Equal(t, "5m", line(64*time.Minute, label))
	require.Empty(t, line(64*time.Minute, later))
}

// A soft association is listed as long as it lives, also after the last step.
func TestShowSoftAssociations(t *testing.T) {
	s := fromCatalogue(t, "event_soft_association")
	v := show(t, s, "client", 4*time.Second)
	require.Len(t, v.QuickModes.Soft, 1)
	require.Equal(t, "10.93.0.20", v.QuickModes.Soft[0].Peer)
	require.Equal(t, 1, value(v.Statistics.IKE, "Soft Associations"))
	require.Empty(t, v.QuickModes.Pairs)
	v = show(t, s, "client", time.Hour)
	require.Equal(t, time.Hour, v.At)
	require.Empty(t, v.QuickModes.Soft, "it has expired, idle")
	require.Equal(t, 1, value(v.Statistics.IKE, "Soft Associations"), "and stays counted")
}

// A bundle is a pair for each protocol, and AH names the ESP inside.
func TestShowBundle(t *testing.T) {
	s := fromCatalogue(t, "event_negotiation")
	action := s.FilterActions["require"]
	action.Methods = []string{"AH[SHA1]+ESP[3DES,None]"}
	s.FilterActions["require"] = action
	v := show(t, s, "alice", established)
	require.Len(t, v.QuickModes.Pairs, 2)
	require.Equal(t, "ESP", v.QuickModes.Pairs[0].Protocol)
	require.Equal(t, "AH", v.QuickModes.Pairs[1].Protocol)
	require.Equal(t, v.QuickModes.Pairs[0].InboundSPI, v.QuickModes.Pairs[1].Around)
	require.Positive(t, value(v.Statistics.Driver, "Authenticated Bytes Sent"))
	require.Equal(t, value(v.Statistics.Driver, "Confidential Bytes Sent"), value(v.Statistics.Driver, "Authenticated Bytes Sent"))
}

// What a snapshot prints is the same whenever it is taken, and no part of the run.
func TestShowIsRepeatable(t *testing.T) {
	s := fromCatalogue(t, "event_negotiation")
	first := show(t, s, "alice", established)
	for range 3 {
		again := show(t, s, "alice", established)
		require.Equal(t, first.String(), again.String())
	}
	b, err := json.Marshal(first)
	require.NoError(t, err)
	var back scenarios.Snapshot
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, first.String(), back.String())
}

func TestShowOnly(t *testing.T) {
	v := show(t, fromCatalogue(t, "event_negotiation"), "alice", established)
	for _, part := range scenarios.Parts() {
		only, err := v.Only(part, "")
		require.NoError(t, err)
		require.NotEmpty(t, only.String())
		require.Equal(t, part == "mmsas" || part == "all", only.MainModes != nil, part)
		require.Equal(t, part == "qmsas" || part == "all", only.QuickModes != nil, part)
		require.Equal(t, slices.Contains([]string{"mmfilters", "filters", "all"}, part), only.MMFilters != nil, part)
		require.Equal(t, slices.Contains([]string{"qmfilters", "filters", "all"}, part), only.QMFilters != nil, part)
		require.Equal(t, part == "stats" || part == "all", only.Statistics != nil, part)
	}
	only, err := v.Only("filters", "generic")
	require.NoError(t, err)
	require.Empty(t, only.QMFilters.Specific)
	require.NotEmpty(t, v.QMFilters.Specific, "the snapshot itself is left alone")
	_, err = v.Only("stats", "generic")
	require.EqualError(t, err, "scenarios: show: only filters are generic or specific, not stats")
	_, err = v.Only("qmsa", "")
	require.ErrorContains(t, err, `there is no "qmsa"; did you mean "qmsas"?`)
}

func TestShowMistakes(t *testing.T) {
	s := fromCatalogue(t, "event_driver")
	for want, m := range map[string]scenarios.Moment{
		`scenarios: show: no host is called "servre": there are client, server; did you mean "server"?`: {Host: "servre"},
		"scenarios: show: mallory is no host but of type attacker, and has no IPsec":                    {Host: "mallory"},
		"scenarios: show: -1s is no time of a run: want more than 0 and at most 100 years":              {Host: "server", At: -time.Second},
		"scenarios: show: 1752000h is no time of a run: want more than 0 and at most 100 years":         {Host: "server", At: 200 * 365 * 24 * time.Hour},
	} {
		_, err := scenarios.Show(t.Context(), s, m)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, scenarios.ErrMoment)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := scenarios.Show(ctx, s, scenarios.Moment{Host: "server"})
	require.ErrorIs(t, err, context.Canceled)
}

// A tunnel has a rule for each direction; the pair is shown by what this host sends.
func TestShowTunnelPair(t *testing.T) {
	s := loadAll(t, "tunnel_before_transport.yaml")[0]
	for _, host := range []string{"client", "server"} {
		v, err := scenarios.Show(t.Context(), s, scenarios.Moment{Host: host, At: time.Minute})
		require.NoError(t, err)
		found := 0
		for _, pair := range v.QuickModes.Pairs {
			if pair.Mode != "tunnel" {
				continue
			}
			found++
			require.NotEmpty(t, pair.InboundRule)
			require.NotEqual(t, pair.Rule, pair.InboundRule)
			outbound := false
			for _, f := range v.QMFilters.Specific {
				outbound = outbound || f.Rule == pair.Rule && f.Direction == "outbound"
			}
			require.True(t, outbound, "%s: %s sends by no outbound filter", host, pair.Rule)
		}
		require.NotZero(t, found)
	}
}

// The text has durations as scenario files write them, and commas in all lists.
func TestShowTextForms(t *testing.T) {
	text := show(t, fromCatalogue(t, "tunnel_before_transport"), "client", time.Hour).String()
	for _, line := range []string{
		"Virtual Time                         : 1h\n",
		"Polling Interval                     : 3h\n",
		"Main Mode Lifetime                   : 8h\n",
		"Main Mode Security Methods           : 3DES-SHA1-3, 3DES-SHA1-2\n",
		"Active Rules                         : sql, out, back\n",
		"SA Idle Time                         : 5m\n",
		"Soft SA Idle Time                    : 5m\n",
		"Ties Among Filters                   : block, permit, negotiate\n",
	} {
		require.Contains(t, text, line)
	}
	require.NotRegexp(t, `[0-9][mh]0[ms]\n`, text)
}

// Routers and segments show what their observers have noted, at any time of the run, and
// nothing else.
func TestShowObservers(t *testing.T) {
	s := fromCatalogue(t, "observer_netflow")
	v := show(t, s, "gate", 10*time.Second)
	require.Nil(t, v.Policy)
	require.Len(t, v.Observers, 1)
	o := v.Observers[0]
	require.Equal(t, []string{"netflow", "account", "gate"}, []string{o.Name, o.Kind, o.Node})
	ended := 0
	for _, r := range o.Records {
		if r.End != "" {
			ended++
		}
	}
	require.Equal(t, len(o.Records)-4, ended, "the datagrams go on, and what followed the FINs of the second connection is a record of its own")
	text := v.String()
	for _, want := range []string{"Observer netflow (account)", "10.67.2.20 port 1433", "Ended                                : closed"} {
		require.Contains(t, text, want)
	}
	only, err := v.Only("observers", "")
	require.NoError(t, err)
	require.Equal(t, v.Observers, only.Observers)
	none, err := v.Only("firewall", "")
	require.NoError(t, err)
	require.Empty(t, none.Observers)

	v = show(t, fromCatalogue(t, "observer_sniffer"), "lan", 0)
	require.Equal(t, "probe", v.Observers[0].Kind)
	require.Contains(t, v.String(), "Service tcp/445")
	v = show(t, fromCatalogue(t, "observer_fair_queue"), "gate", 0)
	require.Equal(t, "queue", v.Observers[0].Kind)
	_, err = scenarios.Show(t.Context(), s, scenarios.Moment{Host: "servers"})
	require.ErrorIs(t, err, scenarios.ErrMoment, "a segment without observers")
}

// Pairs in UDP show the ports, of which two computers behind one NAT differ by theirs.
func TestShowPairsInUDP(t *testing.T) {
	for _, s := range loadAll(t, "nat_two_clients.yaml") {
		if s.Name != "nat_two_clients/track" {
			continue
		}
		v := show(t, s, "server", 3*time.Second)
		require.Len(t, v.QuickModes.Pairs, 2)
		a, b := v.QuickModes.Pairs[0], v.QuickModes.Pairs[1]
		require.Equal(t, "203.0.113.1", a.Peer)
		require.Equal(t, "203.0.113.1", b.Peer)
		require.Equal(t, uint16(4500), a.LocalPort)
		require.NotEqual(t, a.PeerPort, b.PeerPort)
		require.Contains(t, v.String(), fmt.Sprintf("transport in UDP, ports 4500 here and %d there", b.PeerPort))
		return
	}
	t.Fatal("the scenario is not there")
}
