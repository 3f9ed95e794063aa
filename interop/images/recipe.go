package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// recipe is the version of what is done to packages to make an image; a change
// of it makes all images anew.
const recipe = 1

// mounts are folders that something is mounted on, or written to, when a peer runs.
// /lab is for files of the lab, /lib/modules for the modules of user-mode Linux.
var mounts = []string{"dev", "proc", "sys", "run", "tmp", "lab", "root", "mnt", "var/tmp", "var/lib", "usr/lib/modules", "etc"}

// prepare makes the folders and links that packages expect.
func prepare(root *os.Root) error {
	for _, name := range merged {
		if err := root.MkdirAll("usr/"+name, 0o755); err != nil {
			return err
		}
		if err := root.Symlink("usr/"+name, name); err != nil {
			return err
		}
	}
	for _, name := range mounts {
		if err := root.MkdirAll(name, 0o755); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"var/run": "../run", "var/lock": "../run"} {
		if err := root.Symlink(to, name); err != nil {
			return err
		}
	}
	return nil
}

// finish adds what the scripts of the packages, or an administrator, would have.
func finish(root *os.Root, p Profile) error {
	passwd, group := "root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"
	for _, u := range append(p.Users, User{"nobody", 65534, "/nonexistent"}) {
		home := u.Home
		if home == "" {
			home = "/nonexistent"
		}
		passwd += fmt.Sprintf("%s:x:%d:%d::%s:/usr/sbin/nologin\n", u.Name, u.ID, u.ID, home)
		group += fmt.Sprintf("%s:x:%d:\n", u.Name, u.ID)
	}
	for name, text := range map[string]string{
		"etc/passwd":        passwd,
		"etc/group":         group,
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
		"etc/hosts":         "127.0.0.1 localhost\n",
		"etc/resolv.conf":   "", // something may be mounted on it
	} {
		if err := root.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
		if err := root.Chmod(name, 0o644); err != nil {
			return err
		}
	}
	if err := applets(root); err != nil {
		return err
	}
	return folders(root)
}

// applets are links to busybox for the programs that no package has brought.
func applets(root *os.Root) error {
	if _, err := root.Stat("usr/bin/busybox"); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	list, err := data.ReadFile("data/applets.txt")
	if err != nil {
		return err
	}
	if _, err := root.Lstat("usr/bin/dash"); err == nil {
		// A shell of busybox runs its own applets where packages have the real program, such as ip.
		if _, err := root.Lstat("usr/bin/sh"); errors.Is(err, fs.ErrNotExist) {
			if err := root.Symlink("dash", "usr/bin/sh"); err != nil {
				return err
			}
		}
	}
	for name := range strings.FieldsSeq(string(list)) {
		there := false
		for _, dir := range []string{"usr/bin", "usr/sbin"} {
			_, err := root.Lstat(path.Join(dir, name))
			there = there || err == nil
		}
		if there {
			continue
		}
		if err := root.Symlink("busybox", "usr/bin/"+name); err != nil {
			return err
		}
	}
	// The kernel looks for this one by its path.
	if _, err := root.Lstat("usr/sbin/modprobe"); errors.Is(err, fs.ErrNotExist) {
		return root.Symlink("../bin/busybox", "usr/sbin/modprobe")
	}
	return nil
}

// folders lets everybody enter every folder, whatever the umask was.
func folders(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		mode := fs.FileMode(0o755)
		if name == "tmp" || name == "var/tmp" {
			mode = 0o777 | fs.ModeSticky
		}
		return root.Chmod(name, mode)
	})
}
