package policy

import (
	"cmp"
	"net/netip"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
)

var _ ike.Policy = (*Compiled)(nil)

// MainMode is what to offer to, or accept from, a peer: the proposals of the
// policy and the key of the most specific negotiate filter between the two
// addresses, whatever its protocol and ports. false: there is none.
//
// Main mode knows only addresses, so that one peer gets one key. When several
// rules with different keys concern one peer, the first in search order gives
// its key to all of them, and a peer that expects the other one fails (claim C117).
func (c *Compiled) MainMode(local, remote netip.Addr) (ike.MainMode, bool) {
	if s := c.negotiating(local, remote); s != nil {
		return c.mainMode(s.of, s.of.Rules[s.rule].Auth), true
	}
	if c.responds(local, remote) {
		return c.mainMode(c.policy, c.policy.DefaultResponse.Auth), true
	}
	return ike.MainMode{}, false
}

func (c *Compiled) mainMode(p *Policy, auth []AuthMethod) ike.MainMode {
	m := p.MainMode
	return ike.MainMode{
		Proposals:  m.proposals(),
		Auth:       c.auth(auth),
		Lifetime:   cmp.Or(m.Lifetime, DefaultMainModeLifetime),
		QuickModes: m.QuickModes,
		Identity:   c.identity,
		AuthFirst:  c.authFirst,
		Aggressive: c.aggressive,
		ModeConfig: c.modeConfig,
		NewGroups:  c.newGroups,
	}
}

// auth are the methods as IKE negotiates them, in the rule's order (claim C049). Those
// by certificates are one for each thing that is done with them, with all authorities of the rule.
func (c *Compiled) auth(methods []AuthMethod) (all []ike.Auth) {
	roots := map[ike.AuthMethod][]RootCA{}
	for _, a := range methods {
		if a.RootCA == "" {
			all = append(all, ike.Auth{Method: ike.PreSharedKey, PreSharedKey: []byte(a.PreSharedKey), XAuth: a.XAuth})
			continue
		}
		by := a.by()
		if roots[by] == nil {
			all = append(all, ike.Auth{Method: by, XAuth: a.XAuth})
		}
		name, _ := pki.ParseName(a.RootCA) // checked when compiled
		roots[by] = append(roots[by], RootCA{Name: name, CertMapping: a.CertMapping, ExcludeCAName: a.ExcludeCAName})
	}
	for i, a := range all {
		if a.Method != ike.PreSharedKey {
			all[i].Certificates = c.certificates(roots[a.Method])
		}
	}
	return all
}

// by is what the method does with a certificate.
func (a AuthMethod) by() ike.AuthMethod {
	if a.By == 0 {
		return ike.RSASignature
	}
	return a.By
}

// proposals are the main mode's, or the default ones.
func (m MainMode) proposals() []ike.MainModeProposal {
	if len(m.Proposals) == 0 {
		return DefaultMainModeProposals()
	}
	return m.Proposals
}

// concerns reports whether the filter needs a main mode between two addresses: they
// are the ends of its packets, or of the tunnel through which it sends.
func (s *specific) concerns(local, remote netip.Addr) bool {
	if s.tunnel.IsValid() {
		return s.tunnel == remote
	}
	return between(s.selector, local, remote) || between(s.selector, remote, local)
}

// between reports whether the selector has packets from src to dst.
func between(s ipsec.Selector, src, dst netip.Addr) bool {
	return (s.Src == netip.Prefix{} || s.Src.Contains(src)) && (s.Dst == netip.Prefix{} || s.Dst.Contains(dst))
}

// QuickMode is what to accept for the traffic of a selector, given as its
// outbound half. The entry that decides is the first that holds the whole
// selector: a proposal equal to a filter or narrower is judged by that filter,
// one wider than a filter is not, even though some of its packets would be.
// SAs come in pairs, so that a filter which negotiates in one direction only is
// enough; outbound is asked first. A tunnel is for its far end alone; of tunnels for the same
// traffic, as where two NATs have the same addresses behind them (RFC 3948, Section 5.1), the one
// to the peer decides. Where no entry
// decides, the default response rule does, if it is active. false: no rule negotiates
// for the selector with that peer.
func (c *Compiled) QuickMode(remote netip.Addr, outbound ipsec.Selector) (ike.QuickMode, bool) {
	e := c.deciding(ipsec.Outbound, outbound)
	if e == nil || e.Action != ipsec.Protect {
		if back := c.deciding(ipsec.Inbound, outbound.Reverse()); back != nil {
			e = back
		}
	}
	if e != nil && e.Peer.IsValid() && e.Peer != remote {
		e = c.tunnelTo(remote, e)
	}
	switch {
	case e == nil && c.responds(outbound.Src.Addr(), outbound.Dst.Addr()):
		return c.responseQuickMode(), true
	case e == nil || e.Action != ipsec.Protect || e.Peer.IsValid() && e.Peer != remote:
		return ike.QuickMode{}, false
	case c.IsResponse(e.Rule):
		return c.responseQuickMode(), true
	}
	return ike.QuickMode{Proposals: e.Proposals, PFS: e.PFS, PFSGroup: e.PFSGroup, PolicyID: e.ID, Rule: e.Rule}, true
}

// tunnelTo is the entry for the same traffic as another one whose tunnel ends at a peer; that one
// itself where there is none.
func (c *Compiled) tunnelTo(peer netip.Addr, like *ipsec.Policy) *ipsec.Policy {
	entries := c.entries(like.Direction)
	for i := range entries {
		if e := &entries[i]; e.Peer == peer && e.Selector == like.Selector && e.Action == like.Action {
			return e
		}
	}
	return like
}
