package policy

import (
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// expand makes the specific filters of a policy's active rules, in the order in which
// it is written. Those that repeat another of the same rule, place in the search and all,
// are left out: the mirror image of "any to any" is the filter itself.
func expand(p *Policy, local []netip.Addr, o *Options) []*specific {
	var all []*specific
	for r, rule := range p.Rules {
		if rule.Inactive {
			continue
		}
		type filterKey struct {
			selector ipsec.Selector
			ends     [2]end
		}
		seen := map[filterKey]bool{}
		mine := rule.Connections.of(local, o)
		ending := rule.Tunnel.IsValid() && slices.Contains(local, rule.Tunnel)
		for f, filter := range rule.Filters.Filters {
			add := func(s ipsec.Selector, srcMe, dstMe bool) {
				ends := o.Specificity.ends(s, srcMe, dstMe)
				for _, confined := range rule.Connections.confine(s, mine) {
					if seen[filterKey{confined, ends}] {
						continue
					}
					seen[filterKey{confined, ends}] = true
					all = append(all, &specific{
						selector: confined, written: s, ends: ends, kind: rule.Action.Kind, name: p.Name + "/" + rule.Name,
						rule: r, filter: f, generic: filter, seq: len(all), tunnel: rule.Tunnel, ending: ending,
					})
				}
			}
			for _, src := range filter.Source.expand(mine, o) {
				for _, dst := range filter.Destination.expand(mine, o) {
					if src.IsValid() && dst.IsValid() && src.Addr().Is4() != dst.Addr().Is4() {
						continue // no packet has addresses of both families
					}
					s := ipsec.Selector{Src: src, Dst: dst, Proto: filter.Protocol, SrcPort: filter.SourcePort, DstPort: filter.DestinationPort}
					add(s, filter.Source.IsMe(), filter.Destination.IsMe())
					if filter.Mirrored {
						add(s.Reverse(), filter.Destination.IsMe(), filter.Source.IsMe())
					}
				}
			}
		}
	}
	return all
}

// of are the host's addresses on connections of the kind.
func (c ConnectionType) of(local []netip.Addr, o *Options) []netip.Addr {
	if c == AllConnections {
		return local
	}
	var mine []netip.Addr
	for _, a := range local {
		if slices.Contains(o.RemoteAccess, a) == (c == RemoteAccess) {
			mine = append(mine, a)
		}
	}
	return mine
}

// confine leaves of a selector the packets that this host exchanges by the addresses
// that it has on connections of the kind; and what is sent to a group, which arrives by
// any connection.
func (c ConnectionType) confine(s ipsec.Selector, mine []netip.Addr) (all []ipsec.Selector) {
	if c == AllConnections {
		return []ipsec.Selector{s}
	}
	holds := func(p netip.Prefix, a netip.Addr) bool { return p == netip.Prefix{} || p.Contains(a) }
	for _, a := range mine {
		if out := s; holds(s.Src, a) {
			out.Src = ipsec.Host(a)
			all = append(all, out)
		}
		if in := s; holds(s.Dst, a) {
			in.Dst = ipsec.Host(a)
			all = append(all, in)
		}
	}
	if len(mine) > 0 && group(s.Dst) {
		all = append(all, s)
	}
	return all
}
