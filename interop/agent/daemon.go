//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/ipseclab/ipseclab/interop/control"
)

// daemon is a process that goes on.
type daemon struct {
	*process
	name      string
	log, logs string // as in control.Start
	dismissed bool   // it was to end
}

// readyWithin is how long a daemon may take to be ready unless the lab says otherwise.
const readyWithin = 10 * time.Second

// Start starts a daemon, and waits until it answers on its socket. One that is not
// ready in time is killed.
func (a *agent) Start(ctx context.Context, s *control.Start) error {
	switch {
	case s.Name == "":
		return control.Errorf(control.BadRequest, "start: the daemon has no name")
	case len(s.Argv) == 0 || s.Argv[0] == "":
		return control.Errorf(control.BadRequest, "start: %s: no command", s.Name)
	case !filepath.IsAbs(s.Log):
		return control.Errorf(control.BadRequest, "start: %s: the log %q is no absolute path", s.Name, s.Log)
	}
	d, err := a.launch(s)
	if err != nil || s.Ready == "" {
		return err
	}
	within := s.Within
	if within <= 0 {
		within = readyWithin
	}
	ready, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ready, "unix", s.Ready)
		if err == nil {
			return c.Close()
		}
		select {
		case <-d.ended:
			return fmt.Errorf("start: %s ended before it was ready: %s\n%s", d.name, d.how(), d.lastWords())
		case <-ready.Done():
			a.processes.signal(d.process, syscall.SIGKILL, true)
			<-d.ended
			return fmt.Errorf("start: %s was not ready within %v (%v)\n%s", d.name, within, err, d.lastWords())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// launch starts the process of a daemon that does not run.
func (a *agent) launch(s *control.Start) (*daemon, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.mu.daemons[s.Name]; d != nil && !d.gone() {
		return nil, control.Errorf(control.BadRequest, "start: %s runs already", s.Name)
	}
	if err := os.MkdirAll(filepath.Dir(s.Log), 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	p, err := a.processes.start(s.Argv, s.Env, null, log, log)
	if err != nil {
		return nil, err
	}
	d := &daemon{process: p, name: s.Name, log: s.Log, logs: s.Logs}
	a.mu.daemons[s.Name] = d
	return d, nil
}

func (d *daemon) gone() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// lastWords are the last lines of the daemon's log.
func (d *daemon) lastWords() string {
	b, _, _ := readTail(d.log, 2<<10)
	return string(b)
}

// Signal sends a signal to a daemon; SIGKILL goes to its children too. That one which
// is to end has ended already is no error.
func (a *agent) Signal(ctx context.Context, s *control.Signal) error {
	a.mu.Lock()
	d := a.mu.daemons[s.Name]
	if d != nil && s.Wait > 0 {
		d.dismissed = true
	}
	a.mu.Unlock()
	if d == nil {
		return control.Errorf(control.BadRequest, "signal: no daemon %q was started", s.Name)
	}
	number := syscall.Signal(s.Signal)
	err := a.processes.signal(d.process, number, number == syscall.SIGKILL)
	switch {
	case err == syscall.ESRCH && s.Wait > 0:
		return nil
	case err == syscall.ESRCH:
		return fmt.Errorf("signal: %s has ended: %s\n%s", d.name, d.how(), d.lastWords())
	case err == syscall.EINVAL:
		return control.Errorf(control.BadRequest, "signal: there is no signal %d", s.Signal)
	case err != nil:
		return fmt.Errorf("signal: %s: %w", d.name, err)
	case s.Wait <= 0:
		return nil
	}
	select {
	case <-d.ended:
		return nil
	case <-time.After(s.Wait):
		return fmt.Errorf("signal: %s has not ended within %v after signal %d\n%s", d.name, s.Wait, s.Signal, d.lastWords())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxDeath is how much of its log is told of a daemon that has died: an abort may print a backtrace behind its reason.
const maxDeath = 16 << 10

// Died tells of daemons that have ended and were not to.
func (a *agent) Died(context.Context) (all []control.Death, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(a.mu.daemons)) {
		d := a.mu.daemons[name]
		if d.dismissed || !d.gone() {
			continue
		}
		death := control.Death{Name: name, PID: d.pid, How: d.how()}
		death.Killed = d.status.Signaled() && (d.status.Signal() == syscall.SIGKILL || d.status.Signal() == syscall.SIGTERM)
		// A file that is not there says nothing.
		death.Output, _, _ = readTail(d.log, maxDeath)
		if d.logs != "" {
			death.Log, _, _ = readTail(d.logs, maxDeath)
		}
		all = append(all, death)
	}
	return all, nil
}
