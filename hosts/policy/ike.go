package policy

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var _ ike.Policy = (*Compiled)(nil)

// MainMode is what to offer to, or accept from, a peer: the proposals of the
// policy and the key of the most specific negotiate filter between the two
// addresses, whatever its protocol and ports. false: there is none.
//
// Main mode knows only addresses, so that one peer gets one key. When several
// rules with different keys concern one peer, the first in search order gives
// its key to all of them, and a peer that expects the other one fails: the
// sources' "only one authentication method between a pair of hosts" (claim C117).
func (c *Compiled) MainMode(local, remote netip.Addr) (ike.MainMode, bool) {
	for _, s := range c.all {
		if s.kind != Negotiate || c.why[s] != "" || !between(s.selector, local, remote) && !between(s.selector, remote, local) {
			continue
		}
		m := c.policy.MainMode
		mm := ike.MainMode{
			Proposals:    m.Proposals,
			PreSharedKey: []byte(c.policy.Rules[s.rule].Auth[0].PreSharedKey),
			Lifetime:     m.Lifetime,
			QuickModes:   m.QuickModes,
		}
		if len(mm.Proposals) == 0 {
			mm.Proposals = DefaultMainModeProposals()
		}
		if mm.Lifetime == 0 {
			mm.Lifetime = DefaultMainModeLifetime
		}
		return mm, true
	}
	return ike.MainMode{}, false
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
// enough; outbound is asked first. false: no rule negotiates for the selector.
func (c *Compiled) QuickMode(outbound ipsec.Selector) (ike.QuickMode, bool) {
	e, ok := deciding(c.Outbound, outbound)
	if !ok {
		e, ok = deciding(c.Inbound, outbound.Reverse())
	}
	if !ok {
		return ike.QuickMode{}, false
	}
	return ike.QuickMode{Proposals: e.Proposals, PFS: e.PFS, PFSGroup: e.PFSGroup, PolicyID: e.ID, Rule: e.Rule}, true
}

// deciding finds the first entry that holds all of a selector; ok when it protects.
func deciding(spd []ipsec.Policy, s ipsec.Selector) (e ipsec.Policy, ok bool) {
	for _, e := range spd {
		if holds(e.Selector, s) {
			return e, e.Action == ipsec.Protect
		}
	}
	return ipsec.Policy{}, false
}

// holds reports whether every packet of inner is one of outer.
func holds(outer, inner ipsec.Selector) bool {
	prefix := func(o, i netip.Prefix) bool {
		return o == netip.Prefix{} || i.IsValid() && i.Bits() >= o.Bits() && o.Contains(i.Addr())
	}
	return prefix(outer.Src, inner.Src) && prefix(outer.Dst, inner.Dst) &&
		(outer.Proto == ipsec.ProtoAny || outer.Proto == inner.Proto) &&
		(outer.SrcPort == 0 || outer.SrcPort == inner.SrcPort) &&
		(outer.DstPort == 0 || outer.DstPort == inner.DstPort) &&
		(outer.ICMP == ipsec.ICMPTypes{} || outer.ICMP == inner.ICMP)
}
