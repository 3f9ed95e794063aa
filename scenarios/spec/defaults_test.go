package spec

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDefaults: what the table in defaults.go says.
func TestDefaults(t *testing.T) {
	var s Scenario
	require.Equal(t, uint64(1), s.RandomSeed())
	require.Equal(t, "2005-03-30T00:00:00Z", s.Epoch().Format(time.RFC3339))
	require.Equal(t, 100*time.Microsecond, Segment{}.Delay())
	require.Equal(t, 1500, Segment{}.PacketSize())
	require.Equal(t, TypeHost, Node{}.Kind())
	require.False(t, Node{}.Router())
	require.True(t, Node{Type: "router"}.Router())
	margin, idle := Node{}.Settings().RekeyBefore()
	require.Zero(t, margin)
	require.False(t, idle)
	margin, idle = Node{IPsec: &IPsec{Rekey: &Rekey{Margin: Duration(time.Minute), Idle: true}}}.Settings().RekeyBefore()
	require.Equal(t, time.Minute, margin)
	require.True(t, idle)
	require.Zero(t, Filter{}.ProtocolNumber())
	require.True(t, Filter{}.BothWays())
	no := false
	require.False(t, Filter{Mirrored: &no}.BothWays())
	require.Equal(t, 8*time.Hour, MainMode{}.Expiry())
	require.Equal(t, "sql", Rule{FilterList: "sql"}.Label())
	require.Equal(t, "own", Rule{Name: "own", FilterList: "sql"}.Label())

	var p Ping
	require.Equal(t, []int{1, 32}, []int{p.Requests(), p.DataBytes()})
	require.Equal(t, []time.Duration{time.Second, 5 * time.Second}, []time.Duration{p.Gap(), p.Patience()})
	var c Connect
	require.Equal(t, []int{64, 512}, []int{c.RequestBytes(), c.ResponseBytes()})
	require.Equal(t, 30*time.Second, c.Patience())
	require.Equal(t, 10*time.Minute, Transfer{}.Patience())
	var u UDP
	require.Equal(t, []int{1, 64}, []int{u.Datagrams(), u.PayloadBytes()})
	require.Equal(t, []time.Duration{time.Second, 5 * time.Second}, []time.Duration{u.Gap(), u.Patience()})
	require.True(t, AssignPolicy{}.Unassigns())
	require.True(t, AssignPolicy{Policy: "none"}.Unassigns())
	require.False(t, AssignPolicy{Policy: "p"}.Unassigns())
	require.Equal(t, 30*time.Second, RestartHost{}.Boots())
	require.Equal(t, ChecksumsAll, Tamper{}.Repairs())
	require.Equal(t, 64, Spoof{}.DataBytes())
	require.Equal(t, []any{"tcp", 64, 900 * time.Millisecond}, []any{Scan{}.Transport(), Scan{}.Together(), Scan{}.Patience()})
	var r Repeat
	require.Equal(t, []time.Duration{1, time.Millisecond, time.Second}, []time.Duration{time.Duration(r.Times()), r.Gap(), r.Watching()})
}

func TestGivenBeatsDefault(t *testing.T) {
	p := Ping{Count: 3, Size: 1400, Interval: Duration(2 * time.Second), Timeout: Duration(time.Minute)}
	require.Equal(t, []int{3, 1400}, []int{p.Requests(), p.DataBytes()})
	require.Equal(t, []time.Duration{2 * time.Second, time.Minute}, []time.Duration{p.Gap(), p.Patience()})
	s := Scenario{Seed: 9, Start: time.Date(2020, 1, 1, 1, 0, 0, 0, time.FixedZone("CET", 3600))}
	require.Equal(t, uint64(9), s.RandomSeed())
	require.Equal(t, "2020-01-01T00:00:00Z", s.Epoch().Format(time.RFC3339))
}

