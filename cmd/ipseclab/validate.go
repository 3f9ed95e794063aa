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
	return `All mistakes of all files are reported, each with its file, line and column.
The exit code is 2 when there is one.

Example: check a file before it is committed

  ipseclab validate my.yaml`
}

// validated is the verdict on one file, as JSON.
type validated struct {
	File     string        `json:"file"`
	Valid    bool          `json:"valid"`
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
		_, err := in.load()
		v := validated{File: in.name, Valid: err == nil, Mistakes: mistakes(in.name, err)}
		list = append(list, v)
		switch {
		case err != nil:
			bad = append(bad, err)
		case c.Format == "text":
			fmt.Fprintf(s.out, "%s: valid\n", in.name)
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

// mistakes takes an error of a file apart.
func mistakes(file string, err error) (all []*spec.Error) {
	if err == nil {
		return nil
	}
	var one *spec.Error
	if !errors.As(err, &one) {
		return []*spec.Error{{File: file, Message: err.Error()}}
	}
	var walk func(error)
	walk = func(err error) {
		switch x := err.(type) {
		case *spec.Error:
			all = append(all, x)
		case interface{ Unwrap() []error }:
			for _, e := range x.Unwrap() {
				walk(e)
			}
		case interface{ Unwrap() error }:
			walk(x.Unwrap())
		}
	}
	walk(err)
	return all
}
