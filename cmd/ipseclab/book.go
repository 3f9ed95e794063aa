package main

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/reports"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// book keeps the results of a run, in the order of the command line.
type book struct {
	dir     *results
	started time.Time
	run     *result.Run
	done    []*finished // nil: not finished

	finished, saved int // scenarios, and how many of them when last due
}

func newBook(dir *results, started time.Time, all []*spec.Scenario) *book {
	return &book{dir: dir, started: started, done: make([]*finished, len(all)), run: &result.Run{
		Schema: result.RunSchema, Version: version(debug.ReadBuildInfo()), GoVersion: runtime.Version(),
		Started: started.UTC(), Outcome: result.Passed, Totals: map[result.Outcome]int{},
	}}
}

func (b *book) add(f finished) {
	b.done[f.index] = &f
	b.run.Wall = time.Since(b.started)
	b.run.Outcome = b.run.Outcome.Worse(f.result.Outcome)
	b.run.Totals[f.result.Outcome]++
	b.finished++
}

// due reports whether it is time for save: after each scenario at first, and ever
// more seldom in a long run, of which all is written each time.
func (b *book) due() bool {
	if b.finished-b.saved <= b.saved/16 {
		return false
	}
	b.saved = b.finished
	return true
}

// entry is a finished scenario's line in the run.
func (b *book) entry(i int) result.Entry {
	f, r := b.done[i], b.done[i].result
	e := result.Entry{
		Name: r.Name, Cell: r.Cell, Long: r.Long, Title: r.Title, Claims: r.Claims, Outcome: r.Outcome, Reason: why(r),
		Seed: r.Seed, Clock: r.Clock, Virtual: r.Virtual, Wall: f.wall, Frames: r.Frames,
	}
	if f.kept {
		e.Dir = r.Name
	}
	return e
}

func (b *book) unfinished() int { return len(b.done) - b.finished }

// save writes results.json.
func (b *book) save(run *result.Run) error { return writeJSON(b.dir.path(resultsFile), run) }

// ended is the run as it is left behind. One that is still going is an interrupted
// one, should the program not live to say otherwise: nothing is known of what it
// did not finish, so that it has not passed, whatever the rest did.
func (b *book) ended(interrupted bool) *result.Run {
	run := *b.run
	run.Scenarios = []result.Entry{}
	for i, d := range b.done {
		if d != nil {
			run.Scenarios = append(run.Scenarios, b.entry(i))
		}
	}
	if run.Interrupted = interrupted; interrupted {
		run.Outcome = result.Broken
	}
	return &run
}

// close writes what the run leaves behind beside the scenarios' folders.
func (b *book) close(run *result.Run) error {
	var all []*result.Scenario
	for _, d := range b.done {
		if d != nil {
			all = append(all, d.result)
		}
	}
	for _, g := range result.Grids(run, all) {
		if err := b.dir.grid(g); err != nil {
			return err
		}
		run.Grids = append(run.Grids, result.GridEntry{Name: g.Name, Dir: g.Name, Totals: g.Totals})
	}
	var xml bytes.Buffer
	if err := reports.JUnit(&xml, run, all); err != nil {
		return err
	}
	if err := replace(b.dir.path(junitFile), xml.Bytes()); err != nil {
		return err
	}
	if err := reports.Index(b.dir.dir, run); err != nil {
		return err
	}
	return b.save(run)
}
