package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Exit codes. They are part of the command's contract: see the package comment.
const (
	exitOK          = 0
	exitFailed      = 1
	exitWrong       = 2
	exitBroke       = 3
	exitInterrupted = 130
)

type cli struct {
	Run          runCmd          `cmd:"" help:"Run scenarios and write their evidence and reports."`
	Attach       attachCmd       `cmd:"" help:"Attach an outside program to a segment of a scenario's network, by the wall clock."`
	List         listCmd         `cmd:"" help:"List scenarios with their titles."`
	Validate     validateCmd     `cmd:"" help:"Find the mistakes in scenario files without running them."`
	Explain      explainCmd      `cmd:"" help:"Say which filters decide about a packet and its answer, and why."`
	Show         showCmd         `cmd:"" help:"Show policy, filters, SAs and statistics of a host at a time of a run."`
	Lint         lintCmd         `cmd:"" help:"Review the policies of scenario files."`
	Policy       policyCmd       `cmd:"" help:"Convert policies between scenarios and scripts of netsh ipsec."`
	Certificates certificatesCmd `cmd:"" help:"Write the certificates of a scenario to files."`
	Boxes        boxesCmd        `cmd:"" help:"List NAT boxes, or say what is known of one."`
	Profiles     profilesCmd     `cmd:"" help:"List operating systems and devices, or say what is known of one."`
	Interop      interopCmd      `cmd:"" help:"Real peers: the matrix of cases between the lab and daemons, and the images that they run in."`
	Schema       schemaCmd       `cmd:"" help:"Print the JSON Schema of scenario files."`
	Version      versionCmd      `cmd:"" help:"Print the version."`
}

const description = `A laboratory for IPsec in one process: scenario files describe networks, policies, ` +
	`what happens and what must be true; ipseclab runs them in virtual time, or with real peers by the wall clock, and writes the evidence.`

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// status is an error that ends the program with its own exit code. One without
// a text has been reported already.
type status struct {
	code int
	error
}

func (s status) Unwrap() error { return s.error }

// wrong marks an error as the user's to mend: exit code 2.
func wrong(format string, args ...any) error { return status{exitWrong, fmt.Errorf(format, args...)} }

// exit carries the exit code out of kong's help, which knows only how to end the process.
type exit int

// defaults are what the help of flags takes from elsewhere.
var defaults = kong.Vars{"mirror": images.DefaultMirror, "securityMirror": images.DefaultSecurityMirror}

// ipseclab is the command: it runs with the arguments and returns the exit code.
func ipseclab(ctx context.Context, args []string, out, stderr io.Writer) (code int) {
	defer func() { // kong's help ends by the panic below, so that tests outlive it
		switch r := recover().(type) {
		case nil:
		case exit:
			code = int(r)
		default:
			panic(r)
		}
	}()
	var c cli
	parser := kong.Must(&c,
		kong.Name("ipseclab"), kong.Description(description), kong.Writers(out, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(func(code int) { panic(exit(code)) }),
		defaults,
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{out, stderr}),
	)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "ipseclab: %v\nipseclab: see ipseclab --help\n", err)
		return exitWrong
	}
	return report(ctx, k.Run(), stderr)
}

// report prints an error that has not been printed yet and finds its exit code. What goes wrong
// behind an interruption is one of its effects, unless a command says otherwise.
func report(ctx context.Context, err error, w io.Writer) int {
	if err == nil {
		return exitOK
	}
	var s status
	if !errors.As(err, &s) {
		s = status{exitBroke, err}
		var mistake *spec.Error
		switch {
		case errors.As(err, &mistake):
			s.code = exitWrong
		case ctx.Err() != nil:
			s = status{exitInterrupted, errors.New("interrupted")}
		}
	}
	if s.error != nil {
		var mistake *spec.Error
		if errors.As(err, &mistake) { // begins with the file, as editors expect it
			fmt.Fprintln(w, s.error)
		} else {
			fmt.Fprintln(w, "ipseclab:", s.error)
		}
	}
	return s.code
}

// printJSON writes a value as indented JSON.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
