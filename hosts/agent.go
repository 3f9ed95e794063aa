package hosts

import (
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// agent is the policy agent of a host: it compiles the assigned policy for the
// host's addresses, gives filters to the driver and settings to IKE (C052).
type agent struct {
	host     *Host
	options  policy.Options
	policy   *policy.Policy
	compiled *policy.Compiled

	responses responses
	inForce   *policy.Compiled // compiled, with the dynamic filters of the default response rule
}

// AssignPolicy makes p the host's only IPsec policy; nil unassigns. All SAs end,
// and peers are told.
func (h *Host) AssignPolicy(p *policy.Policy) error {
	if h.off {
		return fmt.Errorf("hosts: %s: assigning policy: %w", h.name, ErrOff)
	}
	if p != nil && h.config.NoIKE {
		return fmt.Errorf("hosts: %s: assigning policy: the host has no IKE", h.name)
	}
	compiled, err := policy.Compile(p, h.Addrs(), h.agent.options)
	if err != nil {
		return fmt.Errorf("hosts: %s: assigning policy: %w", h.name, err)
	}
	h.keying.drop("policy changed")
	h.agent.policy, h.agent.compiled, h.agent.inForce = p, compiled, compiled
	h.agent.responses.dynamic = nil
	h.driver.esp.SetPolicy(compiled.Outbound, compiled.Inbound)
	h.driver.policy.changed(h.world.Now())
	event := trace.PolicyAssigned{Filters: compiled.Specific()}
	if p != nil {
		event.Policy = p.Name
	}
	h.record(event)
	return nil
}

// Policy is the assigned policy; nil when there is none.
func (h *Host) Policy() *policy.Policy { return h.agent.policy }

// PolicyOptions are how the host's agent compiles policies.
func (h *Host) PolicyOptions() policy.Options { return h.agent.options }

// Explain says which filter decides for a packet, and why.
func (h *Host) Explain(d ipsec.Direction, f ipsec.Flow) policy.Explanation {
	if h.agent.inForce == nil {
		none, _ := policy.Compile(nil, h.Addrs(), h.agent.options)
		return none.Explain(d, f)
	}
	return h.agent.inForce.Explain(d, f)
}

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
