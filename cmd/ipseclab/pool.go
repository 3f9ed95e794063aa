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

// runOptions say how scenarios are run.
type runOptions struct {
	keep  func(*spec.Scenario) bool // which of them leave their evidence even if they pass
	seed  uint64                    // 0: theirs
	jobs  int                       // how many at a time
	peers *peerDriver
}

// runAll runs scenarios and gives each as it comes to an end. The channel is closed when
// no more will come: after the last one, or soon after ctx has ended.
func runAll(ctx context.Context, dir *results, all []*spec.Scenario, o runOptions) <-chan finished {
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
	for range min(o.jobs, len(all)) {
		workers.Go(func() {
			for i := range next {
				start := time.Now()
				r, kept := runOne(ctx, dir, all[i], o)
				if r != nil {
					done <- finished{i, r, time.Since(start), kept}
				}
			}
		})
	}
	go func() { workers.Wait(); close(done) }()
	return done
}

// runOne runs a scenario into a folder of its own, as runInto does.
// What breaks the lab breaks this scenario only. The result is nil when ctx
// ended before the scenario did. Unless keep is set, a scenario that passes leaves no
// folder; one that does not is run again for it, and is the same to the byte.
func runOne(ctx context.Context, dir *results, s *spec.Scenario, o runOptions) (r *result.Scenario, kept bool) {
	seed := o.seed
	driver, err := o.peers.of(s)
	if err != nil {
		return broken(s, seed, err), false
	}
	if ctx.Err() != nil {
		return nil, false
	}
	if len(s.Peers()) == 0 && !o.keep(s) {
		r, _, err := guarded(ctx, s, scenarios.Options{Seed: seed})
		if err == nil && r.Outcome == result.Passed {
			return r, false
		}
	}
	return runInto(ctx, dir, s, scenarios.Options{Seed: seed, Peers: driver})
}

// runInto runs a scenario into its folder, which gets its name once it is complete.
// The result is nil when ctx ended before the scenario did.
func runInto(ctx context.Context, dir *results, s *spec.Scenario, o scenarios.Options) (r *result.Scenario, kept bool) {
	part, err := dir.begin(s.Name)
	if err != nil {
		return broken(s, o.Seed, err), false
	}
	o.Dir, o.Reporter = part, reporter{}
	r, stack, err := guarded(ctx, s, o)
	if err != nil && ctx.Err() != nil {
		dir.abandon(s.Name)
		return nil, false
	}
	if err != nil {
		r = broken(s, o.Seed, err)
		if err := dir.broke(r, stack); err != nil {
			r.Reason += "; and the evidence is incomplete: " + err.Error()
		}
	}
	if err := dir.finish(s.Name); err != nil {
		return broken(s, o.Seed, err), false
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
		Clock: scenarios.Clock(s), Grid: scenarios.Place(s), Outcome: result.Broken, Reason: err.Error(),
		Segments: []result.Segment{}, Nodes: []result.Node{}, Steps: []result.Step{},
	}
}

// reporter writes the report of a scenario.
type reporter struct{}

func (reporter) Report(dir string) error { return reports.Scenario(dir) }
