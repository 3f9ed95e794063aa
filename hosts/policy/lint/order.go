package lint

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var neverMatches = &Rule{
	ID: "never-matches", Severity: Warning, Claims: []string{"C064", "C080"},
	Title: "A filter can never decide about a packet",
	Why: "It repeats another, is for hosts that do not have the policy, or for what passes before all filters, as IKE does. " +
		"Whoever reads the policy takes it for something that it does not do.",
	Fix: "Take it out, or correct its addresses (`source`, `destination`).",
}

var undefinedOrder = &Rule{
	ID: "undefined-order", Severity: Warning, Claims: []string{"C080"},
	Title: "Two rules with different actions are equally specific for the same packets",
	Why: "Windows searches the most specific filter first and has no order for administrators to set. Which of two that are " +
		"equally specific decides is not published: the lab has a rule for it, and a computer may have another.",
	Fix: "Make one of the two more specific (`source`, `destination`, `protocol`), or take one out.",
}

func checkNeverMatches(l *linter) {
	for _, p := range l.policies {
		for r := range p.Rules {
			for i, f := range p.Rules[r].Filters.Filters {
				if p.Rules[r].Inactive || standing(f.Source) || standing(f.Destination) {
					continue
				}
				if why, never := p.never(r, i); never {
					at := place{p, r}
					l.report(neverMatches, at.item(RuleFilter, i), "rule %s: filter %s can never decide: %s", at, f, why)
				}
			}
		}
	}
}

// standing reports whether an end stands for what only the host itself finds out.
func standing(a policy.Address) bool { return a.Name() != "" || a.ServerKind() != 0 }

// never reports whether a filter decides about no packet on any host, and why.
func (p *reviewed) never(rule, filter int) (why string, never bool) {
	var reasons []string
	for _, u := range p.units {
		if u.compiled == nil || u.host != nil && u.host.Dynamic {
			return "", false
		}
		for _, i := range u.made[[2]int{rule, filter}] {
			reason := u.useless(i)
			if reason == "" {
				return "", false
			}
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
	}
	if len(reasons) == 0 { // every specific filter of it is another one's of the same rule, or it has none
		if p.units[0].host == nil {
			return "", false
		}
		return "nothing is left of it on " + p.hosts() + ": other filters of the rule have it, or no address there fits", true
	}
	if len(reasons) > 1 {
		reasons = slices.DeleteFunc(reasons, func(r string) bool { return r == concernsNobody })
	}
	if reasons[0] == concernsNobody {
		return "neither end is an address of " + p.hosts(), true
	}
	return strings.Join(reasons, "; "), true
}

// hosts names those that have the policy.
func (p *reviewed) hosts() string {
	var names []string
	for _, u := range p.units {
		names = append(names, u.host.Name)
	}
	if len(names) > 3 {
		return fmt.Sprintf("any of the %d hosts that have the policy", len(names))
	}
	return strings.Join(names, ", ")
}

const concernsNobody = "it concerns nobody"

// useless says why a specific filter never decides; "" if it does.
func (u *unit) useless(i int) string {
	f := u.filters[i]
	if u.host != nil && !f.Outbound && !f.Inbound {
		return concernsNobody
	}
	out, in := f.Outbound || u.host == nil, f.Inbound || u.host == nil
	if (!out || u.compiled.Exempts(ipsec.Outbound, f.Selector)) && (!in || u.compiled.Exempts(ipsec.Inbound, f.Selector)) {
		return "what it selects passes before all filters"
	}
	var before *policy.SpecificFilter
	for _, way := range []struct {
		used   bool
		search searchable
	}{{out, u.outbound}, {in, u.inbound}} {
		if !way.used {
			continue
		}
		j, ok := way.search.holder(f.Selector)
		if !ok || j >= i {
			return ""
		}
		before = &u.filters[j]
		if before.Rank == f.Rank && !u.alike(before, &f) {
			return "" // a matter of order
		}
	}
	return fmt.Sprintf("rule %s has all of it (%s)", u.at(*before), before.Generic)
}

// alike reports whether it is the same which of two filters decides.
func (u *unit) alike(f, g *policy.SpecificFilter) bool {
	if f.Kind != g.Kind {
		return false
	}
	a, b := &u.Rules[f.Rule], &u.Rules[g.Rule]
	return f.Rule == g.Rule || f.Kind != policy.Negotiate || a.Action.Name == b.Action.Name && a.Tunnel == b.Tunnel && u.auth[f.Rule] == u.auth[g.Rule]
}

func checkOrder(l *linter) {
	for _, p := range l.policies {
		for _, u := range p.units {
			for from := 0; from < len(u.filters); {
				to := from + 1
				for to < len(u.filters) && u.filters[to].Rank == u.filters[from].Rank {
					to++
				}
				l.disputes(u, u.filters[from:to])
				from = to
			}
		}
	}
}

// disputes compares filters of one rank. Where their prefixes are as long, they have
// packets in common only if they are for the same addresses; else one is for a source
// where the other is for a destination.
func (l *linter) disputes(u *unit, rank []policy.SpecificFilter) {
	type ends struct{ src, dst netip.Prefix }
	same := map[ends][]*policy.SpecificFilter{}
	lengths := map[[2]int][]*policy.SpecificFilter{}
	for i := range rank {
		g := &rank[i]
		at := ends{g.Selector.Src, g.Selector.Dst}
		for _, f := range same[at] {
			l.dispute(u, f, g)
		}
		src, dst := at.src.Bits(), at.dst.Bits()
		if src != dst {
			for _, f := range lengths[[2]int{dst, src}] {
				l.dispute(u, f, g)
			}
		}
		same[at] = append(same[at], g)
		lengths[[2]int{src, dst}] = append(lengths[[2]int{src, dst}], g)
	}
}

func (l *linter) dispute(u *unit, f, g *policy.SpecificFilter) {
	if u.disputed(f, g) {
		l.report(undefinedOrder, u.filter(*g), "rule %s (%s) and rule %s (%s) are equally specific: one is to %s, the other to %s%s",
			u.at(*g), g.Generic, u.at(*f), f.Generic, g.Kind, f.Kind, another(f, g))
	}
}

func another(f, g *policy.SpecificFilter) string {
	if f.Kind == g.Kind {
		return " in another way"
	}
	return ""
}

// disputed reports whether it makes a difference which of two filters of one rank decides
// about packets that both select. Filters for the two ports of a connection, such as
// one for what is sent from port 80 and one for what is sent to port 1433, meet only in
// packets that nobody has in mind, and are left out.
func (u *unit) disputed(f, g *policy.SpecificFilter) bool {
	if u.alike(f, g) || !overlap(f.Selector, g.Selector) {
		return false
	}
	if u.host != nil && !(f.Outbound && g.Outbound || f.Inbound && g.Inbound) {
		return false
	}
	crossed := (f.Selector.SrcPort == 0) != (g.Selector.SrcPort == 0)
	return !crossed
}
