package policy

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/classifier"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// SpecificFilter is one filter as the driver works on it, for those who look at a policy
// as a whole: without "me", and one way.
type SpecificFilter struct {
	Rule, Filter int // places in Policy.Rules and in the rule's filter list
	Generic      Filter
	Selector     ipsec.Selector
	Kind         Kind
	TunnelEnd    netip.Addr // of a rule with a tunnel; else invalid

	Outbound, Inbound bool // the directions in which packets of this host can match; neither: it does not concern the host

	// Rank is the place among filters by how specific they are, from 0. Those of one
	// rank are ordered by their actions and their places alone: by rules of the lab.
	Rank int
}

// SpecificFilters are those of the policy's active rules, in search order, with those
// that do not concern the host. Filters of names and servers that stand for nothing
// have none.
func (c *Compiled) SpecificFilters() []SpecificFilter {
	plumbed := map[*specific][2]bool{}
	for _, s := range c.plumbed[ipsec.Outbound] {
		plumbed[s] = [2]bool{true, false}
	}
	for _, s := range c.plumbed[ipsec.Inbound] {
		plumbed[s] = [2]bool{plumbed[s][0], true}
	}
	all := make([]SpecificFilter, len(c.all))
	rank := 0
	for i, s := range c.all {
		if i > 0 {
			if _, by := before(c.all[i-1], s, c.ties); by < byAction {
				rank++
			}
		}
		all[i] = c.view(s)
		all[i].Outbound, all[i].Inbound, all[i].Rank = plumbed[s][0], plumbed[s][1], rank
	}
	return all
}

// Decides finds the filter that decides about a packet. ok is false where an exemption,
// a dynamic filter or no filter does.
func (c *Compiled) Decides(d ipsec.Direction, f ipsec.Flow) (by SpecificFilter, ok bool) {
	for i, e := range c.entries(d) {
		if !e.Selector.Matches(&f) {
			continue
		}
		s := c.plumbed[d][i]
		if s == nil || s.rule == dynamicRule {
			return SpecificFilter{}, false
		}
		return c.view(s), true
	}
	return SpecificFilter{}, false
}

// view is a filter without its place in the search.
func (c *Compiled) view(s *specific) SpecificFilter {
	return SpecificFilter{
		Rule: s.rule, Filter: s.filter, Generic: s.generic, Selector: s.selector, Kind: s.kind, TunnelEnd: s.tunnel,
	}
}

// Exempts reports whether all packets of a selector, outbound or inbound, pass before
// all filters.
func (c *Compiled) Exempts(d ipsec.Direction, s ipsec.Selector) bool {
	for i, e := range c.entries(d) {
		if c.plumbed[d][i] != nil {
			break // exemptions stand in front
		}
		if classifier.Holds(&e.Selector, &s) {
			return true
		}
	}
	return false
}

// Tunnel reports whether the filter is of a rule with a tunnel.
func (f SpecificFilter) Tunnel() bool { return f.TunnelEnd.IsValid() }

// Holds reports whether every packet of another selector is one of this filter.
func (f SpecificFilter) Holds(s ipsec.Selector) bool { return classifier.Holds(&f.Selector, &s) }
