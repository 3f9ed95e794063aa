package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ipseclab/ipseclab/interop/matrix"
)

type interopListCmd struct {
	interopCases
	interopFilter
	Shards int    `placeholder:"N" help:"With --format github: how many shares the cells are dealt into."`
	Format string `enum:"text,json,github" default:"text" help:"text, json, or github: the matrix of a job of GitHub Actions, one job for each share, on one line."`
}

func (interopListCmd) Help() string {
	return `A line for each cell: case/cell:initiator→responder@driver, the title and the tags, and where
it cannot be done, why. The drivers are all that there are, whatever this machine has.

Examples: the cells in which strongSwan 5.9 answers the lab, in user-mode Linux

  ipseclab interop list --initiator lab --responder strongswan-5.9 --driver uml

The matrix of a job of GitHub Actions

  ipseclab interop list --ci --driver container --shards 4 --format github`
}

// Validate is called by kong when the command line has been read.
func (c interopListCmd) Validate() error {
	switch err := c.check(); {
	case err != nil:
		return err
	case c.Format == "github" && c.Shards < 1:
		return wrong("--format github wants --shards N: how many jobs there are to be")
	case c.Format != "github" && c.Shards != 0:
		return wrong("--shards is for --format github")
	}
	return nil
}

// cellJSON is a cell in the list.
type cellJSON struct {
	ID          string   `json:"id"`
	Case        string   `json:"case"`
	Cell        string   `json:"cell,omitempty"`
	Title       string   `json:"title"`
	Initiator   string   `json:"initiator"`
	Responder   string   `json:"responder"`
	Driver      string   `json:"driver"`
	Tags        []string `json:"tags,omitempty"`
	Limit       string   `json:"limit"`
	CI          bool     `json:"ci,omitempty"`
	Unsupported string   `json:"unsupported,omitempty"` // why it is not run
}

func (c interopListCmd) Run(s streams) error {
	all, _, err := c.load()
	if err != nil {
		return err
	}
	if all, err = c.of(all); err != nil {
		return err
	}
	switch c.Format {
	case "github":
		return printJobs(s.out, all, c.Shards)
	case "json":
		list := []cellJSON{}
		for _, x := range all {
			list = append(list, cellJSON{
				x.Name(), x.Case, x.Cell, x.Title, string(x.Initiator), string(x.Responder), string(x.Driver), x.Tags, x.Limit.String(), x.CI, x.Unsupported,
			})
		}
		return printJSON(s.out, list)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, x := range all {
		more := x.Title
		if len(x.Tags) > 0 {
			more += " [" + strings.Join(x.Tags, " ") + "]"
		}
		if x.Unsupported != "" {
			more += "; unsupported: " + x.Unsupported
		}
		fmt.Fprintf(w, "%s\t%s\n", x.CellID, more)
	}
	return w.Flush()
}

// job is one entry of the matrix of a job of GitHub Actions.
type job struct {
	Shard string `json:"shard"` // for --shard
	Name  string `json:"name"`  // fit for the name of an artefact
	Cells int    `json:"cells"`
}

// printJobs prints what strategy.matrix of a workflow takes from fromJSON.
func printJobs(w io.Writer, all []matrix.Cell, shards int) error {
	var jobs struct {
		Include []job `json:"include"`
	}
	for i := range shards {
		s := matrix.Shard{Index: i + 1, Of: shards}
		if n := len(s.Select(all)); n > 0 {
			jobs.Include = append(jobs.Include, job{s.String(), fmt.Sprintf("%d-of-%d", s.Index, s.Of), n})
		}
	}
	b, err := json.Marshal(jobs)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}
