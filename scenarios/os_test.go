package scenarios_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/profile"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// systems is a scenario of two hosts with operating systems; the client asks the server.
// Between those who know IPsec it is protected, in transport mode where both have it.
func systems(client, server *profile.Profile) *spec.Scenario {
	s := inCode("ESP[3DES,SHA1]")
	for host, p := range map[string]*profile.Profile{"client": client, "server": server} {
		n := s.Nodes[host]
		n.OS = p.Name
		n.HostFirewall = &spec.HostFirewall{Kind: "none"} // that of Windows XP SP2 is on as the system comes, and this is about IPsec
		s.Nodes[host] = n
	}
	if !client.IPsec || !server.IPsec {
		s.Assignments = nil
		s.Steps[0].Expect.Wire.Protection = spec.WireClear
		return s
	}
	mirrored := slices.Contains(client.Modes, "transport") && slices.Contains(server.Modes, "transport")
	s.FilterLists = map[string][]spec.Filter{
		"there": {{Source: "client", Destination: "server", Mirrored: &mirrored}},
		"back":  {{Source: "server", Destination: "client", Mirrored: &mirrored}},
	}
	auth := []spec.Authenticate{{PSK: "one key for all of them, whoever made them"}}
	p := spec.Policy{
		MainMode: spec.MainMode{Methods: []string{"3DES-MD5-2"}},
		Rules:    []spec.Rule{{FilterList: "there", FilterAction: "require", Auth: auth}},
	}
	if !mirrored {
		p.Rules[0].Tunnel = "server"
		p.Rules = append(p.Rules, spec.Rule{FilterList: "back", FilterAction: "require", Auth: auth, Tunnel: "client"})
	}
	s.Policies = map[string]spec.Policy{"client": p, "server": p}
	return s
}

// Each profile runs, beside Windows Server 2003: as the one who asks, and as the one who is asked.
func TestEachSystemRuns(t *testing.T) {
	windows, ok := profile.Named("windows-2003-sp1")
	require.True(t, ok)
	for _, p := range profile.All() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			for _, s := range []*spec.Scenario{systems(p, windows), systems(windows, p)} {
				r := scenarios.Check(t, s, scenarios.Options{})
				require.Equal(t, scenarios.Passed, r.Outcome)
				for _, n := range r.Nodes {
					want, _ := profile.Named(n.OS)
					require.Equal(t, want.Unsure(), n.Unconfirmed)
				}
			}
		})
	}
}

// What a host says itself beats what its system has by default.
func TestSettingsBeatSystem(t *testing.T) {
	three := 3
	n := spec.Node{OS: "windows-2000-sp4"}
	s := n.Settings()
	require.Equal(t, 0, s.DefaultExempt())
	require.True(t, s.BypassIPv6())
	require.Equal(t, 3*time.Second, s.FallingBack().After.Span())
	require.Len(t, s.Gaps(), 6)
	require.Equal(t, byte(2), s.Vendors()[0][19])

	n.IPsec = &spec.IPsec{
		NoDefaultExempt: &three, IPv6: spec.IPv6Policy, FallBack: &spec.FallBack{After: spec.Duration(time.Second)},
		Retransmit: []spec.Duration{spec.Duration(time.Minute)}, VendorIDs: []string{},
	}
	s = n.Settings()
	require.Equal(t, 3, s.DefaultExempt())
	require.False(t, s.BypassIPv6())
	require.Equal(t, time.Second, s.FallingBack().After.Span())
	require.Equal(t, []time.Duration{time.Minute}, s.Gaps())
	require.NotNil(t, s.Vendors())
	require.Empty(t, s.Vendors())
	require.Nil(t, spec.Node{}.Settings().Vendors())
	require.True(t, spec.Node{OS: "xbox"}.Settings().NoIKE)
	require.True(t, spec.Node{OS: "hp-ux"}.Settings().ShortenMainMode)
}

// Two systems that know different gaps fall back and are watched by the wire oracle all the
// same: it reckons with the schedule of the host.
func TestOracleKnowsTheSchedule(t *testing.T) {
	s := inCode("ESP[3DES,SHA1]")
	s.FilterActions["require"] = spec.FilterAction{Action: spec.ActionNegotiate, Soft: true, Methods: []string{"ESP[3DES,SHA1]"}}
	n := s.Nodes["client"]
	n.IPsec = &spec.IPsec{
		Retransmit: []spec.Duration{spec.Duration(2 * time.Minute), spec.Duration(2 * time.Minute)},
		FallBack:   &spec.FallBack{After: spec.Duration(100 * time.Second)},
	}
	s.Nodes["client"] = n
	delete(s.Assignments, "server")
	s.Steps[0].Connect.Timeout = spec.Duration(4 * time.Minute)
	s.Steps[0].Expect.Wire.Protection = spec.WireClear
	scenarios.Check(t, s, scenarios.Options{})
}

// Lint takes what a system has by default for the host's, and does not ask for a boot mode
// where there is none to set.
func TestLintKnowsSystems(t *testing.T) {
	found := func(os string) (rules []string) {
		s := inCode("ESP[3DES,SHA1]")
		n := s.Nodes["server"]
		n.OS = os
		n.IPsec = &spec.IPsec{Startup: spec.Startup{AgentDelay: spec.Duration(time.Minute)}}
		if os == "windows-2003" {
			n.IPsec.BootMode = spec.BootPermit
		}
		s.Nodes["server"] = n
		all, err := scenarios.Lint(s, scenarios.LintOptions{})
		require.NoError(t, err)
		for _, f := range all {
			rules = append(rules, f.Rule.ID)
		}
		return rules
	}
	require.Contains(t, found("windows-2003"), "boot-open")
	require.NotContains(t, found("windows-2003"), "exempt-kerberos")
	require.NotContains(t, found("windows-xp"), "boot-open")
	require.Contains(t, found("windows-xp"), "exempt-kerberos")
}
