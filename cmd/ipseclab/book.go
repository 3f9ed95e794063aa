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
}

func newBook(dir *results, started time.Time, all []*spec.Scenario) *book {
	return &book{dir: dir, started: started, done: make([]*finished, len(all)), run: &result.Run{
		Schema: result.RunSchema, Version: version(debug.ReadBuildInfo()), GoVersion: runtime.Version(),
		Started: started.UTC(), Outcome: result.Passed, Totals: map[result.Outcome]int{}, Scenarios: []result.Entry{},
	}}
}

func (b *book) add(f finished) {
	b.done[f.index] = &f
	b.run.Wall = time.Since(b.started)
	b.run.Outcome = b.run.Outcome.Worse(f.result.Outcome)
	b.run.Totals[f.result.Outcome]++
	b.run.Scenarios = b.run.Scenarios[:0]
	for i, d := range b.done {
		if d != nil {
			b.run.Scenarios = append(b.run.Scenarios, b.entry(i))
		}
	}
}

// entry is a finished scenario's line in the run.
func (b *book) entry(i int) result.Entry {
	f, r := b.done[i], b.done[i].result
	return result.Entry{
		Name: r.Name, Cell: r.Cell, Long: r.Long, Title: r.Title, Claims: r.Claims, Outcome: r.Outcome, Reason: why(r),
		Seed: r.Seed, Virtual: r.Virtual, Wall: f.wall, Frames: r.Frames, Dir: r.Name,
	}
}

func (b *book) unfinished() (n int) {
	for _, d := range b.done {
		if d == nil {
			n++
		}
	}
	return n
}

// save writes results.json. A run that is still going is an interrupted one,
// should the program not live to say otherwise.
func (b *book) save(interrupted bool) error {
	return writeJSON(b.dir.path(resultsFile), b.ended(interrupted))
}

// ended is the run as it is left behind. Nothing is known of what an interrupted
// one did not finish, so that it has not passed, whatever the rest did.
func (b *book) ended(interrupted bool) *result.Run {
	run := *b.run
	if run.Interrupted = interrupted; interrupted {
		run.Outcome = result.Broken
	}
	return &run
}

// close writes what the run leaves behind beside the scenarios' folders.
func (b *book) close(interrupted bool) error {
	run := b.ended(interrupted)
	var all []*result.Scenario
	for _, d := range b.done {
		if d != nil {
			all = append(all, d.result)
		}
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
	return b.save(interrupted)
}
