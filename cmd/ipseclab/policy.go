package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type policyCmd struct {
	Import policyImportCmd `cmd:"" help:"Read scripts of netsh ipsec, and print their policies for scenarios."`
	Export policyExportCmd `cmd:"" help:"Print a policy of a scenario as a script of netsh ipsec."`
}

type policyImportCmd struct {
	Files  []string `arg:"" name:"file" help:"Scripts: batch files, files for netsh -f, and dumps. They are run one after the other."`
	Format string   `enum:"yaml,netsh,json" default:"yaml" help:"yaml or json for a scenario file, or netsh: one script with full words."`
	Policy string   `placeholder:"NAME" help:"Print this policy alone."`
}

func (policyImportCmd) Help() string {
	return `Prints what a scenario file needs to have the policies of the scripts: filter-lists,
filter-actions and policies. Lines that are refused change nothing and are told on
standard error, with their place and the reason; so is what has no effect. The exit
code is 2 when a line was refused, or when the format cannot express a policy.

Example: a policy that runs on a server, for a scenario

  ipseclab policy import webserver.cmd > policies.yaml`
}

func (c policyImportCmd) Run(s streams) error {
	store := &netsh.Store{}
	refused := 0
	for _, file := range c.Files {
		script, err := scriptFile(file)
		if err != nil {
			return err
		}
		result := store.Run(script)
		for _, l := range result.Lines {
			switch l.Outcome {
			case netsh.Refused:
				refused++
				fmt.Fprintln(s.err, l)
			case netsh.Noted:
				fmt.Fprintf(s.err, "%s:%d:%d: note: %s: %s\n", l.File, l.Line, l.Column, l.Command, l.Reason)
			}
		}
	}
	if err := c.print(s, store); err != nil {
		return status{exitWrong, err}
	}
	if refused > 0 {
		return status{code: exitWrong}
	}
	return nil
}

// print writes what the store has.
func (c policyImportCmd) print(s streams, store *netsh.Store) error {
	if c.Format == "netsh" {
		if c.Policy != "" {
			p := store.Policy(c.Policy)
			if p == nil {
				return fmt.Errorf("no policy is called %q%s", c.Policy, spec.Among(c.Policy, append(store.Local.Names(), store.Persistent.Names()...)))
			}
			return printScript(s, func() (string, error) { return netsh.WriteScript(p) })
		}
		return printScript(s, store.Script)
	}
	parts, err := scenarios.PartsOf(store, c.Policy)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(s.out, parts)
	}
	_, err = fmt.Fprint(s.out, parts.YAML())
	return err
}

func printScript(s streams, script func() (string, error)) error {
	text, err := script()
	if err == nil {
		_, err = fmt.Fprint(s.out, text)
	}
	return err
}

type policyExportCmd struct {
	What   string `arg:"" name:"file|name" help:"A scenario file, or a name of the catalogue; behind it /CELL, where there are several."`
	Policy string `required:"" placeholder:"NAME" help:"The policy, by its name in the scenario, or a predefined one."`
}

func (policyExportCmd) Help() string {
	return `The script is for netsh -f on Windows Server 2003. What netsh cannot say, such as AES
and IPv6, is told with the reason; then nothing is printed, and the exit code is 2.

Example: the policy of the web server of a scenario, for a computer that has none

  ipseclab policy export filter_perimeter/yaml --policy web-yaml > web.netsh`
}

func (c policyExportCmd) Run(s streams) error {
	scenario, err := single("policy export", c.What)
	if err != nil {
		return err
	}
	policies, err := scenarios.Policies(scenario)
	if err != nil {
		return err
	}
	for _, name := range policy.PredefinedPolicies() { // those that the scenario uses are there as it has them
		if policies[name] == nil {
			policies[name], _ = policy.Predefined(name)
		}
	}
	p := policies[c.Policy]
	if p == nil {
		return wrong("policy export: no policy is called %q%s", c.Policy, spec.Among(c.Policy, slices.Sorted(maps.Keys(policies))))
	}
	if err := printScript(s, func() (string, error) { return netsh.WriteScript(p) }); err != nil {
		return status{exitWrong, err}
	}
	return nil
}
