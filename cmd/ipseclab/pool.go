package main

import (
	"context"
	"sync"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/reports"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// finished is a scenario that came to an end.
type finished struct {
	index  int // in the order of the command line
	result *result.Scenario
	wall   time.Duration
	kept   bool // it has left its evidence
}

// runAll runs scenarios, jobs of them at a time, and gives each as it comes to
// an end. keep says which of them leave their evidence even if they pass. The channel is closed when no more will come: after the last one, or
// soon after ctx has ended.
func runAll(ctx context.Context, dir *results, all []*spec.Scenario, keep func(*spec.Scenario) bool, seed uint64, jobs int) <-chan finished {
	next, done := make(chan int), make(chan finished)
	go func() {
		defer close(next)
		for i := range all {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range min(jobs, len(all)) {
		workers.Go(func() {
			for i := range next {
				start := time.Now()
				r, kept := runOne(ctx, dir, all[i], keep(all[i]), seed)
				if r != nil {
					done <- finished{i, r, time.Since(start), kept}
				}
			}
		})
	}
	go func() { workers.Wait(); close(done) }()
	return done
}

// runOne runs a scenario into a folder that gets its name once it is complete.
// What breaks the lab breaks this scenario only. The result is nil when ctx
// ended before the scenario did. Unless keep is set, a scenario that passes leaves no
// folder; one that does not is run again for it, and is the same to the byte.
func runOne(ctx context.Context, dir *results, s *spec.Scenario, keep bool, seed uint64) (r *result.Scenario, kept bool) {
	if ctx.Err() != nil {
		return nil, false
	}
	if !keep {
		r, _, err := guarded(ctx, s, scenarios.Options{Seed: seed})
		if err == nil && r.Outcome == result.Passed {
			return r, false
		}
	}
	part, err := dir.begin(s.Name)
	if err != nil {
		return broken(s, seed, err), false
	}
	r, stack, err := guarded(ctx, s, scenarios.Options{Seed: seed, Dir: part, Reporter: reporter{}})
	if err != nil && ctx.Err() != nil {
		dir.abandon(s.Name)
		return nil, false
	}
	if err != nil {
		r = broken(s, seed, err)
		if err := dir.broke(r, stack); err != nil {
			r.Reason += "; and the evidence is incomplete: " + err.Error()
		}
	}
	if err := dir.finish(s.Name); err != nil {
		return broken(s, seed, err), false
	}
	return r, true
}

// run is what runs a scenario; tests put something else here to break the lab.
var run = scenarios.Run

// guarded is run with a panic made an error: one world that breaks must not take
// the results of the others with it.
func guarded(ctx context.Context, s *spec.Scenario, o scenarios.Options) (*result.Scenario, []byte, error) {
	return scenarios.Guarded(ctx, s, o, run)
}

// broken is the result of a scenario that the lab could not run.
func broken(s *spec.Scenario, seed uint64, err error) *result.Scenario {
	if seed == 0 {
		seed = s.RandomSeed()
	}
	return &result.Scenario{
		Name: s.Name, Cell: scenarios.Settings(s), Long: s.Long, Title: s.Title, Story: s.Story, Claims: s.Claims, File: s.File(), Seed: seed, Start: s.Epoch(),
		Grid: scenarios.Place(s), Outcome: result.Broken, Reason: err.Error(),
		Segments: []result.Segment{}, Nodes: []result.Node{}, Steps: []result.Step{},
	}
}

// reporter writes the report of a scenario.
type reporter struct{}

func (reporter) Report(dir string) error { return reports.Scenario(dir) }
