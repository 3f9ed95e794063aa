package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/interop/matrix"
	"github.com/ipseclab/ipseclab/reports"
)

type interopMergeCmd struct {
	interopCases
	Dirs    []string `arg:"" name:"dir" help:"Results folders of shards, or of runs of parts of the matrix."`
	Out     string   `default:"ipseclab-interop" type:"path" placeholder:"DIR" help:"Results folder. Default: ./ipseclab-interop."`
	Force   bool     `help:"Replace what an earlier run wrote to the results folder, and nothing else."`
	Against string   `placeholder:"DIR" help:"Results folder of an earlier run: the report says what has changed."`
}

func (interopMergeCmd) Help() string {
	return `The folder has all cells with their evidence, and a matrix.json that is the same as that of one run, but for
how long things took. A cell of which two folders have another outcome is broken, and the report names both. The exit
code is that of a run of all cells; a shard that is missing is as good as broken.

Example: three shards

  ipseclab interop merge --out all ./shard-1 ./shard-2 ./shard-3`
}

func (c interopMergeCmd) Run(ctx context.Context, s streams) error {
	whole, expect, err := c.load()
	if err != nil {
		return err
	}
	against, err := earlierMatrix(c.Against)
	if err != nil {
		return err
	}
	for _, dir := range c.Dirs {
		if a, e1 := os.Stat(dir); e1 == nil {
			if b, e2 := os.Stat(c.Out); e2 == nil && os.SameFile(a, b) {
				return wrong("interop merge: %s is what is to be merged: name another folder with --out", dir)
			}
		}
	}
	merged, err := matrix.Merge(c.Dirs, whole, expect)
	if err != nil {
		return wrong("%w", err)
	}
	mode := matrix.Fresh
	if c.Force {
		mode = matrix.Replace
	}
	folder, err := matrix.OpenFolder(c.Out, mode)
	if err != nil {
		return wrong("%w", err)
	}
	if err := merged.Write(folder); err != nil {
		return err
	}
	m := merged.Matrix
	if err := reports.Matrix(c.Out, m, against, reports.MatrixOptions{}); err != nil {
		return err
	}
	for _, x := range m.Cells {
		if strings.HasPrefix(x.Reason, "two runs differ: ") {
			fmt.Fprintf(s.out, "%-15s  %s\n                 %s\n", x.Kind, cellText(x), x.Reason)
		}
	}
	if missing := missingShards(m.Shards); missing != "" {
		fmt.Fprintf(s.out, "not here: shard %s\n", missing)
	}
	interopSummary(s.out, m, c.Out)
	return interopOutcome(ctx, m)
}

// missingShards names the shards that are not among these; none where they are not shares of the same number.
func missingShards(here []string) string {
	var of int
	for _, text := range here {
		var s matrix.Shard
		if s.UnmarshalText([]byte(text)) != nil || of != 0 && s.Of != of {
			return ""
		}
		of = s.Of
	}
	const most = 10
	var named []string
	for i := 1; i <= of && len(named) < most; i++ {
		if s := (matrix.Shard{Index: i, Of: of}).String(); !slices.Contains(here, s) {
			named = append(named, s)
		}
	}
	text := strings.Join(named, ", ")
	if more := of - len(here) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
