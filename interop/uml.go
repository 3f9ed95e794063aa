package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/images"
)

const (
	// umlMemory is what a user-mode Linux machine has; it takes of this machine what it uses.
	umlMemory = "96M"

	// shm is where its memory lies in a container.
	shm = "/dev/shm"
)

// umlFiles are what a user-mode Linux machine is made of, by paths on this machine: the kernel, the folder
// of its release's modules, and its first root filesystem, a folder with the agent and with folders to mount on.
type umlFiles struct{ kernel, modules, stage string }

// newStage makes the first root filesystem, which all machines of a driver share.
func newStage(dir, agent string) error {
	for _, name := range []string{"proc", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return fmt.Errorf("interop: %w", err)
		}
	}
	b, err := os.ReadFile(agent)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "agent"), b, 0o755)
	}
	if err != nil {
		return fmt.Errorf("interop: the agent for user-mode Linux: %w", err)
	}
	return nil
}

// release is the folder of the only release that modules are there for.
func release(modules string) (string, error) {
	all, err := filepath.Glob(filepath.Join(modules, "*", "modules.dep"))
	if err != nil || len(all) != 1 {
		return "", fmt.Errorf("interop: %s has the modules of %d kernels, not of one", modules, len(all))
	}
	return filepath.Dir(all[0]), nil
}

// command is the command line of the kernel. The agent's line is its first serial line, over standard input
// and output; what it prints goes to standard error. Each interface is a vector device on the socket of a wire.
//
// https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html
func (u umlFiles) command(s *site, temp string) []string {
	argv := []string{
		u.kernel, "mem=" + umlMemory, "umid=" + filepath.Base(s.dir), "uml_dir=" + temp + "/",
		"root=/dev/root", "rootfstype=hostfs", "rootflags=" + u.stage, "ro", "init=/agent", "quiet",
		"con=null", "con0=null,fd:2", "ssl=null", "ssl0=fd:0,fd:1",
		// What nobody uses takes 1.5 s: measurements of RAID code and of the processor, tests of algorithms, old terminals.
		"pty.legacy_count=0", "lpj=10000000", "cryptomgr.notests=1",
		"initcall_blacklist=raid6_select_algo,calibrate_xor_blocks,init_zswap,init_jfs_fs,init_xfs_fs,init_btrfs_fs",
		"ipseclab.root=" + s.rootfs, "ipseclab.modules=" + u.modules,
	}
	for i := range s.wires {
		argv = append(argv, fmt.Sprintf("vec%d:transport=bess,dst=%s,depth=64,gro=0", i, s.socket(i)))
	}
	return argv
}

// process starts the machine as a plain process of the lab's user.
func (u umlFiles) process(_ context.Context, s *site) (machine, error) {
	argv := u.command(s, s.dir)
	start := func(isolate uintptr) (*process, error) {
		theirs, line, err := pipes()
		if err != nil {
			return nil, err
		}
		defer theirs.close()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = []string{"TMPDIR=" + umlTemp(), "HOME=/", "PATH=/usr/bin:/bin"}
		cmd.Stdin, cmd.Stdout = theirs.in, theirs.out
		p, err := startProcess(cmd, "kernel.log", isolate)
		if err != nil {
			line.Close()
			return nil, err
		}
		s.line = line
		return p, nil
	}
	s.prepare("vec")
	return s.startUML(func() (machine, error) {
		p, err := start(unix.CLONE_NEWPID)
		if err != nil { // where no namespaces may be made, the process group has to do
			p, err = start(0)
		}
		return p, err
	})
}

// container starts the machine in a container that may do nothing: no capabilities, no devices, no network.
// Folders of this machine are there by their own paths, read-only but for the peer's own.
func (u umlFiles) container(ctx context.Context, engine *docker, store *images.Store, s *site) (machine, error) {
	image, err := engine.image(ctx, store, s.image)
	if err != nil {
		return nil, err
	}
	s.prepare("vec")
	return s.startUML(func() (machine, error) {
		line, err := newFIFOs(s.dir, containerUser())
		if err != nil {
			return nil, err
		}
		b, err := engine.startBox(ctx, boxSpec{
			image: image, dir: s.work, argv: append(line.shell(), u.command(s, shm)...), env: map[string]string{"TMPDIR": shm},
			user: strconv.Itoa(containerUser()) + ":" + strconv.Itoa(containerUser()), file: "kernel.log",
			host: func(h *container.HostConfig) {
				h.CapDrop = []string{"ALL"}
				h.Tmpfs = map[string]string{shm: "exec,size=256m,mode=1777"}
				h.ReadonlyRootfs = true
				h.Binds = []string{
					s.dir + ":" + s.dir, s.rootfs + ":" + s.rootfs + ":ro",
					u.kernel + ":" + u.kernel + ":ro", u.modules + ":" + u.modules + ":ro", u.stage + ":" + u.stage + ":ro",
				}
			},
		})
		if err != nil {
			line.Close()
			return nil, err
		}
		s.line = line
		go func() {
			<-b.ended()
			line.Close() // which the lab itself holds open
		}()
		return b, nil
	})
}

// fifos are a line over two FIFOs, which a process in a container opens by their paths. Docker's own streams to
// it pass through its daemon, which makes each answer wait.
type fifos struct {
	stdio
	in, out string
}

func newFIFOs(dir string, uid int) (*fifos, error) {
	f := &fifos{in: filepath.Join(dir, "in"), out: filepath.Join(dir, "out")}
	var files []*os.File
	for _, path := range []string{f.in, f.out} {
		err := unix.Mkfifo(path, 0o600)
		if err == nil && uid != os.Getuid() {
			err = os.Chown(path, uid, -1)
		}
		var file *os.File
		if err == nil {
			// For both directions, or it would wait for the other side.
			file, err = os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
		}
		if err != nil {
			for _, file := range files {
				file.Close()
			}
			return nil, fmt.Errorf("interop: the line to a machine: %w", err)
		}
		files = append(files, file)
	}
	f.stdio = stdio{files[1], files[0]}
	return f, nil
}

// shell is the beginning of a command line whose rest is run with the FIFOs as standard input and output.
func (f *fifos) shell() []string {
	return []string{"/bin/sh", "-c", `in=$1 out=$2; shift 2; exec "$@" <"$in" >"$out"`, "sh", f.in, f.out}
}

// umlTemp is where the memory of a machine in a process lies: a file, from which it runs programs.
func umlTemp() string {
	var s unix.Statfs_t
	err := unix.Statfs(shm, &s)
	if err == nil && s.Type == unix.TMPFS_MAGIC && s.Flags&unix.ST_NOEXEC == 0 && unix.Access(shm, unix.W_OK) == nil {
		return shm
	}
	return os.TempDir()
}

// ends are the two files that a process has as standard input and output.
type ends struct{ in, out *os.File }

func (e ends) close() {
	e.in.Close()
	e.out.Close()
}

// pipes are two pipes: what a process reads and writes, and the line of the lab.
func pipes() (ends, stdio, error) {
	in, toProcess, err := os.Pipe()
	if err != nil {
		return ends{}, stdio{}, fmt.Errorf("interop: %w", err)
	}
	fromProcess, out, err := os.Pipe()
	if err != nil {
		in.Close()
		toProcess.Close()
		return ends{}, stdio{}, fmt.Errorf("interop: %w", err)
	}
	return ends{in, out}, stdio{fromProcess, toProcess}, nil
}
