package main

import (
	"errors"
	"fmt"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type validateCmd struct {
	What   []string `arg:"" name:"file|dir|name" help:"Scenario files, folders with them, or names of the catalogue."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
}

func (validateCmd) Help() string {
	return `All mistakes of all files are reported, each with its file, line and column. Security
methods, whether policies can be made for their hosts, and the names of rules are
looked at when the rest of a file is right. The exit code is 2 when there is a mistake.

Example: check a file before it is committed

  ipseclab validate my.yaml`
}

// validated is the verdict on one file, as JSON.
type validated struct {
	File     string        `json:"file"`
	Valid    bool          `json:"valid"`
	Cells    int           `json:"cells,omitempty"` // of a file with parameters
	Mistakes []*spec.Error `json:"mistakes,omitempty"`
}

func (c validateCmd) Run(s streams) error {
	found, err := inputs(c.What)
	if err != nil {
		return err
	}
	list := []validated{}
	var bad []error
	for _, in := range found {
		all, err := in.load()
		v := validated{File: in.name, Valid: err == nil, Mistakes: mistakes(in.name, err)}
		if err == nil && len(all[0].Cell) > 0 {
			v.Cells = len(all)
		}
		list = append(list, v)
		switch {
		case err != nil:
			bad = append(bad, err)
		case c.Format == "text":
			fmt.Fprintf(s.out, "%s: valid%s\n", in.name, cells(v.Cells))
		}
	}
	if c.Format == "json" {
		if err := printJSON(s.out, list); err != nil {
			return err
		}
		if bad != nil {
			return status{code: exitWrong} // what is wrong is in the JSON
		}
		return nil
	}
	if bad != nil {
		return status{exitWrong, errors.Join(bad...)}
	}
	return nil
}

// cells is how many scenarios a file holds, in words behind something; nothing for a file without cells.
func cells(n int) string {
	if n == 0 {
		return ""
	}
	return " (" + count(n, "cell") + ")"
}

// mistakes takes an error of a file apart.
func mistakes(file string, err error) (all []*spec.Error) {
	if err == nil {
		return nil
	}
	if all := spec.Mistakes(err); all != nil {
		return all
	}
	return []*spec.Error{{File: file, Message: err.Error()}}
}
