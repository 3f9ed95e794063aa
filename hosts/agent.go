package hosts

import (
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// agent is the policy agent of a host: it reads the store, compiles what is
// assigned for the host's addresses, and gives filters to the driver and settings to
// IKE (C052), which runs and ends with it.
type agent struct {
	host    *Host
	options policy.Options

	running bool
	left    bool // it was stopped and has left its filters to the driver: StoppedFilters
	booting bool // it starts by itself when its delay is over
	starts  int  // since the host started

	assigned
	compiled *policy.Compiled
	polls    polls
	fetching *fetching // nil: the agent is stopped, or has no source

	names   resolver
	servers map[policy.ServerKind][]netip.Addr // as they were when the policy was assigned

	responses responses
	inForce   *policy.Compiled // compiled, with the dynamic filters of the default response rule
}

// assigned are the policies that a driver works by.
type assigned struct {
	persistent *policy.Policy
	policy     *policy.Policy // nil: none
	from       Location       // where it was read
}

// AssignPolicy makes p the one policy of the host's local store that is assigned, and
// has the agent read it at once; nil unassigns. If that changes what is in force, all
// SAs end, and peers are told.
func (h *Host) AssignPolicy(p *policy.Policy) error { return h.assign(Local, p) }

// AssignPersistent is AssignPolicy for the persistent store.
func (h *Host) AssignPersistent(p *policy.Policy) error { return h.assign(Persistent, p) }

func (h *Host) assign(l Location, p *policy.Policy) error {
	if h.off {
		return fmt.Errorf("hosts: %s: assigning policy: %w", h.name, ErrOff)
	}
	if p != nil && h.config.NoIKE {
		return fmt.Errorf("hosts: %s: assigning policy: the host has no IKE", h.name)
	}
	if _, err := policy.Compile(p, h.mine(), h.agent.options); err != nil {
		return fmt.Errorf("hosts: %s: assigning policy: %w", h.name, err)
	}
	name := ""
	if p != nil {
		h.store.put(l, p)
		name = p.Name
	}
	if err := h.store.assign(l, name); err != nil {
		return err
	}
	if !h.agent.running {
		return nil // it reads the store when it starts
	}
	return h.agent.apply(h.agent.read(), policyChanged)
}

// Store is the host's store of policies.
func (h *Host) Store() *Store { return h.store }

// policyChanged is why SAs end whose policy is in force no more.
const policyChanged = "policy changed"

// read is what the store has assigned now.
func (a *agent) read() assigned {
	s := a.host.store
	a.polls.seen(a.host.world.Now(), s.edits)
	next := assigned{persistent: s.Assigned(Persistent), policy: s.Assigned(Local)}
	if cached := s.Assigned(Cache); cached != nil && a.host.config.Source != nil {
		next.policy, next.from = cached, Cache
	} else if next.policy != nil {
		next.from = Local
	}
	return next
}

// apply puts policies in force in place of others: SAs end, and peers are told.
func (a *agent) apply(next assigned, why string) error {
	if a.host.config.KeepSAs {
		return a.change(next, why)
	}
	a.host.keying.drop(why)
	return a.put(next)
}

// put gives the driver its filters.
func (a *agent) put(next assigned) error {
	a.noteServers()
	compiled, err := a.compile(next)
	if err != nil {
		return err
	}
	a.use(next, compiled)
	return nil
}

// use puts compiled policies in force.
func (a *agent) use(next assigned, compiled *policy.Compiled) {
	h := a.host
	a.assigned, a.compiled, a.inForce = next, compiled, compiled
	a.responses.dynamic = nil
	h.driver.esp.SetPolicy(compiled.Outbound, compiled.Inbound)
	h.driver.policy.changed(h.world.Now())
	event := trace.PolicyAssigned{Filters: compiled.Specific()}
	for _, w := range compiled.Pruned() {
		event.Warnings = append(event.Warnings, w.String())
	}
	if next.policy != nil {
		event.Policy, event.Source = next.policy.Name, next.from.String()
	}
	if next.persistent != nil {
		event.Persistent = next.persistent.Name
	}
	h.record(event)
}

func (a *agent) compile(p assigned) (*policy.Compiled, error) {
	compiled, err := policy.CompileBoth(p.persistent, p.policy, a.host.mine(), a.options)
	if err != nil {
		return nil, fmt.Errorf("hosts: %s: assigning policy: %w", a.host.name, err)
	}
	return compiled, nil
}

// Policy is the local policy in force, or one that came from elsewhere; nil when there is none.
func (h *Host) Policy() *policy.Policy { return h.agent.policy }

// PolicyOptions are how the host's agent compiles policies.
func (h *Host) PolicyOptions() policy.Options { return h.agent.options }

// MainMode implements ike.Policy with the policy of the moment.
func (a *agent) MainMode(local, remote netip.Addr) (ike.MainMode, bool) {
	if a.compiled == nil {
		return ike.MainMode{}, false
	}
	return a.compiled.MainMode(local, remote)
}

// QuickMode implements ike.Policy with the policy of the moment.
func (a *agent) QuickMode(remote netip.Addr, outbound ipsec.Selector) (ike.QuickMode, bool) {
	if a.compiled == nil {
		return ike.QuickMode{}, false
	}
	return a.inForce.QuickMode(remote, outbound)
}
