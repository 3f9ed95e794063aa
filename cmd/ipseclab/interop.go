package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ipseclab/ipseclab/interop"
	"github.com/ipseclab/ipseclab/interop/cases"
	"github.com/ipseclab/ipseclab/interop/matrix"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// interopCmd is the group of commands about real peers, one line for each.
type interopCmd struct {
	Images interopImagesCmd `cmd:"" help:"Build the images that real peers run in."`
	Run    interopRunCmd    `cmd:"" help:"Run cells of the interop matrix: cases between the lab and real daemons."`
	List   interopListCmd   `cmd:"" help:"List cells of the interop matrix."`
	Merge  interopMergeCmd  `cmd:"" help:"Put the results of shards into one folder."`
	Report interopReportCmd `cmd:"" help:"Make the report of a matrix anew, or hold it against an earlier one."`
}

// interopCases say where the cases are, and what is accepted of them.
type interopCases struct {
	Cases  string `type:"existingdir" placeholder:"DIR" help:"Folder of cases of your own, with or without cases.yaml. None: those of the lab."`
	Expect string `type:"existingfile" placeholder:"FILE" help:"Accepted failures, as interop/expect.json has them. None: those of the lab's cases; with --cases none."`
}

// load are all cells, and the accepted failures.
func (c interopCases) load() ([]matrix.Cell, *matrix.Expectations, error) {
	var fsys fs.FS = cases.Files
	if c.Cases != "" {
		fsys = os.DirFS(c.Cases)
	}
	all, err := matrix.Load(fsys)
	if err != nil {
		for _, mistake := range spec.Mistakes(err) {
			mistake.File = relative(filepath.Join(c.Cases, mistake.File))
		}
		return nil, nil, wrong("%w", err)
	}
	name, accepted := interop.ExpectFile, interop.Expect
	var there func(string) bool
	switch {
	case c.Expect != "":
		name, there = relative(c.Expect), noteThere(c.Expect)
		if accepted, err = os.ReadFile(c.Expect); err != nil {
			return nil, nil, wrong("accepted failures: %w", err)
		}
	case c.Cases != "":
		return all, nil, nil
	}
	expect, err := matrix.ParseExpectations(name, accepted, all, there)
	if err != nil {
		return nil, nil, wrong("%w", err)
	}
	return all, expect, nil
}

// noteThere looks for notes in the folder of a list of accepted failures and in those around it, one
// of which is the root of the tree that the list is of.
func noteThere(list string) func(note string) bool {
	return func(note string) bool {
		for dir := filepath.Dir(list); ; dir = filepath.Dir(dir) {
			if info, err := os.Stat(filepath.Join(dir, note)); err == nil && info.Mode().IsRegular() {
				return true
			}
			if dir == filepath.Dir(dir) {
				return false
			}
		}
	}
}

// interopFilter selects cells.
type interopFilter struct {
	Case      []matrix.Glob   `sep:"none" placeholder:"GLOB" help:"Cells of these cases: file, file/cell, or the whole name of a cell, with * and ? and {a,b}."`
	Initiator []matrix.System `placeholder:"SYSTEM" help:"Cells in which this system starts: lab, strongswan-5.9, strongswan-6.0, libreswan, openiked, ike-scan."`
	Responder []matrix.System `placeholder:"SYSTEM" help:"Cells in which this system answers."`
	Driver    []matrix.Driver `placeholder:"DRIVER" help:"Cells under this driver: uml, container, namespace, or virtual for the lab with itself. None: in a run, what this machine has."`
	Tag       []string        `placeholder:"TAG" help:"Cells of cases with this tag."`
	CI        bool            `name:"ci" help:"Cells of the share that every change must pass."`
}

// check finds words that mean nothing.
func (f interopFilter) check() error {
	for _, s := range slices.Concat(f.Initiator, f.Responder) {
		if !slices.Contains(matrix.Systems(), s) {
			return wrong("no system is called %q%s", s, suggest(s, matrix.Systems()))
		}
	}
	for _, d := range f.Driver {
		if !slices.Contains(matrix.Drivers(), d) {
			return wrong("no driver is called %q%s", d, suggest(d, matrix.Drivers()))
		}
	}
	return nil
}

// suggest names the words that are meant.
func suggest[T ~string](word T, known []T) string {
	return spec.Among(string(word), plain(known))
}

// plain are the words as strings.
func plain[T ~string](words []T) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all
}

// of are the cells that the filter selects; none is a mistake.
func (f interopFilter) of(all []matrix.Cell) ([]matrix.Cell, error) {
	for _, tag := range f.Tag {
		if known := matrix.Tags(all); !slices.Contains(known, tag) {
			return nil, wrong("interop: no case has the tag %q%s", tag, spec.Among(tag, known))
		}
	}
	some := matrix.Filter{Cases: f.Case, Initiator: f.Initiator, Responder: f.Responder, Drivers: f.Driver, Tags: f.Tag, CI: f.CI}.Select(all)
	if len(some) == 0 {
		return nil, wrong("interop: no cell is of all that was asked for; ipseclab interop list names all that there are")
	}
	return some, nil
}

// interopShard says which share of the cells is meant.
type interopShard struct {
	Shard        *matrix.Shard `placeholder:"I/N" help:"The I-th of N shares of the cells: 1/3, 2/3 and 3/3 are all of them."`
	Shards       int           `placeholder:"N" help:"How many shares there are, for --shard-from-env."`
	ShardFromEnv bool          `help:"The share that JOB_COMPLETION_INDEX names, counted from 0, as Kubernetes sets it in an Indexed Job; with --shards."`
}

// check finds flags that do not go together.
func (s interopShard) check() error {
	switch {
	case s.ShardFromEnv && s.Shard != nil:
		return wrong("--shard and --shard-from-env name two shares")
	case s.ShardFromEnv && s.Shards < 1:
		return wrong("--shard-from-env wants --shards N: how many there are")
	case !s.ShardFromEnv && s.Shards != 0:
		return wrong("--shards is for --shard-from-env; else say --shard I/N")
	}
	return nil
}

// share is the shard; none: everything.
func (s interopShard) share() (*matrix.Shard, error) {
	if !s.ShardFromEnv {
		return s.Shard, nil
	}
	const variable = "JOB_COMPLETION_INDEX"
	text, ok := os.LookupEnv(variable)
	if !ok {
		return nil, wrong("interop: --shard-from-env: %s is not set: it is in the pods of an Indexed Job", variable)
	}
	var index int
	if _, err := fmt.Sscanf(text+"\n", "%d\n", &index); err != nil || index < 0 || index >= s.Shards {
		return nil, wrong("interop: --shard-from-env: %s is %q: want a number from 0 to %d", variable, text, s.Shards-1)
	}
	return &matrix.Shard{Index: index + 1, Of: s.Shards}, nil
}
