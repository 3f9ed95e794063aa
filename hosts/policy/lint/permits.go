package lint

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// largestExempt is the shortest prefix of an exempt subnet that the interoperability
// paper has in its example (C161); for IPv6 one link takes the place of it.
var largestExempt = map[bool]int{true: 23, false: 64}

var exemptSubnet = &Rule{
	ID: "exempt-subnet", Severity: Info, Claims: []string{"C160"},
	Title: "A whole subnet is exempt",
	Why:   "Whoever takes an address of that subnet for his own is exempt, too: nothing but the address is looked at.",
	Fix:   "Exempt hosts or services rather than subnets (`source`, `destination`), keep exempt subnets small, and have routers drop what comes with their addresses from elsewhere.",
}

var exemptSubnetWide = &Rule{
	ID: "exempt-subnet-wide", Severity: Warning, Claims: []string{"C160", "C161"},
	Title: "A large subnet is exempt",
	Why:   "The documents ask for the smallest subnets possible, and have /23 as the largest in their example: the more addresses, the more who may use one.",
	Fix:   "Put exempt hosts on subnets of their own (`subnet`), of /23 at most, and exempt those.",
}

var exemptOverlap = &Rule{
	ID: "exempt-overlap", Severity: Warning, Claims: []string{"C161"},
	Title: "An exempt subnet lies within a secured one",
	Why: "The longer prefix decides, so that a part of the secured subnet is not. The documents' gap between prefix lengths " +
		"does not prevent it: only subnets that have no address in common do.",
	Fix: "Number exempt hosts (`address`) from another subnet than secured ones, or exempt hosts one by one.",
}

var permitWider = &Rule{
	ID: "permit-wider", Severity: Warning, Claims: []string{"C080"},
	Title: "A permit filter is wider than the filters that negotiate",
	Why:   "Only what the negotiate filters name is protected: hosts that nobody thought of are permitted, rather than secured or blocked.",
	Fix:   "Negotiate with, or block, the wide set (`action: negotiate`, `action: block`), and permit the few that need it (`action: permit`).",
}

var permitSourcePort = &Rule{
	ID: "permit-source-port", Severity: Warning, Claims: []string{"C013"},
	Title: "What comes from a port of any host is permitted to all ports here",
	Why: "Filters keep no state: the mirror image of what goes to a port lets everything in that is sent from it, " +
		"a connection request or a forged acknowledgement too.",
	Fix: "Name the hosts that have the service, or the local port as well (`source-port`, `destination-port`), such as UDP 68 to 67 for DHCP.",
}

// guards reports whether a policy negotiates or blocks anything: only then permits are exemptions.
func guards(p *reviewed) bool {
	for _, r := range p.Rules {
		if !r.Inactive && r.Action.Kind != policy.Permit {
			return true
		}
	}
	return false
}

func checkPermits(l *linter) {
	l.rules(func(p place, r *policy.Rule) {
		if r.Action.Kind != policy.Permit || !guards(p.reviewed) {
			return
		}
		for i, f := range r.Filters.Filters {
			if f.Protocol != ipsec.ProtoAny {
				continue
			}
			for _, a := range []policy.Address{f.Source, f.Destination} {
				switch net, ok := subnet(a); {
				case !ok || groups(net):
				case net.Bits() < largestExempt[net.Addr().Is4()]:
					l.report(exemptSubnetWide, p.item(RuleFilter, i), "rule %s exempts all of %s", p, net)
				default:
					l.report(exemptSubnet, p.item(RuleFilter, i), "rule %s exempts whoever has an address in %s", p, net)
				}
			}
		}
	})
	for _, p := range l.policies {
		for _, u := range p.units {
			l.permitsWider(u)
			l.permitsFromPort(u)
		}
	}
}

// permitsWider finds permit filters that hold filters of which another rule negotiates.
func (l *linter) permitsWider(u *unit) {
	for i := range u.filters {
		f := &u.filters[i]
		if f.Kind != policy.Permit || f.Selector.Proto != ipsec.ProtoAny || f.Selector.Src.IsSingleIP() && f.Selector.Dst.IsSingleIP() {
			continue
		}
		for j := range u.filters {
			g := &u.filters[j]
			wider := f.Selector.Src != g.Selector.Src || f.Selector.Dst != g.Selector.Dst
			if g.Kind == policy.Negotiate && wider && f.Holds(g.Selector) {
				l.report(permitWider, u.filter(*f), "rule %s permits all of %s, and only %s of it is negotiated, by rule %s",
					u.at(*f), f.Generic, g.Generic, u.at(*g))
				break
			}
		}
	}
}

// permitsFromPort finds inbound permits by the peer's port alone where something else
// would decide about the rest.
func (l *linter) permitsFromPort(u *unit) {
	for _, f := range u.filters {
		s := f.Selector
		fromAll := !s.Src.IsValid() || s.Src.Bits() == 0
		if f.Kind != policy.Permit || !fromAll || s.SrcPort == 0 || s.DstPort != 0 || u.host != nil && !f.Inbound {
			continue
		}
		for _, h := range u.filters {
			if h.Kind != policy.Permit && overlap(h.Selector, s) && h.Rank > f.Rank {
				l.report(permitSourcePort, u.filter(f), "rule %s (%s) lets in whatever anybody sends from %s port %d, to all ports",
					u.at(f), f.Generic, ipsec.ProtoName(s.Proto), s.SrcPort)
				break
			}
		}
	}
}

func checkOverlaps(l *linter) {
	for _, p := range l.policies {
		secured := p.securedSubnets()
		for i, r := range p.Rules {
			if r.Inactive || r.Action.Kind != policy.Permit {
				continue
			}
			at := place{p, i}
			for n, f := range r.Filters.Filters {
				if f.Protocol != ipsec.ProtoAny {
					continue
				}
				for _, net := range subnets(f) {
					for _, s := range secured {
						if s.net.Bits() <= net.Bits() && s.net.Overlaps(net) {
							l.report(exemptOverlap, at.item(RuleFilter, n), "rule %s exempts %s, which lies within %s of rule %s", at, net, s.net, s.who)
							break
						}
					}
				}
			}
		}
	}
}

// subnets are the ends of a filter that are subnets.
func subnets(f policy.Filter) (all []netip.Prefix) {
	for _, a := range []policy.Address{f.Source, f.Destination} {
		if net, ok := subnet(a); ok {
			all = append(all, net)
		}
	}
	return all
}

// securedSubnet is a subnet that a rule negotiates with.
type securedSubnet struct {
	who place
	net netip.Prefix
}

func (p *reviewed) securedSubnets() (all []securedSubnet) {
	for i, r := range p.Rules {
		if r.Inactive || r.Action.Kind != policy.Negotiate {
			continue
		}
		for _, f := range r.Filters.Filters {
			for _, net := range subnets(f) {
				all = append(all, securedSubnet{place{p, i}, net})
			}
		}
	}
	return all
}
