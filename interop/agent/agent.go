//go:build linux

package main

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/ipseclab/ipseclab/interop/control"
)

// agent carries out what the lab wants of a peer: control.Handler.
type agent struct {
	processes *processes
	modules   *modules      // of a kernel of its own; nil: the kernel is the lab machine's
	ownNames  bool          // host name and everything else belong to the peer alone
	echoes    atomic.Uint32 // identifiers of echo requests given so far

	mu struct {
		sync.Mutex
		daemons      map[string]*daemon
		applications map[control.Serve]*application
	}
}

func newAgent() *agent {
	a := &agent{processes: newProcesses()}
	a.mu.daemons = map[string]*daemon{}
	a.mu.applications = map[control.Serve]*application{}
	return a
}

// serve serves the lab until the conversation ends, and ends everything then.
func (a *agent) serve(ctx context.Context, line io.ReadWriteCloser) error {
	err := control.Listen(ctx, line, a)
	a.endAll()
	return err
}

// endAll ends applications and processes.
func (a *agent) endAll() {
	a.mu.Lock()
	for _, app := range a.mu.applications {
		app.close()
	}
	clear(a.mu.applications)
	clear(a.mu.daemons)
	a.mu.Unlock()
	a.processes.killAll()
}
