package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

type listCmd struct {
	What   []string `arg:"" optional:"" name:"file|dir|name" help:"Scenario files, folders with them, or names of the catalogue. None: the catalogue."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
}

func (listCmd) Help() string {
	return `Example: the titles of your own scenarios

  ipseclab list ./tests`
}

// listed is a scenario in the list, as JSON.
type listed struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Claims []string `json:"claims,omitempty"`
	File   string   `json:"file"`
	Steps  int      `json:"steps"`
}

func (c listCmd) Run(s streams) error {
	all, err := loadAll(c.What)
	if err != nil {
		return err
	}
	list := []listed{}
	for _, x := range all {
		list = append(list, listed{x.Name, x.Title, x.Claims, x.File(), len(x.Steps)})
	}
	if c.Format == "json" {
		return printJSON(s.out, list)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, x := range list {
		claims := ""
		if len(x.Claims) > 0 {
			claims = " [" + strings.Join(x.Claims, " ") + "]"
		}
		fmt.Fprintf(w, "%s\t%s%s\n", x.Name, x.Title, claims)
	}
	return w.Flush()
}
