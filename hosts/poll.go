package hosts

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// polls are the times at which a policy agent looks for changes in the store: once
// for each polling interval of the policy in force, counted from when it last read
// the store because it started or was told to (MS-GPIPSEC, Section 2.2.1.1).
//
// A poll of a store that nobody has changed finds nothing, so that it needs no event.
type polls struct {
	since time.Duration
	edits int // of the store, as it was read
	timer *sim.Timer
}

// seen notes that the store was read.
func (p *polls) seen(now time.Duration, edits int) {
	p.stop()
	p.since, p.edits = now, edits
}

func (p *polls) stop() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// StorePolicy puts a policy into a location of the host's store, in place of another
// one of its name, and tells nobody: if it is the one assigned there, the agent finds
// it when it polls, or starts.
func (h *Host) StorePolicy(l Location, p *policy.Policy) error {
	switch {
	case h.config.NoIKE:
		return fmt.Errorf("hosts: %s: storing policy: the host has no IKE", h.name)
	case l != Local && l != Persistent:
		return fmt.Errorf("hosts: %s: storing policy: nobody but the agent writes to %s", h.name, l)
	}
	if _, err := policy.Compile(p, h.mine(), h.agent.options); err != nil {
		return fmt.Errorf("hosts: %s: storing policy: %w", h.name, err)
	}
	h.store.put(l, p)
	h.agent.plan()
	return nil
}

// RemovePolicy deletes a policy from a location of the host's store. One that is assigned
// has to be unassigned first.
func (h *Host) RemovePolicy(l Location, name string) error {
	switch p := h.store.Assigned(l); {
	case l != Local && l != Persistent:
		return fmt.Errorf("hosts: %s: removing policy: nobody but the agent writes to %s", h.name, l)
	case h.store.Policy(l, name) == nil:
		return fmt.Errorf("hosts: %s: removing policy: the %s store has no policy called %q", h.name, l, name)
	case p != nil && p.Name == name:
		return fmt.Errorf("hosts: %s: removing policy: %q is assigned", h.name, name)
	}
	h.store.remove(l, name)
	return nil
}

// plan sets the next poll that may find a change.
func (a *agent) plan() {
	now, every := a.host.world.Now(), a.interval()
	// An agent with a source reads the store whenever it asks there.
	if !a.running || a.fetching != nil || a.polls.timer != nil || a.host.store.edits == a.polls.edits {
		return
	}
	next := a.polls.since + ((now-a.polls.since)/every+1)*every
	a.polls.timer = a.host.after(next-now, a.poll)
}

// poll reads the store, and puts in force what has changed.
func (a *agent) poll() {
	a.polls.timer = nil
	was := a.assigned
	next := a.read()
	if was.same(next) {
		return
	}
	a.host.record(trace.AgentState{State: agentPolled, Detail: "the store has changed"})
	if err := a.apply(next, policyChanged); err != nil {
		a.host.record(trace.AgentState{State: agentPolled, Detail: err.Error()})
	}
}
