//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// devices of the lab's machine that a peer in namespaces has.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty", "net/tun"}

// enterRoot makes a root filesystem that of the agent, in the mount namespace that it
// was started in. The tree itself is not written to.
func enterRoot(dir string) error {
	if os.Getpid() != 1 {
		return errors.New("agent namespace is not the first process of a PID namespace: start it in new namespaces")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts private: %w", err)
	}
	lower, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("root filesystem: %w", err)
	}
	defer lower.Close()
	root, err := overlay(lower, dir)
	if err == nil {
		err = writable(root)
	}
	if err != nil {
		root, err = copied(lower, dir)
	}
	if err != nil {
		return fmt.Errorf("root filesystem %s: %w", dir, err)
	}
	dev := filepath.Join(root, "dev")
	err = errors.Join(
		mountAt("proc", filepath.Join(root, "proc"), 0, ""),
		mountAt("sysfs", filepath.Join(root, "sys"), unix.MS_RDONLY, ""),
		mountAt("tmpfs", dev, 0, "mode=0755"),
		mountAt("tmpfs", filepath.Join(dev, "shm"), 0, "mode=1777"),
	)
	if err != nil {
		return err
	}
	for _, d := range devices {
		if err := bindFile("/dev/"+d, filepath.Join(dev, d)); err != nil {
			return fmt.Errorf("device %s: %w", d, err)
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return pivot(root)
}

// bindFile shows a file at another path, which it makes.
func bindFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to, nil, 0o666); err != nil {
		return err
	}
	return unix.Mount(from, to, "", unix.MS_BIND, "")
}
