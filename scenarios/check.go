package scenarios

import (
	"context"
	"path/filepath"
	"strings"

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

// Runner is a T with subtests: *testing.T is one.
type Runner[S T] interface {
	T
	Run(name string, f func(S)) bool
}

// Cells runs the scenarios of a file, as LoadAll gives them, with Check: each
// cell is a subtest under its name, and its evidence goes to the folder of that
// name in o.Dir. A file without cells is checked by t itself.
func Cells[S Runner[S]](t S, all []*spec.Scenario, o Options) {
	t.Helper()
	for _, s := range all {
		_, cell, ok := strings.Cut(s.Name, "/")
		if !ok {
			Check(t, s, o)
			continue
		}
		t.Run(cell, func(t S) {
			t.Helper()
			o := o
			if o.Dir != "" {
				o.Dir = filepath.Join(o.Dir, cell)
			}
			Check(t, s, o)
		})
	}
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
