package scenarios

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Guarded runs a scenario with run, which is Run as a rule, and makes a panic an error with the
// stack: who runs many scenarios loses one of them, and not all.
func Guarded(ctx context.Context, s *spec.Scenario, o Options, run func(context.Context, *spec.Scenario, Options) (*Result, error)) (r *Result, stack []byte, err error) {
	defer func() { // a mistake in the lab breaks this world, whose evidence keeps the stack
		if p := recover(); p != nil {
			r, stack, err = nil, debug.Stack(), fmt.Errorf("panic: %v", p)
		}
	}()
	r, err = run(ctx, s, o)
	return r, nil, err
}
