package lint

import (
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var negotiateDC = &Rule{
	ID: "negotiate-dc", Severity: Error, Claims: []string{"C038", "C098"},
	Title: "Traffic to a domain controller is to be negotiated",
	Why: "It is not supported between members and controllers. Where rules authenticate by Kerberos it cannot work: " +
		"the ticket that IKE needs comes from the controller that IKE is to secure.",
	Fix: "Permit traffic with domain controllers, by their addresses (`action: permit`).",
}

var negotiateDNS = &Rule{
	ID: "negotiate-dns", Severity: Warning, Claims: []string{"C024", "C155"},
	Title: "Lookups at a DNS server are to be negotiated",
	Why:   "Each lookup waits for a negotiation; with a server that has no IPsec it waits three seconds each time, or fails. Most else needs a lookup first.",
	Fix:   "Permit traffic with DNS servers, by their addresses or as the host's DNS servers (`destination: dns-servers`).",
}

var negotiateDHCP = &Rule{
	ID: "negotiate-dhcp", Severity: Warning, Claims: []string{"C024", "C156"},
	Title: "Traffic with a DHCP server is to be negotiated",
	Why:   "A host has no address to negotiate with before it has a lease, and renews it with a server that talks to all systems.",
	Fix:   "Permit UDP from me, port 68, to any, port 67; or permit traffic with DHCP servers (`destination: dhcp-servers`).",
}

var infrastructureNotExempt = &Rule{
	ID: "infrastructure-not-exempt", Severity: Info, Claims: []string{"C024", "C153"},
	Title: "All traffic is to be negotiated, and no server is exempt",
	Why:   "Domain controllers, and servers for DNS, DHCP and WINS, cannot be reached by IPsec in most networks, and everything else depends on them.",
	Fix:   "Add a rule that permits traffic with them (`action: permit`).",
}

var icmpNotExempt = &Rule{
	ID: "icmp-not-exempt", Severity: Warning, Claims: []string{"C042", "C205", "C206", "C207", "C208", "C209", "C210", "C211"},
	Title: "All traffic is to be negotiated, ICMP too",
	Why: "Routers cannot negotiate: their messages are dropped, so that tracert shows nothing and path MTU discovery fails. " +
		"Logon, group policy and file sharing measure by ICMP, and take the wait for a negotiation for a slow link or an absent host.",
	Fix: "Permit ICMP between me and any (`protocol: icmp`), or where echoes are to be kept out, between me and the routers.",
}

var icmpBlocked = &Rule{
	ID: "icmp-blocked", Severity: Info, Claims: []string{"C207"},
	Title: "All traffic is blocked that is not named, ICMP too",
	Why:   "Routers cannot say that a packet is too large: connections across a narrower link hang.",
	Fix:   "Permit ICMP (`protocol: icmp`) from the routers on the way where there are any, or let nothing on the way have a smaller MTU.",
}

// Ports by which servers are known: 53 (RFC 1035), 67 and 68 (RFC 2131), 88 (RFC 4120), 389 (RFC 4511).
const (
	portDNS        = 53
	portDHCPServer = 67
	portDHCPClient = 68
	portKerberos   = 88
	portLDAP       = 389
)

// role is what a server does for the network.
type role struct {
	rule   *Rule
	name   string
	kind   policy.ServerKind // the filter word for such servers; 0: none
	serves []Service         // by which a host is known for it
	asks   []ipsec.Flow      // what clients send it, without addresses
}

var roles = []role{
	{negotiateDC, "a domain controller", 0, []Service{{ipsec.ProtoUDP, portKerberos}, {ipsec.ProtoTCP, portKerberos}}, []ipsec.Flow{
		{Proto: ipsec.ProtoUDP, SrcPort: clientPort, DstPort: portKerberos}, {Proto: ipsec.ProtoTCP, SrcPort: clientPort, DstPort: portKerberos},
		{Proto: ipsec.ProtoTCP, SrcPort: clientPort, DstPort: portLDAP},
	}},
	{negotiateDNS, "a DNS server", policy.DNSServers, []Service{{ipsec.ProtoUDP, portDNS}, {ipsec.ProtoTCP, portDNS}}, []ipsec.Flow{
		{Proto: ipsec.ProtoUDP, SrcPort: clientPort, DstPort: portDNS},
	}},
	{negotiateDHCP, "a DHCP server", policy.DHCPServers, []Service{{ipsec.ProtoUDP, portDHCPServer}}, []ipsec.Flow{
		{Proto: ipsec.ProtoUDP, SrcPort: portDHCPClient, DstPort: portDHCPServer},
	}},
}

// clientPort stands for any port that no filter names: the first that Windows Server 2003
// gives to clients.
const clientPort = 1025

// checkServers looks at filters that name servers by their kind or their port.
func checkServers(l *linter) {
	l.rules(func(p place, r *policy.Rule) {
		if r.Action.Kind != policy.Negotiate {
			return
		}
		for i, f := range r.Filters.Filters {
			for _, role := range roles {
				if role.named(f) {
					l.report(role.rule, p.item(RuleFilter, i), "rule %s negotiates with %s: its filter is %s", p, role.name, f)
				}
			}
		}
	})
}

// checkRoles asks what a policy does with what its host sends to servers: to hosts that
// are known as such by what they serve, and to those that it is told to use.
func checkRoles(l *linter) {
	for _, p := range l.policies {
		for _, u := range p.units {
			if u.host == nil || u.compiled == nil {
				continue
			}
			for _, role := range roles {
				for i := range l.in.Hosts {
					if server := &l.in.Hosts[i]; server != u.host && role.of(server) {
						l.asks(u, server.Name, server.Addrs, role)
					}
				}
				if role.kind != 0 && u.host.Options.Servers != nil {
					for _, a := range u.host.Options.Servers(role.kind) {
						l.asks(u, l.hostAt(a), []netip.Addr{a}, role)
					}
				}
			}
		}
	}
}

// of reports whether a host has the role.
func (r role) of(h *Host) bool {
	return slices.ContainsFunc(r.serves, func(s Service) bool { return slices.Contains(h.Serves, s) })
}

// asks reports what a host would negotiate with a server, if anything.
func (l *linter) asks(u *unit, server string, addrs []netip.Addr, r role) {
	for _, src := range u.host.Addrs {
		for _, dst := range addrs {
			if src.Is4() != dst.Is4() || src == dst {
				continue
			}
			for _, f := range r.asks {
				f.Src, f.Dst = src, dst
				by, ok := u.compiled.Decides(ipsec.Outbound, f)
				if ok && by.Kind == policy.Negotiate && !r.named(by.Generic) {
					l.report(r.rule, u.at(by).ref(WholeRule), "rule %s negotiates with %s, %s: %s %s port %d",
						u.at(by), server, r.name, ipsec.ProtoName(f.Proto), dst, f.DstPort)
					return
				}
			}
		}
	}
}

// named reports whether a filter names servers of the role, by their kind or their port.
func (r role) named(f policy.Filter) bool {
	kind := r.kind != 0 && (f.Source.ServerKind() == r.kind || f.Destination.ServerKind() == r.kind)
	return kind || slices.ContainsFunc(r.serves, func(s Service) bool {
		return f.Protocol == s.Protocol && (f.DestinationPort == s.Port || f.SourcePort == s.Port)
	})
}

// checkExemptions looks for policies that secure everything and permit nothing but, at most, ICMP.
func checkExemptions(l *linter) {
	for _, p := range l.policies {
		if at, ok := p.actsOnAll(policy.Negotiate); ok && !p.permits(func(f policy.Filter) bool { return !icmp(f.Protocol) }) {
			l.report(infrastructureNotExempt, at.ref(WholeRule), "rule %s negotiates all traffic, and policy %s exempts no server", at, p.Name)
		}
	}
}

func checkICMP(l *linter) {
	for _, p := range l.policies {
		exempt := p.permits(func(f policy.Filter) bool { return icmp(f.Protocol) })
		if at, ok := p.actsOnAll(policy.Block); ok && !exempt {
			l.report(icmpBlocked, at.ref(WholeRule), "rule %s blocks all traffic, and policy %s does not permit ICMP", at, p.Name)
		}
		if at, ok := p.actsOnAll(policy.Negotiate); ok && !exempt {
			l.report(icmpNotExempt, at.ref(WholeRule), "rule %s negotiates all traffic, and policy %s does not permit ICMP", at, p.Name)
		}
	}
}

func icmp(protocol uint8) bool { return protocol == ipsec.ProtoICMP || protocol == ipsec.ProtoICMPv6 }

// actsOnAll finds a rule that blocks or negotiates all traffic of a host, in transport mode.
func (p *reviewed) actsOnAll(kind policy.Kind) (place, bool) {
	for i, r := range p.Rules {
		if !r.Inactive && r.Action.Kind == kind && !r.Tunnel.IsValid() && slices.ContainsFunc(r.Filters.Filters, all) {
			return place{p, i}, true
		}
	}
	return place{}, false
}

// permits reports whether a policy has a permit filter of the kind.
func (p *reviewed) permits(is func(policy.Filter) bool) bool {
	for _, r := range p.Rules {
		if !r.Inactive && r.Action.Kind == policy.Permit && slices.ContainsFunc(r.Filters.Filters, is) {
			return true
		}
	}
	return false
}
