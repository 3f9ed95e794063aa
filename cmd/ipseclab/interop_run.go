package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/matrix"
	"github.com/ipseclab/ipseclab/reports"
)

type interopRunCmd struct {
	interopCases
	interopFilter
	interopShard
	Out       string                `default:"ipseclab-interop" type:"path" placeholder:"DIR" help:"Results folder. Default: ./ipseclab-interop."`
	Force     bool                  `xor:"earlier" help:"Replace what an earlier run wrote to the results folder, and nothing else."`
	Resume    bool                  `xor:"earlier" help:"Keep what an earlier run wrote, and run what has no result of the same case, images and program, or is broken."`
	Against   string                `placeholder:"DIR" help:"Results folder of an earlier run: the report says what has changed."`
	Parallel  int                   `placeholder:"N" help:"Cells that run at the same time. None: two per processor, since real daemons are often waited for."`
	Limit     map[matrix.Driver]int `mapsep:"," placeholder:"DRIVER=N" help:"Of those, cells under one driver, such as uml=2,container=4."`
	TimeLimit time.Duration         `placeholder:"TIME" help:"How long any cell may take from when its peers are ready. None: what cases.yaml says of it."`
	Format    string                `enum:"text,json" default:"text" help:"text, or json: what matrix.json has, on standard output."`
}

func (interopRunCmd) Help() string {
	return `A cell is a case between two systems under one driver. Without --driver, cells run in user-mode
Linux and, of containers and namespaces, in which daemons can do the same, in what this machine has; the first
lines say which. Without any the exit code is 3. Evidence goes to DIR/cells/NAME; DIR/index.html is the page to
begin with, matrix.json is for other programs. A cell that does not end within its time is broken, and the others
go on. An interrupted run keeps what has ended, for --resume. Accepted failures do not fail the run; one that
passes does, and is to be taken out of the list.

Examples: what this machine can run

  ipseclab interop run

One case, with strongSwan 5.9 in containers

  ipseclab interop run --out one --case main_groups --initiator lab --responder strongswan-5.9 --driver container

The first of four shares

  ipseclab interop run --out shard-1 --driver uml --driver container --shard 1/4`
}

// Validate is called by kong when the command line has been read.
func (c interopRunCmd) Validate() error {
	if err := cmp.Or(c.interopFilter.check(), c.interopShard.check()); err != nil {
		return err
	}
	if c.Parallel < 0 {
		return wrong("--parallel must be 1 or more")
	}
	if c.TimeLimit < 0 {
		return wrong("--time-limit must be a time")
	}
	for _, d := range slices.Sorted(maps.Keys(c.Limit)) {
		if !slices.Contains(matrix.Drivers(), d) {
			return wrong("--limit: no driver is called %q%s", d, suggest(d, matrix.Drivers()))
		}
		if c.Limit[d] < 1 {
			return wrong("--limit %s must be 1 or more", d)
		}
	}
	return nil
}

