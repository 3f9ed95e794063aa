package images

import (
	"fmt"
	"io/fs"
	"os"
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
		if info, err := root.Stat(name); err == nil && info.Size() > 0 {
			continue // it came with the packages, or with the tree
		}
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
	if !there(root, "usr/bin/busybox") {
		return nil
	}
	list, err := data.ReadFile("data/applets.txt")
	if err != nil {
		return err
	}
	// A shell of busybox would run its own applets where packages have the real program, such as ip.
	if there(root, "usr/bin/dash") && !there(root, "usr/bin/sh") {
		if err := root.Symlink("dash", "usr/bin/sh"); err != nil {
			return err
		}
	}
	for name := range strings.FieldsSeq(string(list)) {
		if there(root, "usr/bin/"+name) || there(root, "usr/sbin/"+name) {
			continue
		}
		if err := root.Symlink("busybox", "usr/bin/"+name); err != nil {
			return err
		}
	}
	// The kernel looks for this one by its path.
	if !there(root, "usr/sbin/modprobe") {
		return root.Symlink("../bin/busybox", "usr/sbin/modprobe")
	}
	return nil
}

func there(root *os.Root, name string) bool {
	_, err := root.Lstat(name)
	return err == nil
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
