package hosts

import (
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// Servers are those that an administrator has told a host to use, besides what DHCP
// tells it. Default gateways come from its routes.
type Servers map[policy.ServerKind][]netip.Addr

// SetServers tells the host to use these servers, in place of those that it was told
// of; what DHCP has told stays. The policy is expanded again.
func (h *Host) SetServers(s Servers, reason string) {
	h.config.Servers = s
	if !h.off {
		h.agent.expandSoon(reason)
	}
}

// ToldServers are those that an administrator has told the host to use.
func (h *Host) ToldServers() Servers { return h.config.Servers }

// Servers are those of a kind that the host is told to use: by its administrator, whose
// word goes before that of DHCP (a choice of the lab), or by its leases.
func (h *Host) Servers(k policy.ServerKind) (all []netip.Addr) {
	add := func(more ...netip.Addr) {
		for _, a := range more {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	if k == policy.DefaultGateways {
		return h.Gateways()
	}
	add(h.config.Servers[k]...)
	if len(all) > 0 && k != policy.DHCPServers {
		return all
	}
	for _, c := range h.dhcp {
		switch {
		case !c.lease.Address.IsValid():
		case k == policy.DNSServers:
			add(c.lease.DNS...)
		case k == policy.WINSServers:
			add(c.lease.WINS...)
		case k == policy.DHCPServers:
			add(c.lease.Server)
		}
	}
	return all
}

func newAgent(h *Host, o policy.Options) *agent {
	a := &agent{host: h, options: o, names: resolver{ask: o.Resolve}}
	a.options.Resolve, a.options.Servers = a.names.resolve, a.serversOf
	a.options.Certificates = h.config.Certificates.For
	a.noteServers()
	return a
}

// noteServers has names and servers looked up anew, for policies that are put in force.
func (a *agent) noteServers() {
	a.names.known = map[string][]netip.Addr{}
	a.servers = map[policy.ServerKind][]netip.Addr{}
	for _, k := range policy.ServerKinds {
		a.servers[k] = a.host.Servers(k)
	}
}

// serversOf are the servers that filters of a kind are for.
func (a *agent) serversOf(k policy.ServerKind) []netip.Addr {
	if a.host.config.StaticServers {
		return a.servers[k]
	}
	return a.host.Servers(k)
}

// resolver is how filters get the addresses of names: once, when the policy is
// assigned, whatever becomes of a name later (TechNet cc756984).
type resolver struct {
	ask   func(string) []netip.Addr
	known map[string][]netip.Addr
}

func (r *resolver) resolve(name string) []netip.Addr {
	all, asked := r.known[name]
	if !asked && r.ask != nil {
		all = slices.Clone(r.ask(name))
		r.known[name] = all
	}
	return all
}
