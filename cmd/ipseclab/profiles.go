package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ipseclab/ipseclab/internal/profile"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type profilesCmd struct {
	Name   string `arg:"" optional:"" help:"A profile, as a scenario names it: os: windows-xp-sp2. None: the list."`
	Format string `enum:"text,json" default:"text" help:"text or json."`
}

func (profilesCmd) Help() string {
	return `A profile is what is known of an operating system or a device: one value for each
subject, how sure it is (fact, unconfirmed, or a choice of the lab), and its source.
Hosts of a scenario have the values as defaults. What is marked with * is there to be
read: the lab does nothing with it.

Example: what a Windows 2000 computer does about IPsec

  ipseclab profiles windows-2000-sp4`
}

// profileJSON is a profile as JSON; the list has it without values.
type profileJSON struct {
	Name   string          `json:"name"`
	Title  string          `json:"title"`
	Group  string          `json:"group"`
	IPsec  bool            `json:"ipsec"`
	Values []profile.Value `json:"values,omitempty"`
}

func (c profilesCmd) Run(s streams) error {
	if c.Name == "" {
		return c.list(s.out)
	}
	p, ok := profile.Named(c.Name)
	if !ok {
		return wrong("profiles: no profile is called %q%s", c.Name, spec.Suggest(c.Name, profile.Names()))
	}
	if c.Format == "json" {
		return printJSON(s.out, profileJSON{p.Name, p.Title, p.Group, p.IPsec, p.Values})
	}
	fmt.Fprintf(s.out, "%s: %s\n\n", p.Name, p.Title)
	return printValues(s.out, p.Values)
}

func (c profilesCmd) list(out io.Writer) error {
	if c.Format == "json" {
		list := []profileJSON{}
		for _, p := range profile.All() {
			list = append(list, profileJSON{Name: p.Name, Title: p.Title, Group: p.Group, IPsec: p.IPsec})
		}
		return printJSON(out, list)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range profile.All() {
		what := "no IPsec"
		if p.IPsec {
			what = strings.Join(p.Modes, " and ") + " mode"
			if n := len(p.Unsure()); n > 0 {
				what += fmt.Sprintf(", %s not confirmed", values(n))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, p.Title, what)
	}
	return w.Flush()
}

// values counts values.
func values(n int) string {
	if n == 1 {
		return "1 value"
	}
	return fmt.Sprintf("%d values", n)
}
