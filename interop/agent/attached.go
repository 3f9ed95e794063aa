//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/tap"
)

// runAttached serves the lab over its sockets, in a container or in namespaces. The
// sockets and the TAPs are opened before the root filesystem changes.
func runAttached(ctx context.Context, o options) error {
	line, err := net.Dial("unix", o.control)
	if err != nil {
		return fmt.Errorf("the conversation with the lab: %w", err)
	}
	defer line.Close()
	for _, name := range o.interfaces {
		if err := attach(o, name); err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
	}
	if o.root != "" {
		if err := enterRoot(o.root); err != nil {
			return err
		}
	}
	a := newAgent()
	a.ownNames = o.root != "" || os.Getpid() == 1
	return a.serve(ctx, line)
}

// attach makes a TAP and gives it to the lab.
func attach(o options, name string) error {
	file, err := tap.Open(name)
	if err != nil {
		return err
	}
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: o.wire, Net: "unixpacket"})
	if err != nil {
		file.Close()
		return err
	}
	defer file.Close()
	return control.OfferTAP(c, name, file) // c stays open: its end tells the lab of the agent's
}
