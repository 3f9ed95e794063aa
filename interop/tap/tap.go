//go:build linux

// Package tap makes TAP interfaces, and gives interfaces of a network namespace the
// addresses and routes of a node of a scenario. It works in the namespace of the calling
// thread. The agent inside real peers and the lab, for outside programs, share it.
package tap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Device makes TAPs (Documentation/networking/tuntap.rst).
const Device = "/dev/net/tun"

// Open makes a TAP, which is down. Each read and each write of the file is one Ethernet
// frame; the TAP ends with the file.
func Open(name string) (*os.File, error) {
	fd, err := unix.Open(Device, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: Device, Err: err}
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
	return os.NewFile(uintptr(fd), Device), nil
}

// Available is why TAPs cannot be made here; nil: they can, by who has CAP_NET_ADMIN.
func Available() error {
	err := unix.Access(Device, unix.R_OK|unix.W_OK)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: become root, or have everybody open it (chmod 0666 %s)", Device, err, Device)
	case err != nil:
		return fmt.Errorf("%s: %w: load the module tun, or pass the device into this container", Device, err)
	}
	return nil
}
