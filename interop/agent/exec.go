//go:build linux

package main

import (
	"context"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
)

const (
	execWithin = 10 * time.Second // unless the lab says otherwise
	execLimit  = 1 << 20          // bytes of output that are kept
)

// Exec runs a command to its end. What it leaves running in the background goes on,
// and writes nowhere.
func (a *agent) Exec(ctx context.Context, e *control.Exec) (*control.Exited, error) {
	if len(e.Argv) == 0 || e.Argv[0] == "" {
		return nil, control.Errorf(control.BadRequest, "exec: no command")
	}
	within := e.Within
	if within <= 0 {
		within = execWithin
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	out, write, err := pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p, err := a.processes.start(e.Argv, e.Env, null, write, write)
	write.Close()
	if err != nil {
		return nil, err
	}

	var kept tail
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 32<<10)
		for {
			n, err := out.Read(buf)
			kept.add(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	x := &control.Exited{}
	select {
	case <-p.ended:
	case <-timeout.C:
		x.TimedOut = true
	case <-ctx.Done():
	}
	if x.TimedOut || ctx.Err() != nil {
		a.processes.signal(p, syscall.SIGKILL, true)
		<-p.ended
	}
	// What it has written is in the pipe. Others may hold the other end open.
	out.SetReadDeadline(time.Unix(1, 0))
	<-read
	drain(out, &kept)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	x.Code, x.Output = p.code(), kept.bytes()
	x.LeftOut = kept.all - int64(len(x.Output))
	return x, nil
}

// pipe is for the output of a command: reading has deadlines, writing waits for room
// as programs expect.
func pipe() (read, write *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	unix.SetNonblock(fds[0], true)
	return os.NewFile(uintptr(fds[0]), "output"), os.NewFile(uintptr(fds[1]), "output"), nil
}

// drain takes what stands in a pipe, without waiting for more.
func drain(pipe *os.File, to *tail) {
	raw, err := pipe.SyscallConn()
	if err != nil || pipe.SetReadDeadline(time.Time{}) != nil {
		return
	}
	raw.Read(func(fd uintptr) bool {
		buf := make([]byte, 64<<10)
		// No more than a pipe holds: who goes on writing is not listened to.
		for range 16 {
			n, err := syscall.Read(int(fd), buf)
			if err != nil || n == 0 {
				break
			}
			to.add(buf[:n])
		}
		return true
	})
}

// tail is the end of what was written.
type tail struct {
	b   []byte
	all int64 // how much was written
}

func (t *tail) add(b []byte) {
	t.b, t.all = append(t.b, b...), t.all+int64(len(b))
	if len(t.b) > 2*execLimit {
		t.b = append(t.b[:0], t.bytes()...)
	}
}

func (t *tail) bytes() []byte { return t.b[max(0, len(t.b)-execLimit):] }
