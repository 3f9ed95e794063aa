//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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

// writable is why an overlay cannot be written to: in a user namespace nobody may write over what belongs to users who
// are not in it.
func writable(root string) error {
	all, err := os.ReadDir(root) // its own folder is ours
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.IsDir() {
			if err := unix.Access(filepath.Join(root, d.Name()), unix.W_OK); err != nil {
				return err
			}
		}
	}
	return nil
}

// copied is overlay where that cannot be: it puts a file system in memory at a folder, and copies the tree behind an
// open folder to it. All of that is the agent's own user's.
func copied(from *os.File, at string) (root string, err error) {
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=0755"); err != nil {
		return "", fmt.Errorf("memory for a copy of the image: %w", err)
	}
	tree := fmt.Sprintf("/proc/self/fd/%d", from.Fd())
	err = filepath.WalkDir(tree+"/.", func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, tree)
		if err != nil || name == "/." {
			return err
		}
		to := at + name
		about, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.Mkdir(to, about.Mode().Perm()|0o700) // or nothing could be put into it
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		case d.Type().IsRegular():
			return copyFile(path, to, about.Mode().Perm())
		}
		return nil // images have neither devices nor sockets
	})
	if err != nil {
		return "", fmt.Errorf("copy of the image: %w", err)
	}
	return at, nil
}

func copyFile(path, to string, mode fs.FileMode) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
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
