package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// registry is what netsh knows of a host: the policies of its store, with the filter
// lists and filter actions that they share and those that no policy has.
type registry struct {
	store netsh.Store
	seen  [hosts.Persistent + 1]map[string]*policy.Policy // as the host had them when netsh last looked
}

// places are the locations that netsh knows.
var places = []struct {
	location hosts.Location
	word     string
}{{hosts.Local, spec.LocationLocal}, {hosts.Persistent, spec.LocationPersistent}}

// container is a location of the registry.
func (r *registry) container(l hosts.Location) *netsh.Container {
	if l == hosts.Persistent {
		return &r.store.Persistent
	}
	return &r.store.Local
}

// storage is what a registry needs of a host's store, which the lab has or works out.
type storage interface {
	Names(hosts.Location) []string
	Policy(hosts.Location, string) *policy.Policy
	Assigned(hosts.Location) *policy.Policy
}

// look takes over what others have put into the store since netsh last looked.
func (r *registry) look(s storage) error {
	for _, place := range places {
		l, c := place.location, r.container(place.location)
		if r.seen[l] == nil {
			r.seen[l] = map[string]*policy.Policy{}
		}
		for _, name := range s.Names(l) {
			p := s.Policy(l, name)
			if r.seen[l][name] == p {
				continue
			}
			r.seen[l][name] = p
			c.Policies = slices.DeleteFunc(c.Policies, func(old *netsh.Policy) bool { return strings.EqualFold(old.Name, name) })
			if err := c.Add(p); err != nil {
				return err
			}
		}
		assigned := s.Assigned(l)
		for _, p := range c.Policies {
			p.Assigned = assigned != nil && strings.EqualFold(p.Name, assigned.Name)
		}
	}
	return nil
}

// change is what a run of netsh has done to a location of the store.
type change struct {
	word    string
	stored  []*policy.Policy // new or changed, and complete
	assigns bool             // another policy than before, or none
	to      *policy.Policy   // nil: none
	removed []string
}

// run runs commands on the registry. compiles reports whether a policy is one that the
// host can have: the others are not finished yet, and wait in the registry.
func (r *registry) run(s storage, script netsh.Script, compiles func(*policy.Policy) bool) (*netsh.Result, []change, error) {
	if err := r.look(s); err != nil {
		return nil, nil, err
	}
	result := r.store.Run(script)
	var all []change
	for _, place := range places {
		l, c := place.location, r.container(place.location)
		ch := change{word: place.word}
		for _, name := range c.Names() {
			p := c.Policy(name)
			if old := r.seen[l][name]; (old == nil || !reflect.DeepEqual(p, old)) && compiles(p) {
				ch.stored = append(ch.stored, p)
			}
		}
		for _, name := range s.Names(l) {
			if c.Policy(name) == nil {
				ch.removed = append(ch.removed, name)
				delete(r.seen[l], name)
			}
		}
		before, after := s.Assigned(l), c.Assigned()
		if (before == nil) != (after == nil) || before != nil && before.Name != after.Name {
			ch.assigns, ch.to = true, after
		}
		all = append(all, ch)
	}
	return result, all, nil
}

// unfit is why a command cannot be run on a host of the lab; "" where it can.
func unfit(l netsh.Line) string {
	switch {
	case l.Outcome == netsh.Refused:
		return l.Reason
	case l.Command == "ipsec dynamic set config", !strings.HasPrefix(l.Command, "ipsec dynamic"), strings.HasPrefix(l.Command, "ipsec dynamic show"):
		return ""
	}
	return "unsupported: dynamic commands on a host that runs, except for set config: its policy database has static policies alone"
}

