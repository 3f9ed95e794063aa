//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// overlay puts a file system at a folder that shows the tree behind an open
// folder and keeps in memory what is written to it, and returns where it is. The
// folder is hidden from then on.
func overlay(lower *os.File, at string) (root string, err error) {
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=0755"); err != nil {
		return "", fmt.Errorf("memory for what the peer writes: %w", err)
	}
	root = filepath.Join(at, "root")
	upper, work := filepath.Join(at, "upper"), filepath.Join(at, "work")
	for _, dir := range []string{root, upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", err
		}
	}
	layers := fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=%s,workdir=%s", lower.Fd(), upper, work)
	// Without privileges the kernel keeps its notes in attributes of another kind.
	if err = unix.Mount("overlay", root, "overlay", 0, layers); errors.Is(err, unix.EPERM) {
		err = unix.Mount("overlay", root, "overlay", 0, layers+",userxattr")
	}
	if err != nil {
		return "", fmt.Errorf("overlay file system: %w", err)
	}
	return root, nil
}

// pivot makes a mounted folder the root, and takes the old one away.
func pivot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	// The old root is above the new one now: pivot_root(2).
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	return unix.Chdir("/")
}

// mountAt mounts a file system on a folder, which it makes.
func mountAt(kind, dir string, flags uintptr, options string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, dir, kind, flags, options); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", kind, dir, err)
	}
	return nil
}
