package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ipseclab/ipseclab/internal/result"
)

type listCmd struct {
	What   []string `arg:"" optional:"" name:"file|dir|name" help:"Scenario files, folders with them, or names of the catalogue. None: the catalogue."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
}

func (listCmd) Help() string {
	return `A line for each file; below those of files that are named, and are not in a folder, the
names of their cells, as run and the others take them.

Examples: the titles of your own scenarios

  ipseclab list ./tests

The cells of a file

  ipseclab list h2h_encrypt_or_authenticate`
}

// listed is a scenario file in the list, as JSON. The title is what those of the
// cells have in common; what else differs is that of the first cell.
type listed struct {
	Name   string   `json:"name"`            // of a file
	Cells  []string `json:"cells,omitempty"` // of a file with parameters
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
	titles := map[string][]string{}
	for _, x := range all {
		file, cell, isCell := strings.Cut(x.Name, "/")
		if n := len(list); !isCell || n == 0 || list[n-1].Name != file {
			list = append(list, listed{Name: file, Title: x.Title, Claims: x.Claims, File: x.File(), Steps: len(x.Steps)})
		}
		if isCell {
			last := &list[len(list)-1]
			last.Cells = append(last.Cells, cell)
			titles[file] = append(titles[file], x.Title)
			last.Title = cmp.Or(result.CommonTitle(titles[file]), file)
		}
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
		fmt.Fprintf(w, "%s\t%s%s%s\n", x.Name, x.Title, cells(len(x.Cells)), claims)
		if namesFiles(c.What) {
			for _, cell := range x.Cells {
				fmt.Fprintf(w, "  %s/%s\n", x.Name, cell)
			}
		}
	}
	return w.Flush()
}

// namesFiles reports whether only files were asked for, and no folder or the whole catalogue.
func namesFiles(words []string) bool {
	return len(words) > 0 && !slices.ContainsFunc(words, func(word string) bool {
		info, err := os.Stat(word)
		return err == nil && info.IsDir()
	})
}