// netsh runs commands of netsh on a host.
func (l *lab) netsh(v *spec.Netsh) (string, error) {
	h := l.hosts[v.Host]
	r := l.registries[v.Host]
	if r == nil {
		r = &registry{}
		l.registries[v.Host] = r
	}
	result, changes, err := r.run(h.Store(), netsh.Script{Name: "run", Text: v.Run}, func(p *policy.Policy) bool {
		_, err := policy.Compile(p, h.Addrs(), h.PolicyOptions())
		return err == nil
	})
	if err != nil {
		return "", err
	}
	if err := result.Err(); err != nil {
		return "", err // Validate has found none: somebody else has changed the store
	}
	for _, c := range changes {
		for _, p := range c.stored {
			if c.assigns && c.to != nil && c.to.Name == p.Name {
				continue // with it
			}
			if err := l.store(v.Host, c.word, p); err != nil {
				return "", err
			}
		}
		if c.assigns {
			if err := l.assign(v.Host, c.word, c.to); err != nil {
				return "", err
			}
		}
	}
	for _, c := range changes {
		for _, name := range c.removed {
			if err := h.RemovePolicy(locationOf(c.word), name); err != nil {
				return "", err
			}
		}
	}
	if err := r.look(h.Store()); err != nil {
		return "", err
	}
	l.configure(v.Host, &r.store.Config)
	done := 0
	for _, line := range result.Lines {
		if line.Outcome != netsh.Blank {
			done++
		}
	}
	return fmt.Sprintf("%d commands", done), nil
}

// configure writes what set config has set into the registry of a host, which reads it
// when it next starts (TechNet cc756041, cc783039).
func (l *lab) configure(name string, c *netsh.Config) {
	h, node := l.hosts[name], l.oracle.terms[name].node
	settings := node.Settings()
	if exempt, ok := c.Exemptions(); ok {
		h.SetExemptions(exempt)
		value := *c.Exempt
		settings.NoDefaultExempt = &value
	}
	if c.LogInterval != nil {
		interval := time.Duration(*c.LogInterval) * time.Second
		h.SetLogInterval(interval)
		settings.LogInterval = spec.Duration(interval)
	}
	modes := map[netsh.BootMode]esp.StartupMode{
		netsh.BootPermit: esp.StartupPermit, netsh.BootBlock: esp.StartupBlock, netsh.BootStateful: esp.StartupStateful,
	}
	if c.BootMode != netsh.BootModeUnset {
		h.SetBootMode(modes[c.BootMode])
		settings.BootMode = c.BootMode.String()
	}
	if c.BootExemptions != nil {
		var exempt []esp.BootExemption
		settings.BootExemptions = nil
		for _, e := range c.BootExemptions {
			d := ipsec.Outbound
			if e.Inbound {
				d = ipsec.Inbound
			}
			exempt = append(exempt, esp.BootExemption{Direction: d, Proto: e.Protocol, SrcPort: e.SourcePort, DstPort: e.DestinationPort})
			settings.BootExemptions = append(settings.BootExemptions, bootExemption(e))
		}
		h.SetBootExemptions(exempt)
	}
	node.IPsec = &settings
	l.oracle.terms[name].restarts = node
}

// bootExemption is a boot exemption as the settings of a host write it.
func bootExemption(e netsh.BootExemption) string {
	direction := "outbound"
	if e.Inbound {
		direction = "inbound"
	}
	if !ipsec.HasPorts(e.Protocol) {
		return fmt.Sprintf("%d:%s", e.Protocol, direction)
	}
	return fmt.Sprintf("%d:%d:%d:%s", e.Protocol, e.SourcePort, e.DestinationPort, direction)
}

// shelf is a host's store while nothing runs.
type shelf [hosts.Persistent + 1]struct {
	policies map[string]*policy.Policy
	names    []string
	assigned string
}

func (s *shelf) Names(l hosts.Location) []string { return s[l].names }
func (s *shelf) Policy(l hosts.Location, name string) *policy.Policy {
	return s[l].policies[name]
}
func (s *shelf) Assigned(l hosts.Location) *policy.Policy { return s[l].policies[s[l].assigned] }

func (s *shelf) put(l hosts.Location, p *policy.Policy) {
	at := &s[l]
	if at.policies == nil {
		at.policies = map[string]*policy.Policy{}
	}
	if at.policies[p.Name] == nil {
		at.names = append(at.names, p.Name)
	}
	stored := *p
	at.policies[p.Name] = &stored
}

