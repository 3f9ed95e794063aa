//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/tap"
)

// runInit is the life of a machine of user-mode Linux. It ends by switching it off.
func runInit(ctx context.Context) error {
	err := boot(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
	}
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	return err
}

// boot makes the machine's file system, loads modules, and serves the lab.
func boot(ctx context.Context) error {
	start := time.Now()
	mark := func(what string) {
		fmt.Fprintf(os.Stderr, "agent: %8v %s\n", time.Since(start).Round(time.Millisecond), what)
	}
	if err := mountAt("proc", "/proc", 0, ""); err != nil {
		return err
	}
	o, err := bootOptions()
	if err != nil {
		return err
	}
	mark("proc")
	a := newAgent()
	a.ownNames = true
	if a.modules, err = enterGuest(o); err != nil {
		return err
	}
	mark("root")
	if err := a.modules.load(bootModules...); err != nil {
		return err
	}
	// What is not there is not looked for by starting modprobe time and again.
	if err := tap.SetSysctl("kernel/modprobe", "\n"); err != nil {
		return err
	}
	mark("modules")
	if err := resetNetwork(); err != nil {
		return err
	}
	line, err := openLine(o.line)
	if err != nil {
		return fmt.Errorf("the conversation with the lab: %w", err)
	}
	mark("line")
	return a.serve(ctx, control.NewTerminal(line))
}

// guest are the settings of the kernel's command line that begin with "ipseclab.".
type guest struct {
	root    string // root filesystem on the lab's machine; "": the kernel's
	modules string // folder of a release's modules on the lab's machine; "": that of the root filesystem
	line    string // terminal line of the conversation
}

func bootOptions() (guest, error) {
	o := guest{line: "/dev/ttyS0"}
	b, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return o, err
	}
	for _, word := range strings.Fields(string(b)) {
		key, value, _ := strings.Cut(word, "=")
		name, ours := strings.CutPrefix(key, "ipseclab.")
		if !ours {
			continue
		}
		switch name {
		case "root":
			o.root = value
		case "modules":
			o.modules = value
		case "line":
			o.line = value
		default:
			return o, fmt.Errorf("kernel command line: %s is not known", key)
		}
	}
	return o, nil
}

// enterGuest makes the root of the machine, from folders of the lab's machine that
// hostfs shows, and gives the kernel's modules. The first root needs the folders
// /proc and /run alone.
func enterGuest(o guest) (*modules, error) {
	const stage, image = "/run/stage", "/run/image"
	if err := mountAt("tmpfs", "/run", 0, "mode=0755"); err != nil {
		return nil, err
	}
	dir := "/run/modules"
	if o.modules == "" {
		var name unix.Utsname
		if err := unix.Uname(&name); err != nil {
			return nil, err
		}
		dir = "/lib/modules/" + unix.ByteSliceToString(name.Release[:])
	} else if err := mountAt("hostfs", dir, unix.MS_RDONLY, o.modules); err != nil {
		return nil, err
	}
	m, err := openModules(dir)
	if err == nil {
		err = m.load("overlay")
	}
	if err != nil {
		return nil, err
	}
	from := "/"
	if o.root != "" {
		from = image
		if err := mountAt("hostfs", image, unix.MS_RDONLY, o.root); err != nil {
			return nil, err
		}
	}
	lower, err := os.OpenFile(from, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer lower.Close()
	if err := os.Mkdir(stage, 0o755); err != nil {
		return nil, err
	}
	root, err := overlay(lower, stage)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct{ kind, dir, options string }{
		{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"devtmpfs", "/dev", ""},
		{"devpts", "/dev/pts", "ptmxmode=0666"}, {"tmpfs", "/dev/shm", "mode=1777"},
	} {
		if err := mountAt(f.kind, root+f.dir, 0, f.options); err != nil {
			return nil, err
		}
	}
	if o.modules != "" { // others are loaded later
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			return nil, err
		}
		if err := unix.Mount(dir, root+dir, "", unix.MS_MOVE, ""); err != nil {
			return nil, fmt.Errorf("modules: %w", err)
		}
	}
	return m, pivot(root)
}

// openLine opens a terminal line as a plain stream of bytes.
func openLine(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	t := &unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL}
	t.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, t); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "tcsetattr", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
