package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a machine that is a process of this one, with all its descendants.
type process struct {
	cmd  *exec.Cmd
	log  tail
	file string // for the log
	gone chan struct{}
	err  error // why it has ended; after gone
}

// startProcess starts a command in a process group of its own, which does not outlive the lab. What
// it prints to standard error is kept. The namespaces of isolate are new ones: with a PID namespace
// the kernel ends all that runs in it together with the first process (pid_namespaces(7)).
func startProcess(cmd *exec.Cmd, file string, isolate uintptr) (*process, error) {
	p := &process{cmd: cmd, file: file, gone: make(chan struct{})}
	cmd.Stderr = &p.log
	if cmd.Stdout == nil {
		cmd.Stdout = &p.log
	}
	cmd.WaitDelay = time.Second // for descendants that hold the log open
	cmd.SysProcAttr = isolated(isolate)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("interop: %s: %w", filepath.Base(cmd.Path), err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

// isolated are the attributes of a process with new namespaces; who is not root makes them in a user namespace,
// whose root it is.
func isolated(namespaces uintptr) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: namespaces}
	if namespaces&unix.CLONE_NEWUSER != 0 || namespaces != 0 && os.Geteuid() != 0 {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return a
}

func (p *process) ended() <-chan struct{}    { return p.gone }
func (p *process) printed() (string, []byte) { return p.file, p.log.text() }

func (p *process) kill() error {
	// The group first: descendants of a process that has ended are in it still.
	err := unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("interop: kill process group %d: %w", p.cmd.Process.Pid, err)
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("interop: process %d does not end when it is killed", p.cmd.Process.Pid)
	}
}

func (p *process) memory(context.Context) (uint64, error) { return memoryOf(p.cmd.Process.Pid) }

// memoryOf is the sum of the proportional set sizes of a process and all that come from it: shared
// pages count in parts (proc(5), smaps_rollup).
func memoryOf(pid int) (uint64, error) {
	var sum uint64
	for _, pid := range descendants(pid) {
		pss, err := proportional(pid)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		sum += pss
	}
	return sum, nil
}

// descendants are a process and all that come from it.
func descendants(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, name := range tasks {
			b, _ := os.ReadFile(name)
			for word := range strings.FieldsSeq(string(b)) {
				if child, err := strconv.Atoi(word); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// proportional is the proportional set size of a process in bytes.
func proportional(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "Pss:" {
			kB, err := strconv.ParseUint(f[1], 10, 64)
			return kB << 10, err
		}
	}
	return 0, nil // a process without memory: a zombie
}

// killAbandoned ends the machines below a folder: those of a lab that has died, where nothing ended them with it.
func killAbandoned(dir string) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		b, err := os.ReadFile(name)
		if err == nil && (bytes.Contains(b, []byte("\x00uml_dir="+dir+"/")) || bytes.Contains(b, []byte("\x00--control\x00"+dir+"/"))) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}
