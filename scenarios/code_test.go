package scenarios_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// inCode is a scenario without a file: one host asks another, and hosts the
// policy given.
func inCode(method string) *spec.Scenario {
	node := func(address string, serves ...spec.Service) spec.Node {
		return spec.Node{Interfaces: []spec.Interface{{Segment: "lan", Address: address}}, Serves: serves}
	}
	policy := func(peer string) spec.Policy {
		return spec.Policy{Rules: []spec.Rule{{
			Name: peer, FilterList: peer, FilterAction: "require", Auth: []spec.Authenticate{{PSK: "made in code, kept in code"}},
		}}}
	}
	return &spec.Scenario{
		Name: "in_code", Title: "a scenario made in code",
		Network:       spec.Network{Segments: map[string]spec.Segment{"lan": {}}},
		Nodes:         map[string]spec.Node{"client": node("192.0.2.1/24"), "server": node("192.0.2.2/24", spec.Service{TCP: 443})},
		FilterLists:   map[string][]spec.Filter{"server": {{Source: "me", Destination: "server"}}, "client": {{Source: "me", Destination: "client"}}},
		FilterActions: map[string]spec.FilterAction{"require": {Action: spec.ActionNegotiate, Methods: []string{method}}},
		Policies:      map[string]spec.Policy{"client": policy("server"), "server": policy("client")},
		Assignments:   map[string]string{"client": "client", "server": "server"},
		Steps: []spec.Step{{
			Connect: &spec.Connect{From: "client", To: "server", Port: 443},
			Expect:  &spec.Expect{Result: spec.ResultOK, Wire: &spec.Wire{Protection: spec.WireESP}},
		}},
	}
}

func TestScenarioMadeInCode(t *testing.T) {
	r := scenarios.Check(t, inCode("ESP[AES128,SHA1]"), scenarios.Options{})
	require.Equal(t, scenarios.Passed, r.Outcome)
	require.Len(t, r.SAs, 4)
}

func TestMistakesInCodeAreErrors(t *testing.T) {
	_, err := scenarios.Run(t.Context(), inCode("ESP[ROT13,SHA1]"), scenarios.Options{})
	require.ErrorContains(t, err, "$.filter-actions.require.security-methods[0]")
	require.ErrorContains(t, err, "ROT13")
}

// recorder is a T that remembers what a failing scenario tells it.
type recorder struct {
	*testing.T
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) { r.errors = append(r.errors, format) }

func TestCheckReportsWhatDidNotPass(t *testing.T) {
	s := inCode("ESP[AES128,SHA1]")
	s.Steps[0].Expect.Result = spec.ResultTimeout
	s.Steps[0].Expect.Wire.Protection = spec.WireClear
	r := &recorder{T: t}
	out := scenarios.Check(r, s, scenarios.Options{})
	require.Len(t, r.errors, 2)
	require.Equal(t, scenarios.Failed, out.Outcome)
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := scenarios.Run(ctx, load(t, "time_business_day.yaml"), scenarios.Options{})
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}