func (s *shelf) remove(l hosts.Location, name string) {
	delete(s[l].policies, name)
	s[l].names = slices.DeleteFunc(s[l].names, func(n string) bool { return n == name })
}

func (s *shelf) assign(l hosts.Location, p *policy.Policy) {
	s[l].assigned = ""
	if p != nil {
		s.put(l, p)
		s[l].assigned = p.Name
	}
}

func locationOf(word string) hosts.Location {
	if word == spec.LocationPersistent {
		return hosts.Persistent
	}
	return hosts.Local
}

// rehearse runs the netsh steps of a scenario, in the order of the file and with what
// other steps do to the stores of their hosts, and finds what is refused. made are the
// rules of the policies that they make, by policy.
func rehearse(s *spec.Scenario, policies map[string]*policy.Policy) (made map[string][]string, mistakes []error) {
	made = map[string][]string{}
	shelves, registries := map[string]*shelf{}, map[string]*registry{}
	on := func(host string) *shelf {
		if shelves[host] == nil {
			shelves[host], registries[host] = &shelf{}, &registry{}
			if p := policies[s.Assignments[host]]; p != nil {
				shelves[host].assign(hosts.Local, p)
			}
			if p := policies[s.Persistent[host]]; p != nil {
				shelves[host].assign(hosts.Persistent, p)
			}
		}
		return shelves[host]
	}
	for i, step := range s.Steps {
		path := fmt.Sprintf("$.steps[%d].netsh.run", i)
		switch v := step; {
		case v.AssignPolicy != nil:
			p := policies[v.AssignPolicy.Policy]
			if v.AssignPolicy.Unassigns() {
				p = nil
			}
			on(v.AssignPolicy.Host).assign(locationOf(v.AssignPolicy.Place()), p)
		case v.StorePolicy != nil:
			if p := policies[v.StorePolicy.Policy]; p != nil {
				stored := *p
				stored.Name = v.StorePolicy.Name()
				on(v.StorePolicy.Host).put(locationOf(v.StorePolicy.Place()), &stored)
			}
		case v.Netsh != nil:
			host := v.Netsh.Host
			shelf, r := on(host), registries[host]
			result, changes, err := r.run(shelf, netsh.Script{Name: "run", Text: v.Netsh.Run}, func(p *policy.Policy) bool {
				_, err := policy.Compile(p, s.NodeAddrs(host), optionsOf(s, s.Nodes[host]))
				return err == nil
			})
			if err != nil {
				return made, append(mistakes, s.Errorf(path, "%v", err))
			}
			for _, l := range result.Lines {
				if reason := unfit(l); reason != "" {
					mistakes = append(mistakes, s.Errorf(path, "run: line %d, column %d: %s", l.Line, l.Column, strings.TrimPrefix(l.Command+": "+reason, ": ")))
				}
			}
			for _, c := range changes {
				for _, p := range c.stored {
					shelf.put(locationOf(c.word), p)
					made[p.Name] = append(made[p.Name], labelsOf(p)...)
				}
				if !c.assigns {
					continue
				}
				if c.to != nil { // what is assigned has to be complete
					made[c.to.Name] = append(made[c.to.Name], labelsOf(c.to)...)
					if _, err := policy.Compile(c.to, s.NodeAddrs(host), optionsOf(s, s.Nodes[host])); err != nil {
						mistakes = append(mistakes, s.Errorf(path, "run: policy %s on %s: %v", c.to.Name, host, err))
					}
				}
				shelf.assign(locationOf(c.word), c.to)
			}
			for _, c := range changes {
				for _, name := range c.removed {
					shelf.remove(locationOf(c.word), name)
				}
			}
			if err := r.look(shelf); err != nil {
				return made, append(mistakes, s.Errorf(path, "%v", err))
			}
		}
	}
	return made, mistakes
}
