package hosts

import (
	"fmt"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The states of trace.AgentState.
const (
	agentStarted = "started"
	agentStopped = "stopped"
	agentPolled  = "polled"
)

// install puts the policies that a host is given into its store.
func (h *Host) install(c Config) error {
	for _, given := range []struct {
		location Location
		policy   *policy.Policy
	}{{Local, c.Policy}, {Persistent, c.Persistent}} {
		if given.policy == nil {
			continue
		}
		if c.NoIKE {
			return fmt.Errorf("hosts: %s: assigning policy: the host has no IKE", c.Name)
		}
		h.store.put(given.location, given.policy)
		if err := h.store.assign(given.location, given.policy.Name); err != nil {
			return err
		}
	}
	return nil
}

// StartAgent starts the policy agent: it reads the store anew, the driver becomes
// operational, and IKE answers. It does nothing while the agent runs.
func (h *Host) StartAgent() error {
	switch {
	case h.off:
		return fmt.Errorf("hosts: %s: starting the policy agent: %w", h.name, ErrOff)
	case h.agent.running:
		return nil
	}
	h.record(trace.AgentState{State: agentStarted})
	return h.agent.start()
}

// StopAgent stops the policy agent, and IKE with it: SAs end, peers are told, and
// nobody listens on port 500. What the driver does from then on is Boot.Stopped. It
// does nothing while the agent is stopped, but one that was to start after the boot
// does not start by itself any more.
func (h *Host) StopAgent() error {
	a := h.agent
	if h.off {
		return fmt.Errorf("hosts: %s: stopping the policy agent: %w", h.name, ErrOff)
	}
	a.booting = false
	if !a.running {
		return nil
	}
	h.keying.close("policy agent stopped")
	a.polls.stop()
	if a.fetching != nil {
		a.fetching.stop()
		a.fetching = nil
	}
	a.running = false
	h.record(trace.AgentState{State: agentStopped})
	switch h.config.Boot.Stopped {
	case StoppedBoot:
		return h.startMode("the policy agent was stopped")
	case StoppedFilters:
		a.left = true
		h.record(trace.DriverMode{Mode: "operational", Detail: "the policy agent was stopped: its filters stay, and nobody negotiates"})
		return nil
	}
	h.record(trace.DriverMode{Mode: "permit", Detail: "the policy agent was stopped: there are no filters"})
	return a.put(assigned{})
}

// start has the agent work.
func (a *agent) start() error {
	h := a.host
	a.running, a.booting, a.left = true, false, false
	if a.starts++; a.starts > 1 {
		k, err := newKeying(h, h.config)
		if err != nil {
			return fmt.Errorf("hosts: %s: %w", h.name, err)
		}
		h.keying = k
	}
	if err := h.keying.listen(); err != nil {
		return err
	}
	if next := a.read(); next.any() || a.compiled != nil {
		if err := a.apply(next, policyChanged); err != nil {
			return err
		}
	}
	h.operational()
	if h.config.Source != nil {
		a.fetching = &fetching{agent: a}
		a.fetching.fetch()
	}
	return nil
}

// purpose names a random stream, another one for each start of the agent.
func (a *agent) purpose(of string) string {
	if a.starts <= 1 {
		return of
	}
	return fmt.Sprintf("%s, start %d of the policy agent", of, a.starts)
}

// any reports whether there is a policy.
func (f assigned) any() bool { return f.persistent != nil || f.policy != nil }
