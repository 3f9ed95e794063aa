package hosts

import (
	"fmt"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Explain says which filter decides for a packet, why, and what would happen to it
// now: with the SAs, soft SAs and negotiations that there are.
func (h *Host) Explain(d ipsec.Direction, f ipsec.Flow) policy.Explanation {
	in := h.agent.inForce
	if in == nil {
		in, _ = policy.Compile(nil, h.mine(), h.agent.options)
	}
	now := h.config.FallBack.Circumstances()
	now.AgentStopped = !h.agent.running
	s := h.driver.esp.Standing(h.world.Time(), d, f)
	now.SA, now.Acquiring, now.Startup, now.Admitted = s.SA, s.Acquiring, s.Startup, s.Admitted
	if s.Soft != nil {
		now.Soft = fmt.Sprintf("a soft SA with %s, since %s of virtual time", s.Soft.Peer, s.Soft.Added.Sub(h.world.Time())+h.world.Now())
	}
	return in.Explain(d, f, now)
}

// Circumstances are what explanations have to know of the settings.
func (f FallBack) Circumstances() policy.Circumstances {
	return policy.Circumstances{FallBackAfter: f.after(), Simultaneous: f.Simultaneous, OnFailure: f.OnFailure, OnUnreachable: f.OnUnreachable, AnswersOnly: f.Soft.Answers}
}