func (c interopRunCmd) Run(ctx context.Context, s streams) error {
	whole, expect, err := c.load()
	if err != nil {
		return err
	}
	cells, err := c.of(whole)
	if err != nil {
		return err
	}
	share, err := c.share()
	if err != nil {
		return err
	}
	var shards []string
	if share != nil {
		cells, shards = share.Select(cells), []string{share.String()}
	}
	against, err := earlierMatrix(c.Against)
	if err != nil {
		return err
	}
	var p *interopProgress
	runner, err := newCellRunner(func(line string) {
		if p == nil { // nothing runs yet
			fmt.Fprintln(s.err, line)
			return
		}
		p.above(s.err, line+"\n", 0)
	})
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	defer runner.Close()
	have, err := runner.Available(ctx)
	if ctx.Err() != nil { // what it found then says nothing
		return status{exitInterrupted, errors.New("interop: interrupted while looking for drivers: no cell was run")}
	}
	if err != nil {
		return fmt.Errorf("interop: looking for drivers: %w", err)
	}
	asked := c.Driver
	if !slices.ContainsFunc(cells, func(x matrix.Cell) bool { return x.Driver != matrix.Virtual }) {
		asked = []matrix.Driver{matrix.Virtual} // no real peer is asked for
	}
	drivers, notes, err := matrix.Choose(have, asked)
	if err != nil {
		return fmt.Errorf("interop: %w", err) // exit code 3
	}
	if share == nil && !slices.ContainsFunc(cells, func(x matrix.Cell) bool { return slices.Contains(drivers, x.Driver) }) {
		return wrong("interop: no cell that was asked for is under what is taken here (%s): name the driver with --driver", strings.Join(plain(drivers), ", "))
	}
	mode := matrix.Fresh
	switch {
	case c.Force:
		mode = matrix.Replace
	case c.Resume:
		mode = matrix.Resume
	}
	folder, err := matrix.OpenFolder(c.Out, mode)
	if err != nil {
		return wrong("%w", err)
	}
	lines := s.out
	if c.Format == "json" {
		lines = io.Discard
	}
	sayDrivers(lines, have, drivers, notes)
	p = newInteropProgress(lines, s.err, cells, drivers)
	m, err := matrix.Run(ctx, folder, matrix.Options{
		Cells: cells, Drivers: drivers, Have: have, Runner: runner, Expect: expect, Program: program(), Shards: shards,
		Parallel: c.parallel(), Limits: c.Limit, Limit: c.TimeLimit, Resume: c.Resume, Ended: p.cell,
	})
	p.end()
	if err != nil {
		return err
	}
	if err := reports.Matrix(c.Out, m, against, reports.MatrixOptions{}); err != nil {
		return err
	}
	if c.Format == "json" {
		if err := printJSON(s.out, m); err != nil {
			return err
		}
	} else {
		interopSummary(s.out, m, c.Out)
	}
	return interopOutcome(ctx, m)
}

func (c interopRunCmd) parallel() int {
	if c.Parallel != 0 {
		return c.Parallel
	}
	return 2 * runtime.GOMAXPROCS(0)
}

// interopOutcome is how the program ends.
func interopOutcome(ctx context.Context, m *result.Matrix) error {
	return outcome(m.Interrupted && ctx.Err() != nil, m.Outcome)
}

// earlierMatrix is the run in a folder; none: nil.
func earlierMatrix(dir string) (*result.Matrix, error) {
	if dir == "" {
		return nil, nil
	}
	m, err := matrix.ReadFolder(dir)
	if err != nil {
		return nil, wrong("%s: %w", dir, err)
	}
	return m, nil
}

// program is the version on which results rest: of a build that has none, the program itself.
func program() string {
	v := version(debug.ReadBuildInfo())
	if !strings.HasPrefix(v, "(devel)") && !strings.HasSuffix(v, "modified)") {
		return v
	}
	path, err := os.Executable()
	if err != nil {
		return v
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return v
	}
	sum := sha256.Sum256(b)
	return v + " " + hex.EncodeToString(sum[:6])
}

func sayDrivers(w io.Writer, have []matrix.Availability, use []matrix.Driver, notes []string) {
	for _, d := range use {
		for _, a := range have {
			if a.Driver == d {
				fmt.Fprintf(w, "driver %s: %s\n", d, a.Version)
			}
		}
	}
	for _, note := range notes {
		fmt.Fprintf(w, "without %s\n", note)
	}
}

// interopSummary is what stands at the end of a run.
func interopSummary(w io.Writer, m *result.Matrix, dir string) {
	var parts []string
	for _, k := range result.Kinds() {
		if n := m.Totals[k]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kindWords[k]))
		}
	}
	if len(m.Shards) > 0 {
		parts = append(parts, "of shard "+strings.Join(m.Shards, ", "))
	}
	fmt.Fprintf(w, "%s: %s, in %s\nreport: %s\n", count(len(m.Cells), "cell"), strings.Join(parts, ", "), rounded(m.Wall), relative(filepath.Join(dir, matrix.IndexFile)))
}

// kindWords are the kinds as a line of text has them.
var kindWords = map[result.Kind]string{
	result.KindPassed: "passed", result.KindAccepted: "failed as accepted", result.KindUnsupported: "unsupported", result.KindNotRun: "not run",
	result.KindUnexpected: "passed unexpectedly", result.KindFailed: "failed", result.KindBroken: "broken",
}
