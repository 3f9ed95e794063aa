//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// processes are the agent's children. The agent is the first process of its system
// and takes in orphans: one loop waits for all.
type processes struct {
	mu    sync.Mutex
	byPID map[int]*process
}

// process is a child, in a session and process group of its own.
type process struct {
	pid    int
	ended  chan struct{}
	status syscall.WaitStatus // once it has ended
}

func newProcesses() *processes {
	ps := &processes{byPID: map[int]*process{}}
	// Where it is not the first: what daemons leave behind is its business as well.
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			ps.reap()
		}
	}()
	return ps
}

// reap waits for the children that have ended.
func (ps *processes) reap() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := ps.byPID[pid]; p != nil {
			delete(ps.byPID, pid)
			p.status = status
			close(p.ended)
		}
	}
}

// start starts a program, with files for its descriptors from 0 on.
func (ps *processes) start(argv, env []string, files ...*os.File) (*process, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	attributes := &syscall.ProcAttr{
		Dir: "/", Sys: &syscall.SysProcAttr{Setsid: true},
		Env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...),
	}
	for _, f := range files {
		attributes.Files = append(attributes.Files, f.Fd())
	}
	// Nobody waits for it before it is known.
	ps.mu.Lock()
	defer ps.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attributes)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	p := &process{pid: pid, ended: make(chan struct{})}
	ps.byPID[pid] = p
	return p, nil
}

// signal sends a signal to the process, or to all of its group. One that has ended
// is not there to get it; its number may be another's.
func (ps *processes) signal(p *process, s syscall.Signal, group bool) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	switch {
	case group: // a group's number is not given away while the group has members
		return syscall.Kill(-p.pid, s)
	case ps.byPID[p.pid] == p:
		return syscall.Kill(p.pid, s)
	}
	return syscall.ESRCH
}

// killAll kills all processes: of the whole system where the agent is the first of
// it, else its children and their groups. It returns when its children have ended.
func (ps *processes) killAll() {
	ps.mu.Lock()
	var all []*process
	for _, p := range ps.byPID {
		all = append(all, p)
		syscall.Kill(-p.pid, syscall.SIGKILL)
	}
	if os.Getpid() == 1 {
		syscall.Kill(-1, syscall.SIGKILL)
	}
	ps.mu.Unlock()
	for _, p := range all {
		<-p.ended
	}
}

// code is how a process ended, as shells number it.
func (p *process) code() int {
	if p.status.Signaled() {
		return 128 + int(p.status.Signal())
	}
	return p.status.ExitStatus()
}

// how is the same in words.
func (p *process) how() string {
	if p.status.Signaled() {
		return fmt.Sprintf("signal %d, %v", p.status.Signal(), p.status.Signal())
	}
	return fmt.Sprintf("exit status %d", p.status.ExitStatus())
}
