package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type runCmd struct {
	What     []string `arg:"" optional:"" name:"file|dir|name" help:"Scenario files, folders with them, or names of the catalogue. None: the catalogue."`
	Out      string   `default:"ipseclab-results" type:"path" placeholder:"DIR" help:"Results folder. Default: ./ipseclab-results."`
	Force    bool     `help:"Replace what an earlier run wrote to the results folder, and nothing else."`
	Seed     uint64   `placeholder:"N" help:"Seed of every scenario. None: the file's, or 1."`
	Evidence string   `enum:"auto,full,failed" default:"auto" placeholder:"HOW" help:"full: of every scenario; failed: of those that do not pass; auto: full, but of the cells of a grid those that do not pass or are named one by one. Default: auto."`
	Jobs     int      `placeholder:"N" help:"Scenarios that run at the same time. None: one per processor."`
	Peer     []string `placeholder:"NODE=IMAGE" help:"Put a real peer in the place of a host of every scenario that has it, such as bob=strongswan-5.9, or bob=strongswan-5.9@container with a driver."`
	Driver   string   `enum:",uml,container,namespace" default:"" placeholder:"DRIVER" help:"Driver of all real peers, whatever their scenario says: uml, container or namespace."`
	Format   string   `enum:"text,json" default:"text" help:"text, or json: what results.json has, on standard output."`
}

func (runCmd) Help() string {
	return `Evidence goes to DIR/<scenario>, or DIR/<scenario>/<cell> where a file has cells: verdicts, trace, capture with a Wireshark profile,
report. DIR/index.html is the page to begin with; results.json and junit.xml are
for other programs. A grid has its tables in DIR/<scenario>/grid.html and grid.json. The same seed gives the same capture and trace, byte for byte.

Examples: everything that comes with the lab, and two files of your own

  ipseclab run
  ipseclab run --out results --seed 7 one.yaml two.yaml

One cell of a file that has several

  ipseclab run --out one h2h_encrypt_or_authenticate/esp

The same scenario with strongSwan in the place of a host, or of both

  ipseclab run --out one --peer responder=strongswan-5.9 interop/cases/main_offers.yaml
  ipseclab run --out both --peer initiator=strongswan-5.9 --peer responder=strongswan-6.0 --driver uml interop/cases/main_offers.yaml

The tables of a grid, and the evidence of one of its cells

  ipseclab run --out grid nat_grid
  ipseclab run --out cell nat_grid/2003-1_none_home-router`
}

// Validate is called by kong when the command line has been read.
func (c runCmd) Validate() error {
	if c.Jobs < 0 {
		return wrong("--jobs must be 1 or more")
	}
	return nil
}

func (c runCmd) Run(ctx context.Context, s streams) error {
	all, err := loadAll(c.What)
	if err != nil {
		return err
	}
	peers, err := replacements(c.Peer)
	if err != nil {
		return err
	}
	if all, err = withPeers(all, peers); err != nil {
		return err
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	dir, err := openResults(c.Out, c.Force, names)
	if err != nil {
		return err
	}
	b := newBook(dir, time.Now(), all)
	if err := b.save(b.ended(true)); err != nil { // from here on the folder is known as ours
		return wrong("the results folder cannot be written: %w", err)
	}
	lines := s.out
	if c.Format == "json" {
		lines = io.Discard
	}
	jobs := c.Jobs
	if jobs == 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	p := newProgress(lines, s.err, names)
	driver := &peerDriver{force: c.Driver, log: func(line string) { p.above(s.err, line+"\n", 0) }}
	defer driver.close()
	for done := range runAll(ctx, dir, all, runOptions{keep: c.kept, seed: c.Seed, jobs: jobs, peers: driver}) {
		b.add(done)
		if b.due() {
			if err := b.save(b.ended(true)); err != nil {
				p.end()
				return err
			}
		}
		p.scenario(b.entry(done.index), done.result)
	}
	p.end()
	interrupted := b.unfinished() > 0
	run := b.ended(interrupted)
	if err := b.close(run); err != nil {
		return err
	}
	if c.Format == "json" {
		if err := printJSON(s.out, run); err != nil {
			return err
		}
	} else {
		summary(s.out, run, b.unfinished(), relative(dir.index()))
	}
	return outcome(interrupted, b.run.Outcome)
}

// kept reports whether a scenario leaves its evidence even if it passes.
func (c runCmd) kept(s *spec.Scenario) bool {
	if c.Evidence != evidenceAuto || s.Grid == nil {
		return c.Evidence != evidenceFailed
	}
	_, cell, _ := strings.Cut(s.Name, "/")
	return slices.ContainsFunc(c.What, func(word string) bool { return strings.HasSuffix(filepath.ToSlash(word), "/"+cell) })
}

// Words of --evidence.
const (
	evidenceAuto   = "auto" // full, but of grids only what is named cell by cell, and what does not pass
	evidenceFull   = "full"
	evidenceFailed = "failed"
)

// outcome is how the program ends.
func outcome(interrupted bool, o result.Outcome) error {
	switch {
	case interrupted:
		return status{code: exitInterrupted}
	case o == result.Broken:
		return status{code: exitBroke}
	case o == result.Failed:
		return status{code: exitFailed}
	}
	return nil
}

// relative is the path as seen from the working directory, if it lies below.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return path
	}
	return rel
}
