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

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
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
	tap, err := openTAP(name)
	if err != nil {
		return err
	}
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: o.wire, Net: "unixpacket"})
	if err != nil {
		tap.Close()
		return err
	}
	if o.frames {
		if err := control.OfferFrames(c, name); err != nil {
			return err
		}
		// Both live as long as the agent does.
		go carry(tap, c)
		go carry(c, tap)
		return nil
	}
	defer tap.Close()
	return control.OfferTAP(c, name, tap) // c stays open: its end tells the lab of the agent's
}

// openTAP makes a TAP, which is down.
func openTAP(name string) (*os.File, error) {
	const device = "/dev/net/tun"
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("making a TAP: %w", err)
	}
	return os.NewFile(uintptr(fd), device), nil
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
