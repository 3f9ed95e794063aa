package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/lint"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type lintCmd struct {
	What     []string      `arg:"" optional:"" name:"file|dir|name" help:"Scenario files (.yaml, .yml), folders with them, names of the catalogue, predefined policies, or scripts of netsh: files with any other name. One at least, but with --rules."`
	Format   string        `enum:"text,json,sarif" default:"text" help:"text, json, or sarif for code review tools (SARIF 2.1.0)."`
	Severity lint.Severity `default:"info" placeholder:"info|warning|error" help:"Print findings of this severity and above. Default: info."`
	Ignore   []string      `placeholder:"RULE" help:"Leave out findings of these rules."`
	Domain   bool          `help:"The policies come from the directory, and are no local ones."`
	Rules    bool          `help:"Print all rules instead."`
}

func (lintCmd) Help() string {
	return `Reviews the policies of scenario files and netsh scripts, and predefined ones: what the documents advise against, what
cannot work, and what a careful reviewer would ask about. Nothing is run. Each
finding has its place, the rule with the claims that it rests on, and how to mend
it. The exit code is 1 when there is an error, and 0 when there is none.

Example: the errors and warnings in a policy that is about to be rolled out

  ipseclab lint --severity warning --domain my.yaml`
}

func (c lintCmd) Run(s streams) error {
	for _, id := range c.Ignore {
		if lint.RuleNamed(id) == nil {
			return wrong("lint: --ignore: no rule is called %q%s", id, spec.Suggest(id, ruleIDs()))
		}
	}
	if c.Rules {
		return c.printRules(s.out)
	}
	if len(c.What) == 0 {
		return wrong("lint: name a file: see ipseclab lint --help")
	}
	found, err := c.lint()
	if err != nil {
		return err
	}
	shown, bad := c.shown(found)
	switch c.Format {
	case "json":
		err = printJSON(s.out, linted(shown))
	case "sarif":
		err = printSARIF(s.out, shown)
	default:
		err = printFindings(s.out, shown)
	}
	if err == nil && bad {
		err = status{code: exitFailed}
	}
	return err
}

// lint reviews all files, or says everything that is wrong with them.
func (c lintCmd) lint() ([]lint.Finding, error) {
	var all []lint.Finding
	var mistakes []error
	for _, word := range c.What {
		found, err := c.word(word)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		all = append(all, found...)
	}
	if mistakes != nil {
		return nil, status{exitWrong, errors.Join(mistakes...)}
	}
	return all, nil
}

// word reviews what one word of the command line means.
func (c lintCmd) word(word string) (all []lint.Finding, err error) {
	o := scenarios.LintOptions{Domain: c.Domain}
	if isScript(word) {
		return lintScript(word, o)
	}
	found, err := inputsOf(word)
	if p, ok := policy.Predefined(word); ok && err != nil {
		return scenarios.LintPolicy(p, o), nil
	}
	if err != nil {
		return nil, err
	}
	var mistakes []error
	for _, in := range found {
		cells, err := in.load()
		if err == nil {
			var f []lint.Finding
			f, err = scenarios.LintAll(cells, o)
			all = append(all, f...)
		}
		if err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return all, errors.Join(mistakes...)
}

// isScript reports whether a word is a file that is no scenario, and so a script of netsh.
func isScript(word string) bool {
	info, err := os.Stat(word)
	ext := strings.ToLower(filepath.Ext(word))
	return err == nil && !info.IsDir() && ext != ".yaml" && ext != ".yml"
}

func lintScript(file string, o scenarios.LintOptions) ([]lint.Finding, error) {
	script, err := scriptFile(file)
	if err != nil {
		return nil, err
	}
	return scenarios.LintScript(script, o)
}

// scriptFile is the script in a file, which may name others beside it or below.
func scriptFile(file string) (netsh.Script, error) {
	text, err := readScript(file)
	if err != nil {
		return netsh.Script{}, wrong("%w", err)
	}
	return netsh.Script{Name: file, Text: text, Open: func(name string) (string, error) {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return "", fmt.Errorf("%s is not beside the script or below", name)
		}
		return readScript(filepath.Join(filepath.Dir(file), filepath.FromSlash(name)))
	}}, nil
}

// readScript reads a script that is not longer than any may be.
func readScript(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, netsh.MaxScript+1))
	return string(b), err
}

// shown are the findings to print; bad is whether there is an error among those that are not ignored.
func (c lintCmd) shown(found []lint.Finding) (shown []lint.Finding, bad bool) {
	ignored := map[string]bool{}
	for _, id := range c.Ignore {
		ignored[id] = true
	}
	for _, f := range found {
		if ignored[f.Rule.ID] {
			continue
		}
		bad = bad || f.Severity() == lint.Error
		if f.Severity() >= c.Severity {
			shown = append(shown, f)
		}
	}
	return shown, bad
}

func printFindings(w io.Writer, found []lint.Finding) error {
	totals := map[lint.Severity]int{}
	for _, f := range found {
		totals[f.Severity()]++
		if _, err := fmt.Fprintf(w, "%s\n    %s\n", f, f.Rule.Fix); err != nil {
			return err
		}
	}
	var parts []string
	for _, s := range []lint.Severity{lint.Error, lint.Warning} {
		if totals[s] > 0 {
			parts = append(parts, count(totals[s], s.String()))
		}
	}
	if totals[lint.Info] > 0 {
		parts = append(parts, fmt.Sprintf("%d info", totals[lint.Info]))
	}
	line := "no findings"
	if parts != nil {
		line = count(len(found), "finding") + ": " + strings.Join(parts, ", ")
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// lintedFinding is a finding as JSON.
type lintedFinding struct {
	lint.Position
	Rule     string        `json:"rule"`
	Severity lint.Severity `json:"severity"`
	Claims   []string      `json:"claims,omitempty"`
	Message  string        `json:"message"`
	Fix      string        `json:"fix"`
}

func linted(found []lint.Finding) []lintedFinding {
	all := []lintedFinding{}
	for _, f := range found {
		all = append(all, lintedFinding{f.Position, f.Rule.ID, f.Severity(), f.Rule.Claims, f.Message, f.Rule.Fix})
	}
	return all
}

func ruleIDs() (ids []string) {
	for _, r := range lint.Rules() {
		ids = append(ids, r.ID)
	}
	return ids
}

func (c lintCmd) printRules(w io.Writer) error {
	switch c.Format {
	case "json":
		return printJSON(w, lint.Rules())
	case "sarif":
		return printSARIF(w, nil)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range lint.Rules() {
		fmt.Fprintf(t, "%s\t%s\t%s [%s]\n", r.ID, r.Severity, r.Title, r.Sources())
	}
	return t.Flush()
}
