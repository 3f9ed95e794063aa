package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

type attachCmd struct {
	What    string   `arg:"" name:"file|name" help:"A scenario file, or a name of the catalogue; behind it /CELL, where there are several."`
	Command []string `arg:"" optional:"" name:"command" help:"Behind --: a command that runs beside the interface, with its arguments. The scenario ends with it. None: it goes on until Ctrl-C."`

	Segment   string   `required:"" placeholder:"SEGMENT" help:"The segment of the scenario that the interface is on."`
	TAP       string   `name:"tap" placeholder:"NAME" help:"Make a TAP interface of this name here, in the present network namespace."`
	Namespace string   `placeholder:"NAME" help:"Make a network namespace of this name, for ip netns exec NAME. None, and no --tap: one without a name, in which the command runs."`
	Address   string   `placeholder:"ADDRESS" help:"Address of the interface with its prefix length, such as 10.0.0.77/24. None: a free one of the segment."`
	Gateway   string   `placeholder:"ADDRESS" help:"A router on the segment for what is elsewhere, or none. Left out: the router on the segment, if there is exactly one."`
	Idle      bool     `help:"Perform no step of the scenario: the network and its hosts are there, and wait."`
	Out       string   `default:"ipseclab-results" type:"path" placeholder:"DIR" help:"Results folder. Default: ./ipseclab-results."`
	Force     bool     `help:"Replace what an earlier run wrote to the results folder, and nothing else."`
	Seed      uint64   `placeholder:"N" help:"Instead of the scenario's."`
	Peer      []string `placeholder:"NODE=IMAGE" help:"Put a real peer in the place of a host, as with ipseclab run."`
	Driver    string   `enum:",uml,container,namespace" default:"" placeholder:"DRIVER" help:"Driver of all real peers: uml, container or namespace."`
}

func (attachCmd) Help() string {
	return `A program that is no part of the lab becomes a computer on a segment: with an interface in
the present network namespace, or in one of its own. Hosts, routers and NAT boxes of the
scenario run by the wall clock, with their policies, and the steps are performed, until
the command ends, or Ctrl-C. Then steps are judged as far as they have ended, and evidence
goes to DIR/<scenario>, as with ipseclab run. What the outside program sends is in the
capture; the wire oracle does not judge it.

With a command ipseclab ends with its exit code if that is not 0 (128 and the number of a
signal), and otherwise as ipseclab run. It says what it has to say on standard error.

With --tap the gateway leads to the other networks of the scenario, and the machine's own
default route stays. Interfaces and namespaces take root (CAP_NET_ADMIN, CAP_SYS_ADMIN)
and /dev/net/tun; a command in a namespace without a name takes no root where the machine
lets users make user namespaces.

Examples: ping a host from outside

  ipseclab attach h2h_server_to_server --segment lan -- ping -c 3 10.1.0.10

A shell on the segment, with an address of its own, and nothing but what it does

  ipseclab attach my.yaml --segment lan --address 10.0.0.77/24 --idle -- bash

A namespace with a name, for several programs, and an interface in this one

  ipseclab attach my.yaml --segment lan --namespace lab
  ipseclab attach my.yaml --segment lan --tap lab0`
}

func (c attachCmd) Run(ctx context.Context, s streams) error {
	one, err := single("attach", c.What)
	if err != nil {
		return err
	}
	peers, err := replacements(c.Peer)
	if err != nil {
		return err
	}
	all, err := withPeers([]*spec.Scenario{one}, peers)
	if err != nil {
		return err
	}
	others := len(all[0].Peers()) > 0
	scenario, node, err := all[0].Attach(spec.Outside{Segment: c.Segment, Address: c.Address, Gateway: c.Gateway, Scoped: c.TAP != ""})
	if err != nil {
		return wrong("attach: %w", err)
	}
	path, err := c.path()
	if err != nil {
		return err
	}
	opt := interop.AttachOptions{Node: node, TAP: c.TAP, Namespace: c.Namespace, Program: c.program()}
	if err := opt.Check(); err != nil {
		return wrong("attach: %w", err)
	}
	err = opt.Possible()
	if errors.Is(err, interop.ErrPrivileges) && c.TAP == "" && c.Namespace == "" {
		err = fmt.Errorf("%w, and no user namespace can be made: %w", err, interop.EnterUserNamespace())
	}
	if err != nil {
		return status{exitBroke, fmt.Errorf("attach: %w", err)}
	}
	if others {
		driver := &peerDriver{force: c.Driver, log: func(line string) { fmt.Fprintln(s.err, line) }}
		defer driver.close()
		if opt.Peers, err = driver.of(all[0]); err != nil {
			return err
		}
	}
	attachment := interop.NewAttachment(opt)
	defer attachment.Close()
	dir, err := openResults(c.Out, c.Force, []string{scenario.Name})
	if err != nil {
		return err
	}
	b := newBook(dir, time.Now(), []*spec.Scenario{scenario})
	if err := b.save(b.ended(true)); err != nil { // from here on the folder is known as ours
		return wrong("the results folder cannot be written: %w", err)
	}
	say := s.out
	if len(c.Command) > 0 {
		say = s.err // standard output is the command's
	}
	// The signal that ends the attachment ends no run that can be judged.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	var code int
	r, kept := runInto(running, dir, scenario, scenarios.Options{Seed: c.Seed, Peers: attachment, Idle: c.Idle, Until: func(context.Context) {
		if !stop() {
			return
		}
		c.announce(say, scenario, node, attachment)
		code = c.attend(ctx, attachment, path, s)
	}})
	if r == nil {
		return status{code: exitInterrupted}
	}
	b.add(finished{0, r, time.Since(b.started), kept})
	run := b.ended(false)
	if err := b.close(run); err != nil {
		return err
	}
	fmt.Fprint(say, line(b.entry(0), r, len(r.Name)))
	if len(c.Command) > 0 && r.Outcome != result.Broken {
		fmt.Fprintf(say, "%s: exit code %d\n", c.Command[0], code)
	}
	summary(say, run, 0, relative(dir.index()))
	if code != 0 && r.Outcome != result.Broken {
		return status{code: code}
	}
	return outcome(false, r.Outcome)
}

