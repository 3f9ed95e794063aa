package scenarios

import (
	"context"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// T is what Check needs of a *testing.T.
type T interface {
	Helper()
	Context() context.Context
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Check runs a scenario as a test: everything that did not pass is an error of
// t, with the line of the scenario file. The result is for further assertions.
func Check(t T, s *spec.Scenario, o Options) *Result {
	t.Helper()
	r, err := Run(t.Context(), s, o)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	for _, step := range r.Steps {
		if step.Outcome == result.Broken {
			t.Errorf("step %d (line %d), %s: broken: %v", step.Index, step.Line, step.Title, step.Got)
		}
		for _, c := range step.Checks {
			if c.Outcome != result.Passed {
				t.Errorf("step %d, %s: line %d: %s: %s: %s", step.Index, step.Title, c.Line, c.Outcome, c.Name, c.Reason)
			}
		}
	}
	for _, c := range r.Invariants {
		if c.Outcome != result.Passed {
			t.Errorf("invariant, line %d: %s: %s: %s", c.Line, c.Outcome, c.Name, c.Reason)
		}
	}
	if o.Dir != "" {
		t.Logf("evidence: %s", o.Dir)
	}
	return r
}
