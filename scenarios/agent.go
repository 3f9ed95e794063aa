package scenarios

import (
	"reflect"

	"net/netip"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// bootOf is how the driver of a host with these settings filters without an agent.
func bootOf(settings spec.IPsec) hosts.Boot {
	b := hosts.Boot{
		Delay:          settings.Gap(),
		PersistentLate: settings.PersistentSince() == spec.FromAgent,
		Mode: map[string]esp.StartupMode{
			spec.BootPermit: esp.StartupPermit, spec.BootBlock: esp.StartupBlock, spec.BootStateful: esp.StartupStateful,
		}[settings.BootMode],
		Stopped: map[string]hosts.Stopped{
			spec.StoppedFilters: hosts.StoppedFilters, spec.StoppedBoot: hosts.StoppedBoot,
		}[settings.WithoutAgent()],
	}
	for _, e := range settings.BootExempt() {
		d := ipsec.Outbound
		if e.Inbound {
			d = ipsec.Inbound
		}
		b.Exempt = append(b.Exempt, esp.BootExemption{Direction: d, Proto: e.Protocol, SrcPort: e.SrcPort, DstPort: e.DstPort})
	}
	return b
}

// sourceOf is where a host's agent gets its policy; nil: nowhere.
func (l *lab) sourceOf(name string, settings spec.IPsec) hosts.Source {
	p := settings.PolicySource
	if p == nil {
		return nil
	}
	a, _ := l.spec.Destination(name, p.Server) // spec has checked it
	return hosts.PolicyServer{Server: netip.AddrPortFrom(a, uint16(p.Port)), Policy: p.Policy}
}

// servePolicies makes a host a policy server.
func (l *lab) servePolicies(name string, s spec.Service) error {
	for _, p := range s.Policies {
		if err := l.storePolicy(&spec.StorePolicy{Host: name, Policy: p}); err != nil {
			return err
		}
	}
	_, err := l.hosts[name].ServePolicies(uint16(s.TCP))
	return err
}

// assignPolicy gives a host a policy while it runs, or takes the one it has.
func (l *lab) assignPolicy(v *spec.AssignPolicy) error {
	p := l.policies[v.Policy]
	if v.Unassigns() {
		p = nil
	}
	return l.assign(v.Host, v.Place(), p)
}

// assign makes a policy the one of a location that is assigned; nil: none is.
func (l *lab) assign(host, location string, p *policy.Policy) error {
	h := l.hosts[host]
	assign := h.AssignPolicy
	if location == spec.LocationPersistent {
		assign = h.AssignPersistent
	}
	if err := assign(p); err != nil {
		return err
	}
	l.oracle.terms[host].assign(location, p, l.world.Now())
	return nil
}

// storePolicy writes a policy into a host's store.
func (l *lab) storePolicy(v *spec.StorePolicy) error {
	stored := *l.policies[v.Policy]
	stored.Name = v.Name()
	return l.store(v.Host, v.Place(), &stored)
}

// store writes a policy into a location of a host's store.
func (l *lab) store(host, location string, p *policy.Policy) error {
	if err := l.hosts[host].StorePolicy(locationOf(location), p); err != nil {
		return err
	}
	l.oracle.terms[host].store(location, p, l.world.Now())
	if !reflect.DeepEqual(p, l.policies[p.Name]) {
		l.stored[storedPolicy{host, p.Name}] = true
	}
	return nil
}

// storedPolicy is a policy by its name in the store of a host.
type storedPolicy struct{ host, name string }

// agent starts or stops a host's policy agent.
func (l *lab) agent(v *spec.PolicyAgent) (err error) {
	h := l.hosts[v.Host]
	if v.Action != spec.AgentStart {
		err = h.StopAgent()
	}
	if err == nil && v.Action != spec.AgentStop {
		err = h.StartAgent()
	}
	if err == nil {
		l.oracle.terms[v.Host].agent(v.Action, l.world.Now())
	}
	return err
}
