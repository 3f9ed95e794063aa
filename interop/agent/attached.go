//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

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

// attach makes a TAP and gives it to the lab; where its descriptor cannot be sent, as under a security module
// that forbids it, or is not to be, the agent carries the frames.
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
	if !o.frames && control.OfferTAP(c, name, file) == nil { // c stays open: its end tells the lab of the agent's
		return file.Close()
	}
	if err := control.OfferFrames(c, name); err != nil {
		file.Close()
		return err
	}
	// Both live as long as the agent does.
	go carry(file, c)
	go carry(c, file)
	return nil
}

// carry moves frames, each read one. A frame that cannot be written is lost, as that
// of a TAP which is down.
func carry(from io.Reader, to io.Writer) {
	frame := make([]byte, 64<<10)
	for {
		n, err := from.Read(frame)
		if err != nil && !errors.Is(err, syscall.EIO) || n == 0 && err == nil {
			return
		}
		to.Write(frame[:n])
	}
}
