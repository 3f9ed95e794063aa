package scenarios

import (
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/dhcp"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// serversOf is the kind that a word means; spec has checked it.
func serversOf(word string) policy.ServerKind {
	switch word {
	case spec.ServersWINS:
		return policy.WINSServers
	case spec.ServersDHCP:
		return policy.DHCPServers
	case spec.DefaultGateways:
		return policy.DefaultGateways
	}
	return policy.DNSServers
}

// toldServers are those that the file tells a host to use.
func toldServers(s *spec.Scenario, told spec.Servers) hosts.Servers {
	return hosts.Servers{
		policy.DNSServers: s.ResolveAll(told.DNS), policy.WINSServers: s.ResolveAll(told.WINS), policy.DHCPServers: s.ResolveAll(told.DHCP),
	}
}

// serversAtStart are those that a host knows before anything has happened.
func serversAtStart(s *spec.Scenario, n spec.Node) hosts.Servers {
	all := toldServers(s, n.Servers)
	all[policy.DefaultGateways] = s.ResolveAll(n.NextHops())
	return all
}

// setServers tells a host to use other servers.
func (l *lab) setServers(v *spec.SetServers) {
	told := toldServers(l.spec, v.Servers)
	h := l.hosts[v.Node]
	keep := func(kind policy.ServerKind, words []string) {
		if words == nil {
			told[kind] = h.ToldServers()[kind]
		}
	}
	keep(policy.DNSServers, v.DNS)
	keep(policy.WINSServers, v.WINS)
	keep(policy.DHCPServers, v.DHCP)
	h.SetServers(told, "set-servers")
}

// ipconfig is the command of that name.
func (l *lab) ipconfig(v *spec.IPConfig) error {
	if v.Action == spec.IPConfigRelease {
		return l.hosts[v.Node].ReleaseDHCP()
	}
	return l.hosts[v.Node].RenewDHCP()
}

// serveDHCP starts the DHCP server of a node.
func (l *lab) serveDHCP(h *hosts.Host, n spec.Node, d spec.DHCPService) error {
	c := dhcp.ServerConfig{Lease: d.LeaseTime(), DNS: l.spec.ResolveAll(d.DNS), WINS: l.spec.ResolveAll(d.WINS)}
	c.First, c.Last, _ = d.Bounds()
	c.Address, _ = n.DHCPPrefix(d)
	if router := l.spec.ResolveAll([]string{d.Router}); d.Router != "" && len(router) > 0 {
		c.Router = router[0]
	}
	_, err := h.ServeDHCP(c)
	return err
}