// program is what is attached, in few words.
func (c attachCmd) program() string {
	if len(c.Command) == 0 {
		return "whatever uses the interface"
	}
	const most = 60
	words := []rune(strings.Join(strings.Fields(strings.Join(c.Command, " ")), " "))
	if len(words) > most {
		words = append(words[:most-1], '…')
	}
	return string(words)
}

// path is the file of the command; "": there is none.
func (c attachCmd) path() (string, error) {
	if len(c.Command) == 0 {
		if c.TAP == "" && c.Namespace == "" {
			return "", wrong("attach: a namespace without a name is for a command alone: give one behind --, or --namespace NAME, or --tap NAME")
		}
		return "", nil
	}
	path, err := exec.LookPath(c.Command[0])
	if err != nil {
		return "", wrong("attach: %w", err)
	}
	return path, nil
}

// announce says where the program is, once it is there.
func (c attachCmd) announce(w io.Writer, s *spec.Scenario, node string, a *interop.Attachment) {
	n := s.Nodes[node]
	var routes []string
	switch {
	case n.Gateway != "":
		routes = append(routes, "gateway "+n.Gateway)
	case len(n.Routes) > 0:
		for _, r := range n.Routes {
			routes = append(routes, r.To+" via "+r.Via)
		}
	default:
		routes = append(routes, "no gateway")
	}
	fmt.Fprintf(w, "attached to segment %s of %s by the wall clock: %s on %s, %s\n", c.Segment, s.Name, n.Interfaces[0].Address, a.Device(), strings.Join(routes, ", "))
	if enter := a.Enter(); enter != "" {
		fmt.Fprintf(w, "to enter: %s COMMAND\n", enter)
	}
	if len(c.Command) == 0 {
		fmt.Fprintln(w, "to end: Ctrl-C")
	}
}

const (
	// ownEnd is for a command that gets the signal that ends the lab from the terminal too.
	ownEnd = time.Second
	// termPatience is for a command that has been asked to end.
	termPatience = 5 * time.Second
)

// attend returns when the command has ended, with its exit code, or when ctx has.
func (c attachCmd) attend(ctx context.Context, a *interop.Attachment, path string, s streams) int {
	if path == "" {
		<-ctx.Done()
		return exitOK
	}
	cmd := &exec.Cmd{
		Path: path, Args: c.Command, Stdin: os.Stdin, Stdout: s.out, Stderr: s.err, WaitDelay: time.Second,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}, // without the lab there is no network for it
	}
	if err := a.Command(cmd); err != nil {
		fmt.Fprintf(s.err, "ipseclab: attach: %v\n", err)
		return 126 // as shells have it for what is found and cannot be run
	}
	ended := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for _, next := range []struct {
			after  time.Duration
			signal os.Signal
		}{{ownEnd, syscall.SIGTERM}, {termPatience, os.Kill}} {
			select {
			case <-ctx.Done():
			case <-ended:
				return
			}
			select {
			case <-time.After(next.after):
				_ = cmd.Process.Signal(next.signal) // it may have ended just now
			case <-ended:
				return
			}
		}
	})
	_ = cmd.Wait() // its state says how it ended
	close(ended)
	wait.Wait()
	if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return cmd.ProcessState.ExitCode()
}
