package hosts

import (
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts/policy"
)

// Monitor is the policy in force as the IP Security Monitor shows it, with the
// dynamic filters of its default response rule; since when counts from the start of
// the world, and is 0 without a policy.
func (h *Host) Monitor() (m policy.Monitor, since time.Duration) {
	if h.agent.inForce == nil {
		return policy.Monitor{}, 0
	}
	return h.agent.inForce.Monitor(), h.driver.policy.since
}

// PolicySource is where the policy in force came from, and the name of the persistent
// policy that is in force with it; "" for none.
func (h *Host) PolicySource() (from, persistent string) {
	a := h.agent
	if a.persistent != nil {
		from, persistent = Persistent.String(), a.persistent.Name
	}
	if a.policy != nil {
		from = a.from.String()
	}
	return from, persistent
}

// AgentRunning reports whether the policy agent runs, and IKE with it.
func (h *Host) AgentRunning() bool { return !h.off && h.agent.running }

// AgentStarts is how often the policy agent has started since the host did: the
// statistics of IKE begin anew each time.
func (h *Host) AgentStarts() int { return h.agent.starts }

// Softs are the soft SAs of the host, in the order in which they began.
func (h *Host) Softs() []esp.SoftInfo { return h.driver.esp.Softs() }

// Off reports whether the host is without power.
func (h *Host) Off() bool { return h.off }
