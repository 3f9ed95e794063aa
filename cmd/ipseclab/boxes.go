package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ipseclab/ipseclab/internal/sourced"
	"github.com/ipseclab/ipseclab/natbox/boxes"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type boxesCmd struct {
	Name   string `arg:"" optional:"" help:"A box, as a scenario names it: nat: {box: home-router}. None: the list."`
	Format string `enum:"text,json" default:"text" help:"text or json."`
}

func (boxesCmd) Help() string {
	return `A box is what is known of how a NAT behaves: one value for each subject, how sure it is
(fact, unconfirmed, or a choice of the lab), and its source. The keys are those of nat in
scenario files, where they take the place of what the box has.

Example: what a Linux router that masquerades does

  ipseclab boxes linux-masquerade`
}

// boxJSON is a box as JSON; the list has it without values.
type boxJSON struct {
	Name   string          `json:"name"`
	Title  string          `json:"title"`
	Values []sourced.Value `json:"values,omitempty"`
}

func (c boxesCmd) Run(s streams) error {
	if c.Name == "" {
		return c.list(s.out)
	}
	b, ok := boxes.Named(c.Name)
	if !ok {
		return wrong("boxes: no box is called %q%s", c.Name, spec.Suggest(c.Name, boxes.Names()))
	}
	if c.Format == "json" {
		return printJSON(s.out, boxJSON{b.Name, b.Title, b.Values})
	}
	fmt.Fprintf(s.out, "%s: %s\n\n", b.Name, b.Title)
	return printValues(s.out, b.Values)
}

func (c boxesCmd) list(out io.Writer) error {
	if c.Format == "json" {
		list := []boxJSON{}
		for _, b := range boxes.All() {
			list = append(list, boxJSON{Name: b.Name, Title: b.Title})
		}
		return printJSON(out, list)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, b := range boxes.All() {
		unsure := "all values confirmed"
		if n := len(sourced.Unsure(b.Values)); n > 0 {
			unsure = values(n) + " not confirmed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", b.Name, b.Title, unsure)
	}
	return w.Flush()
}

// printValues prints a line for each value.
func printValues(out io.Writer, all []sourced.Value) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range all {
		mark := ""
		if v.Informational {
			mark = " *"
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\n", v.Key, mark, v.Text, v.Status, v.Source)
	}
	return w.Flush()
}
