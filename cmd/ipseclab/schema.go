package main

import (
	"fmt"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type schemaCmd struct{}

func (schemaCmd) Help() string {
	return `Editors complete and check scenario files with it.

Example: keep it beside your scenarios

  ipseclab schema > scenario.schema.json`
}

func (schemaCmd) Run(s streams) error {
	schema, err := spec.Schema()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", schema)
	return err
}
