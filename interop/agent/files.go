//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
)

// Files writes files.
func (a *agent) Files(ctx context.Context, files []control.File) error {
	for _, f := range files {
		if !filepath.IsAbs(f.Path) {
			return control.Errorf(control.BadRequest, "files: %q is no absolute path", f.Path)
		}
	}
	for _, f := range files {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		mode := os.FileMode(f.Mode) & os.ModePerm
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return fmt.Errorf("files: %w", err)
		}
		err := os.WriteFile(f.Path, f.Data, mode)
		if err == nil {
			err = os.Chmod(f.Path, mode) // of one that was there, and whatever the mask
		}
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
	}
	return nil
}

// Read gives the end of a file.
func (a *agent) Read(_ context.Context, path string) (b []byte, leftOut int64, err error) {
	if !filepath.IsAbs(path) {
		return nil, 0, control.Errorf(control.BadRequest, "read: %q is no absolute path", path)
	}
	return readTail(path, control.MaxFile)
}

// readTail reads the last bytes of a regular file, and says how many it left out. Those of /proc say no size.
func readTail(path string, limit int) (b []byte, leftOut int64, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !about.Mode().IsRegular() {
		return nil, 0, control.Errorf(control.BadRequest, "read: %s is no file", path)
	}
	leftOut = max(0, about.Size()-int64(limit))
	if _, err := f.Seek(leftOut, io.SeekStart); err != nil {
		return nil, 0, err
	}
	b, err = io.ReadAll(io.LimitReader(f, int64(limit)))
	return b, leftOut, err
}

// Dial connects to a socket.
func (a *agent) Dial(ctx context.Context, d *control.Dial) (net.Conn, error) {
	switch d.Network {
	case "unix", "tcp", "udp":
		return new(net.Dialer).DialContext(ctx, d.Network, d.Address)
	}
	return nil, control.Errorf(control.BadRequest, "dial: no network %q: unix, tcp or udp", d.Network)
}
