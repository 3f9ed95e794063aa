package scenarios_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// predefinedPair is a client that only responds and a server with a policy.
func predefinedPair(server string) *spec.Scenario {
	s := inCode("ESP[AES128,SHA1]")
	s.Policies, s.KerberosStandIn = map[string]spec.Policy{}, "one domain for the two of them"
	s.Assignments = map[string]string{"client": "client-respond-only", "server": server}
	s.Steps = append(s.Steps, s.Steps[0])
	s.Steps[0].Expect = &spec.Expect{Result: spec.ResultOK, Wire: &spec.Wire{Protection: spec.WireMixed}}
	return s
}

// Rules of a file use what is predefined, and what the file calls by such a name is its own.
func TestPredefinedAndOwn(t *testing.T) {
	cipher := func(s *spec.Scenario) string {
		t.Helper()
		r := scenarios.Check(t, s, scenarios.Options{})
		require.NotEmpty(t, r.SAs)
		return r.SAs[0].Cipher
	}
	require.Equal(t, "3des-cbc", cipher(predefinedPair("secure-server-require-security")))

	// The filter action is shared: with one of the same name the predefined policy has other methods.
	s := predefinedPair("secure-server-require-security")
	s.FilterActions["require-security"] = spec.FilterAction{Action: spec.ActionNegotiate, InPass: true, Methods: []string{"ESP[None,SHA1]"}}
	require.Equal(t, "null", cipher(s))

	// A rule names list and action; a policy that begins as a predefined one takes a rule more.
	s = predefinedPair("mine")
	s.Policies["mine"] = spec.Policy{Rules: []spec.Rule{{FilterList: "all-ip-traffic", FilterAction: "require-security"}}}
	s.Steps[0].Expect.Rule = &spec.RuleExpect{To: "mine/all-ip-traffic"}
	require.Equal(t, "3des-cbc", cipher(s))

	s = predefinedPair("mine")
	s.Policies["mine"] = spec.Policy{
		Predefined: "secure-server-require-security", Rules: []spec.Rule{{FilterList: "client", FilterAction: "permit"}},
	}
	for i := range s.Steps {
		s.Steps[i].Expect = &spec.Expect{Wire: &spec.Wire{Protection: spec.WireClear}, Rule: &spec.RuleExpect{To: "mine/client"}}
	}
	scenarios.Check(t, s, scenarios.Options{})
}

// Without a domain the policy takes a preshared key, and the default response rule may be deactivated.
func TestPredefinedWithKey(t *testing.T) {
	for _, deactivated := range []bool{false, true} {
		s := predefinedPair("server")
		s.KerberosStandIn = ""
		auth := []spec.Authenticate{{PSK: "as long as a preshared key should be"}}
		s.Policies["server"] = spec.Policy{Predefined: "server-request-security", Auth: auth}
		s.Policies["client"] = spec.Policy{Predefined: "client-respond-only", Auth: auth}
		s.Assignments["client"] = "client"
		if deactivated {
			active := false
			p := s.Policies["client"]
			p.DefaultResponse = &spec.DefaultResponse{Active: &active}
			s.Policies["client"] = p
			s.Steps[0].Expect.Wire.Protection, s.Steps[1].Expect = spec.WireClear, s.Steps[0].Expect
		}
		scenarios.Check(t, s, scenarios.Options{})
	}
}

// A policy that nobody is given is no policy of the scenario.
func TestPredefinedInUse(t *testing.T) {
	s := inCode("ESP[AES128,SHA1]")
	require.Empty(t, s.PredefinedInUse())
	s.KerberosStandIn = "one domain"
	s.Steps = append(s.Steps, spec.Step{AssignPolicy: &spec.AssignPolicy{Host: "server", Policy: "client-respond-only"}})
	require.Equal(t, []string{"client-respond-only"}, s.PredefinedInUse())
	s.Policies["client-respond-only"] = spec.Policy{}
	require.Empty(t, s.PredefinedInUse())
	require.True(t, slices.Contains(s.AssignedPolicies(), "client-respond-only"))
}