func TestSteps(t *testing.T) {
	for _, tc := range []struct {
		step        Step
		verb, words string
		from, to    string
	}{
		{Step{Ping: &Ping{From: "a", To: "b"}}, "ping", "ping a → b", "a", "b"},
		{Step{Connect: &Connect{From: "a", To: "b", Port: 80}}, "connect", "connect a → b, TCP port 80", "a", "b"},
		{Step{Transfer: &Transfer{From: "a", To: "b", Port: 80, Bytes: 10 << 20}}, "transfer", "transfer 10M bytes a → b, TCP port 80", "a", "b"},
		{Step{UDP: &UDP{From: "a", To: "b", Port: 53}}, "udp", "udp a → b, port 53", "a", "b"},
		{Step{Raw: &Raw{From: "a", To: "b", Protocol: 46}}, "raw", "raw a → b, protocol 46", "a", "b"},
		{Step{Announce: &Announce{From: "a", To: "224.0.0.251", Port: 53}}, "announce", "announce a → 224.0.0.251, port 53", "a", "224.0.0.251"},
		{Step{Scan: &Scan{From: "a", To: "b", Ports: Range{1, 1024}}}, "scan", "scan a → b, TCP ports 1..1024", "a", "b"},
		{Step{Discover: &Discover{From: "a", Servers: []string{"b", "c"}}}, "discover", "discover what is between a and b, c", "a", "b"},
		{Step{Enrol: &Enrol{SCEPServer: SCEPServer{From: "a", To: "b"}}}, "enrol", "a enrols at b", "a", "b"},
		{Step{Enrol: &Enrol{SCEPServer: SCEPServer{From: "a", To: "b"}, Renew: true}}, "enrol", "a renews its certificate at b", "a", "b"},
		{Step{FetchList: &FetchList{SCEPServer: SCEPServer{From: "a", To: "b"}}}, "fetch-list", "a fetches a revocation list from b", "a", "b"},
		{Step{Netsh: &Netsh{Host: "a", Run: "netsh"}}, "netsh", "netsh on a", "", ""},
		{Step{Wait: Duration(time.Hour)}, "wait", "wait 1h", "", ""},
		{Step{SetLink: &SetLink{Node: "a"}}, "set-link", "set the link of a", "", ""},
		{Step{SetFirewall: &SetFirewall{Node: "a"}}, "set-firewall", "set the firewall of a", "", ""},
		{Step{SetHostFirewall: &SetHostFirewall{Host: "a"}}, "set-host-firewall", "set the firewall of a", "", ""},
		{Step{AssignPolicy: &AssignPolicy{Host: "a", Policy: "p"}}, "assign-policy", "assign p to a", "", ""},
		{Step{AssignPolicy: &AssignPolicy{Host: "a"}}, "assign-policy", "unassign the policy of a", "", ""},
		{Step{RestartHost: &RestartHost{Host: "a"}}, "restart-host", "restart a", "", ""},
		{Step{PolicyAgent: &PolicyAgent{Host: "a", Action: "stop"}}, "policy-agent", "stop the policy agent of a", "", ""},
		{Step{StorePolicy: &StorePolicy{Host: "a", Policy: "p", As: "q"}}, "store-policy", "store q at a", "", ""},
		{Step{NAT: &NATStep{Node: "a", Reboot: true}}, "nat", "a reboots", "", ""},
		{Step{NAT: &NATStep{Node: "a", Flush: true}}, "nat", "a forgets its mappings", "", ""},
		{Step{NAT: &NATStep{Node: "a", ChangeAddress: "10.0.0.9"}}, "nat", "a gets the address 10.0.0.9", "", ""},
		{Step{SetAddress: &SetAddress{Node: "a"}}, "set-address", "set the address of a", "", ""},
		{Step{IPConfig: &IPConfig{Node: "a", Action: "renew"}}, "ipconfig", "ipconfig /renew on a", "", ""},
		{Step{SetServers: &SetServers{Node: "a"}}, "set-servers", "set the servers of a", "", ""},
		{Step{SetName: &SetName{Name: "a.example"}}, "set-name", "a.example is at no address", "", ""},
		{Step{Run: &Run{On: "a", Command: "uname -a\nid"}}, "run", "run on a: uname -a …", "", ""},
		{Step{Tamper: &Tamper{By: "m", Link: "a", Change: []Change{{}}}}, "tamper", "m tampers on the link of a", "", ""},
		{Step{Tamper: &Tamper{By: "m", Link: "a"}}, "tamper", "m leaves the link of a alone", "", ""},
		{Step{Replay: &Replay{By: "m"}}, "replay", "m replays", "", ""},
		{Step{Inject: &Inject{By: "m", Source: "a", Destination: "b"}}, "inject", "m injects a → b", "", ""},
		{Step{Spoof: &Spoof{By: "m", As: "a", To: "b", Message: "tcp-reset"}}, "spoof", "m forges tcp-reset, a → b", "", ""},
		{Step{Title: "own words", Wait: 1}, "wait", "own words", "", ""},
		{Step{}, "", "", "", ""},
	} {
		from, to, ok := tc.step.Ends()
		require.Equal(t, []string{tc.verb, tc.words, tc.from, tc.to}, []string{tc.step.Verb(), tc.step.Words(), from, to})
		require.Equal(t, tc.from != "", ok)
	}
	var verbs []string
	for _, s := range []Step{{Ping: &Ping{}}, {Connect: &Connect{}}, {Transfer: &Transfer{}}, {UDP: &UDP{}}, {Raw: &Raw{}}, {Announce: &Announce{}}, {Scan: &Scan{}}, {Discover: &Discover{}}, {Enrol: &Enrol{}}, {FetchList: &FetchList{}}, {Wait: 1}, {SetLink: &SetLink{}}, {SetFirewall: &SetFirewall{}}, {NAT: &NATStep{}}, {SetHostFirewall: &SetHostFirewall{}}, {AssignPolicy: &AssignPolicy{}}, {RestartHost: &RestartHost{}},
		{PolicyAgent: &PolicyAgent{}}, {StorePolicy: &StorePolicy{}}, {Netsh: &Netsh{}}, {SetAddress: &SetAddress{}}, {IPConfig: &IPConfig{}}, {SetServers: &SetServers{}}, {SetName: &SetName{}}, {Run: &Run{}},
		{Tamper: &Tamper{}}, {Replay: &Replay{}}, {Inject: &Inject{}}, {Spoof: &Spoof{}}} {
		verbs = append(verbs, s.Verb())
	}
	require.Equal(t, verbNames, verbs)
}

func TestLinkSegment(t *testing.T) {
	s := built()
	require.Equal(t, "lan", s.LinkSegment(&SetLink{Node: "alice"}))
	require.Equal(t, "wan", s.LinkSegment(&SetLink{Node: "alice", Segment: "wan"}))
}
