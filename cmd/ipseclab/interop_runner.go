package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipseclab/ipseclab/interop/matrix"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// newCellRunner makes what runs the cells of the interop matrix; tests put something else here.
var newCellRunner = func() matrix.Runner { return labRunner{} }

// labRunner runs the cells in which the lab takes both roles.
type labRunner struct{}

func (labRunner) Available(context.Context) ([]matrix.Availability, error) {
	return []matrix.Availability{{Driver: matrix.Virtual, Version: "virtual time"}}, nil
}

// Probe says that there are no real peers here.
func (labRunner) Probe(_ context.Context, s matrix.System, d matrix.Driver) error {
	return fmt.Errorf("driver %s has no system %s", d, s)
}

func (labRunner) Run(ctx context.Context, c matrix.Cell, dir string) (matrix.Result, error) {
	s, err := scenarioOf(c)
	if err != nil {
		return matrix.Result{}, err
	}
	r, stack, err := guarded(ctx, s, scenarios.Options{Dir: dir, Reporter: reporter{}})
	if stack != nil {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, stackFile), stack, 0o644))
	}
	if err != nil {
		return matrix.Result{}, err
	}
	return matrix.Result{Outcome: r.Outcome, Reason: why(r)}, nil
}

// scenarioOf reads the scenario of a cell.
func scenarioOf(c matrix.Cell) (*spec.Scenario, error) {
	all, err := scenarios.LoadAllFS(c.FS, c.File)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name == c.Scenario() {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s has no scenario %s", c.File, c.Scenario())
}
