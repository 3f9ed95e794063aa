package main

import (
	"fmt"
	"path/filepath"

	"github.com/ipseclab/ipseclab/interop/matrix"
	"github.com/ipseclab/ipseclab/reports"
)

type interopReportCmd struct {
	Dir     string  `arg:"" name:"dir" help:"Results folder of a run or a merge."`
	Against string  `placeholder:"DIR" help:"Results folder of an earlier run: what fails or passes now and did not, what has another outcome, and what is slower."`
	Slower  float64 `default:"1.5" placeholder:"X" help:"A cell is slower when it takes X times as long, and a second longer. Default: 1.5."`
}

func (interopReportCmd) Help() string {
	return `Makes index.html and the pages of the cells anew, from matrix.json and the evidence. The exit code says
nothing of the results; with --against it is 1 when a cell fails that passed.

Example: what has changed since yesterday

  ipseclab interop report ./today --against ./yesterday`
}

// Validate is called by kong when the command line has been read.
func (c interopReportCmd) Validate() error {
	if !(c.Slower > 1) {
		return wrong("--slower must be more than 1")
	}
	return nil
}

func (c interopReportCmd) Run(s streams) error {
	m, err := earlierMatrix(c.Dir)
	if err != nil {
		return err
	}
	against, err := earlierMatrix(c.Against)
	if err != nil {
		return err
	}
	o := reports.MatrixOptions{Slower: c.Slower}
	if err := reports.Matrix(c.Dir, m, against, o); err != nil {
		return err
	}
	bad := false
	if against != nil {
		d := reports.CompareMatrices(m, against, o)
		for _, change := range d.Changes {
			fmt.Fprintf(s.out, "%-15s  %s: %s\n", change.Word, cellText(change.Cell), change.Text)
			bad = bad || change.Word == reports.NewlyFailing
		}
		fmt.Fprintf(s.out, "%s\n", d.Summary())
	}
	fmt.Fprintf(s.out, "report: %s\n", relative(filepath.Join(c.Dir, matrix.IndexFile)))
	if bad {
		return status{code: exitFailed}
	}
	return nil
}
