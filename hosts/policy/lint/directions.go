package lint

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var oneWayPermit = &Rule{
	ID: "one-way-permit", Severity: Warning, Claims: []string{"C013", "C220"},
	Title: "A permit filter is not mirrored, and the answers are dropped",
	Why:   "Filtering is stateless: answers need a filter of their own. Where another rule negotiates or blocks them, no connection comes about.",
	Fix:   "Mirror the filter (`mirrored: true`), or add one for the answers.",
}

var oneWayNegotiate = &Rule{
	ID: "one-way-negotiate", Severity: Warning, Claims: []string{"C013", "C062"},
	Title: "A negotiate filter is not mirrored, and what comes back is not demanded protected",
	Why:   "No filter asks for protection of the other direction: a peer, or whoever uses its address, is heard in the clear.",
	Fix:   "Mirror the filter (`mirrored: true`). Only the rules of a tunnel are for one direction.",
}

var multicastNegotiated = &Rule{
	ID: "multicast-negotiated", Severity: Warning, Claims: []string{"C019", "C044"},
	Title: "A filter negotiates security for a multicast group or a broadcast address",
	Why:   "SAs are between two hosts. Such packets never get one, and are dropped.",
	Fix:   "Permit or block multicast and broadcast (`action: permit`, `action: block`).",
}

func checkOneWay(l *linter) {
	for _, p := range l.policies {
		for _, u := range p.units {
			for _, f := range u.filters {
				if f.Generic.Mirrored || f.Tunnel() || u.host != nil && !f.Outbound && !f.Inbound {
					continue
				}
				back, ok := u.first(f.Selector.Reverse())
				switch {
				case f.Kind == policy.Permit && ok && back.Kind != policy.Permit && answered(f.Selector):
					l.report(oneWayPermit, u.filter(f), "rule %s permits %s, and the answers are left to rule %s, which is to %s",
						u.at(f), f.Generic, u.at(back), back.Kind)
				case f.Kind == policy.Negotiate && !ok && !groups(f.Selector.Dst):
					l.report(oneWayNegotiate, u.filter(f), "rule %s negotiates for %s, and no filter is for the other direction", u.at(f), f.Generic)
				case f.Kind == policy.Negotiate && ok && back.Kind != policy.Negotiate:
					l.report(oneWayNegotiate, u.filter(f), "rule %s negotiates for %s, and rule %s is to %s the other direction",
						u.at(f), f.Generic, u.at(back), back.Kind)
				}
			}
		}
	}
}

// answered reports whether what a selector takes in cannot do without answers: TCP, and
// all traffic. A trap or a log record can.
func answered(s ipsec.Selector) bool { return s.Proto == ipsec.ProtoAny || s.Proto == ipsec.ProtoTCP }

var (
	multicast4 = netip.MustParsePrefix("224.0.0.0/4") // RFC 5771
	multicast6 = netip.MustParsePrefix("ff00::/8")    // RFC 4291, Section 2.7
	broadcast  = netip.MustParseAddr("255.255.255.255")
)

// groups reports whether a prefix is one of multicast groups or the limited broadcast.
func groups(p netip.Prefix) bool {
	within := func(net netip.Prefix) bool { return p.Bits() >= net.Bits() && net.Contains(p.Addr()) }
	return p.IsValid() && (within(multicast4) || within(multicast6) || p == ipsec.Host(broadcast))
}

func checkMulticast(l *linter) {
	l.rules(func(p place, r *policy.Rule) {
		if r.Action.Kind != policy.Negotiate {
			return
		}
		for i, f := range r.Filters.Filters {
			for _, a := range []policy.Address{f.Source, f.Destination} {
				if groups(a.Prefix()) || l.broadcast(p.reviewed, a.Prefix()) {
					l.report(multicastNegotiated, p.item(RuleFilter, i), "rule %s negotiates for %s, to which many listen", p, a)
				}
			}
		}
	})
}

// broadcast reports whether a prefix is the broadcast address of a host that has the policy.
func (l *linter) broadcast(p *reviewed, net netip.Prefix) bool {
	for _, u := range p.units {
		if u.host == nil {
			continue
		}
		for _, b := range u.host.Options.Broadcasts {
			if net == ipsec.Host(b) {
				return true
			}
		}
	}
	return false
}
