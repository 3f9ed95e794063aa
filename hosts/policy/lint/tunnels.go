package lint

import (
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var tunnelPorts = &Rule{
	ID: "tunnel-ports", Severity: Error, Claims: []string{"C173"},
	Title: "A filter of a tunnel names a protocol or a port",
	Why:   "Windows has no tunnels for a protocol or a port: the far end gets proposals that its policy does not have, or traffic outside of what was agreed on.",
	Fix:   "Name addresses alone in the filters of a tunnel (no `protocol` and no port), and filter by port before or behind it.",
}

var tunnelMirrored = &Rule{
	ID: "tunnel-mirrored", Severity: Error, Source: "KB252735, KB816514",
	Title: "A filter of a tunnel is mirrored",
	Why:   "A rule has one end of a tunnel, and a tunnel has another one in each direction: the mirror image sends answers to the wrong end.",
	Fix:   "Use two rules, one for each direction, each with a filter that is not mirrored (`mirrored: false`) and the end at which its packets leave the tunnel (`tunnel`).",
}

var tunnelOneWay = &Rule{
	ID: "tunnel-one-way", Severity: Error, Source: "KB252735, KB816514",
	Title: "A tunnel has a rule for one direction alone",
	Why:   "What comes back has no filter: it is taken in the clear, and what came through the tunnel has no rule to fit.",
	Fix:   "Add a rule with the addresses the other way round, whose `tunnel` ends at this side.",
}

var tunnelDynamic = &Rule{
	ID: "tunnel-dynamic", Severity: Error, Claims: []string{"C172"},
	Title: "An end of a tunnel has no static address",
	Why:   "Rules name the ends of tunnels by address: when one changes, the tunnel ends nowhere.",
	Fix:   "Give both ends static addresses (`address`), or use L2TP over IPsec.",
}

var tunnelNowhere = &Rule{
	ID: "tunnel-nowhere", Severity: Warning, Claims: []string{"C172"},
	Title: "No host has the address at which a tunnel ends",
	Why:   "Nobody is there to negotiate with: what the rule selects is dropped.",
	Fix:   "Correct the address (`tunnel`).",
}

func checkTunnels(l *linter) {
	l.rules(func(p place, r *policy.Rule) {
		if !r.Tunnel.IsValid() {
			return
		}
		for i, f := range r.Filters.Filters {
			at := p.item(RuleFilter, i)
			if f.Protocol != ipsec.ProtoAny {
				l.report(tunnelPorts, at, "rule %s has a tunnel, and a filter for %s: %s", p, protocolAndPorts(f), f)
			}
			if f.Mirrored {
				l.report(tunnelMirrored, at, "rule %s has a tunnel to %s, and a filter for both directions: %s", p, r.Tunnel, f)
			} else if !hasReverse(p, f) {
				l.report(tunnelOneWay, at, "rule %s has a tunnel for %s, and no rule with a tunnel is for the other direction", p, f)
			}
			for _, a := range []policy.Address{f.Source, f.Destination} {
				if a.ServerKind() != 0 {
					l.report(tunnelDynamic, at, "rule %s has a tunnel for %s, which follows the settings of the host", p, a)
				}
			}
		}
		if r.Connections == policy.RemoteAccess {
			l.report(tunnelDynamic, p.ref(RuleConnections), "rule %s has a tunnel on connections of remote access, where addresses are given anew", p)
		}
	})
}

// protocolAndPorts words what a filter names besides addresses.
func protocolAndPorts(f policy.Filter) string {
	if f.SourcePort != 0 || f.DestinationPort != 0 {
		return "a port of " + ipsec.ProtoName(f.Protocol)
	}
	return "protocol " + ipsec.ProtoName(f.Protocol) + " alone"
}

// hasReverse reports whether another rule with a tunnel has the filter the other way round.
func hasReverse(p place, f policy.Filter) bool {
	for i, r := range p.Rules {
		if i == p.rule || r.Inactive || !r.Tunnel.IsValid() || r.Tunnel == p.Rules[p.rule].Tunnel {
			continue
		}
		for _, g := range r.Filters.Filters {
			if g.Source == f.Destination && g.Destination == f.Source || g.Mirrored && g.Source == f.Source && g.Destination == f.Destination {
				return true
			}
		}
	}
	return false
}

func checkTunnelEnds(l *linter) {
	if len(l.in.Hosts) == 0 {
		return
	}
	l.rules(func(p place, r *policy.Rule) {
		if !r.Tunnel.IsValid() {
			return
		}
		for _, u := range p.units {
			if u.host != nil && u.host.Dynamic {
				l.report(tunnelDynamic, p.ref(RuleTunnel), "the tunnel of rule %s is for %s, whose own address changes", p, u.host.Name)
			}
		}
		h := l.hostOf(r.Tunnel)
		if h == nil {
			l.report(tunnelNowhere, p.ref(RuleTunnel), "the tunnel of rule %s ends at %s, an address that nobody has", p, r.Tunnel)
			return
		}
		for _, a := range h.Options.RemoteAccess {
			if a == r.Tunnel {
				l.report(tunnelDynamic, p.ref(RuleTunnel), "the tunnel of rule %s ends at %s, which %s has on a connection of remote access", p, r.Tunnel, h.Name)
			}
		}
	})
}
