package main

import (
	"context"
	"fmt"
	"runtime/debug"
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
}

// runAll runs scenarios, jobs of them at a time, and gives each as it comes to
// an end. The channel is closed when no more will come: after the last one, or
// soon after ctx has ended.
func runAll(ctx context.Context, dir *results, all []*spec.Scenario, seed uint64, jobs int) <-chan finished {
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
				if r := runOne(ctx, dir, all[i], seed); r != nil {
					done <- finished{i, r, time.Since(start)}
				}
			}
		})
	}
	go func() { workers.Wait(); close(done) }()
	return done
}

// runOne runs a scenario into a folder that gets its name once it is complete.
// What breaks the lab breaks this scenario only. The result is nil when ctx
// ended before the scenario did.
func runOne(ctx context.Context, dir *results, s *spec.Scenario, seed uint64) *result.Scenario {
	if ctx.Err() != nil {
		return nil
	}
	part, err := dir.begin(s.Name)
	if err != nil {
		return broken(s, seed, err)
	}
	r, stack, err := guarded(ctx, s, scenarios.Options{Seed: seed, Dir: part, Reporter: reporter{}})
	if err != nil && ctx.Err() != nil {
		dir.abandon(s.Name)
		return nil
	}
	if err != nil {
		r = broken(s, seed, err)
		if err := dir.broke(r, stack); err != nil {
			r.Reason += "; and the evidence is incomplete: " + err.Error()
		}
	}
	if err := dir.finish(s.Name); err != nil {
		return broken(s, seed, err)
	}
	return r
}

// run is what runs a scenario; tests put something else here to break the lab.
var run = scenarios.Run

// guarded is run with a panic made an error: one world that breaks must not take
// the results of the others with it.
func guarded(ctx context.Context, s *spec.Scenario, o scenarios.Options) (r *result.Scenario, stack []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, stack, err = nil, debug.Stack(), fmt.Errorf("panic: %v", p)
		}
	}()
	r, err = run(ctx, s, o)
	return r, nil, err
}

// broken is the result of a scenario that the lab could not run.
func broken(s *spec.Scenario, seed uint64, err error) *result.Scenario {
	if seed == 0 {
		seed = s.RandomSeed()
	}
	return &result.Scenario{
		Name: s.Name, Cell: scenarios.Settings(s), Long: s.Long, Title: s.Title, Story: s.Story, Claims: s.Claims, File: s.File(), Seed: seed, Start: s.Epoch(),
		Outcome: result.Broken, Reason: err.Error(),
		Segments: []result.Segment{}, Nodes: []result.Node{}, Steps: []result.Step{},
	}
}

// reporter writes the report of a scenario.
type reporter struct{}

func (reporter) Report(dir string) error { return reports.Scenario(dir) }
