package policy

import (
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// For those who write down a policy as the configuration of another implementation, which
// does not ask for each peer.

// MainModeOf is the main mode of the rule of an SPD entry, given by its place in Outbound or
// Inbound: what its peers get with whom no more specific rule negotiates. false: the entry is
// an exemption, or does not negotiate.
func (c *Compiled) MainModeOf(d ipsec.Direction, place int) (ike.MainMode, bool) {
	if place < 0 || place >= len(c.plumbed[d]) {
		return ike.MainMode{}, false
	}
	s := c.plumbed[d][place]
	if s == nil || s.kind != Negotiate || s.rule == dynamicRule {
		return ike.MainMode{}, false
	}
	return c.mainMode(s.of, s.of.Rules[s.rule].Auth), true
}

// Response is what the default response rule answers with; false: it is not active.
func (c *Compiled) Response() (ike.MainMode, ike.QuickMode, bool) {
	if c.policy == nil || c.policy.DefaultResponse == nil {
		return ike.MainMode{}, ike.QuickMode{}, false
	}
	return c.mainMode(c.policy, c.policy.DefaultResponse.Auth), c.responseQuickMode(), true
}
