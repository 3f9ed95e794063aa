package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Startup settles how a host's IPsec driver filters while no policy agent runs, and
// what its persistent policy is to the others.
type Startup struct {
	BootMode        string   `yaml:"boot-mode" jsonschema:"enum=permit,enum=block,enum=stateful"`           // how the driver filters until the policy agent has started; default: stateful if a policy is assigned, else permit (TechNet cc783039)
	BootExemptions  []string `yaml:"boot-exemptions" jsonschema:"uniqueItems=true"`                         // what passes in modes block and stateful besides DHCP: protocol:source port:destination port:direction, or protocol:direction
	AgentDelay      Duration `yaml:"agent-delay"`                                                           // how long the policy agent starts after the driver, which is when the host starts; 0: at once. Not published
	AgentStopped    string   `yaml:"agent-stopped" jsonschema:"enum=permit,enum=filters,enum=boot"`         // what the driver does when the agent was stopped: permit (default) all, keep its filters, or filter as at boot. Not published
	PersistentFrom  string   `yaml:"persistent-from" jsonschema:"enum=driver,enum=agent"`                   // since when the persistent policy is in force: the start of the driver (default) or of the agent. The sources differ
	PersistentOrder string   `yaml:"persistent-order" jsonschema:"enum=specific,enum=persistent,enum=last"` // which filter decides where the persistent policy and another one both have some: the most specific (default), those of the persistent policy first, or last. Not published

	PolicyChange string        `yaml:"policy-change" jsonschema:"enum=all,enum=invalid"` // which SAs end when another policy is in force: all (default), or those alone that it invalidates. Not published
	PolicySource *PolicySource `yaml:"policy-source"`                                    // another computer from which the agent gets a policy that goes before the local one
}

// PolicySource is a policy server that a host's agent asks.
type PolicySource struct {
	Server string `yaml:"server" jsonschema:"required"`                       // a node, or an address of one
	Port   int    `yaml:"port" jsonschema:"required,minimum=1,maximum=65535"` // on which it serves policies
	Policy string `yaml:"policy" jsonschema:"required"`                       // the name of the policy there
}

// PolicyAgent starts or stops the policy agent of a host.
type PolicyAgent struct {
	Host   string `yaml:"host" jsonschema:"required"`
	Action string `yaml:"action" jsonschema:"required,enum=start,enum=stop,enum=restart"`
}

// StorePolicy puts a policy into a host's store and tells nobody.
type StorePolicy struct {
	Host     string `yaml:"host" jsonschema:"required"`
	Policy   string `yaml:"policy" jsonschema:"required"`                     // what is stored
	As       string `yaml:"as"`                                               // under another name, in place of what is there; default: its own
	Location string `yaml:"location" jsonschema:"enum=local,enum=persistent"` // of the store; default local
}

// The words of Startup, PolicyAgent and the locations of a store.
const (
	BootPermit   = "permit"
	BootBlock    = "block"
	BootStateful = "stateful"

	StoppedPermit  = "permit"
	StoppedFilters = "filters"
	StoppedBoot    = "boot"

	FromDriver = "driver"
	FromAgent  = "agent"

	OrderSpecific   = "specific"
	OrderPersistent = "persistent"
	OrderLast       = "last"

	AgentStart   = "start"
	AgentStop    = "stop"
	AgentRestart = "restart"

	ChangeAll     = "all"
	ChangeInvalid = "invalid"

	LocationLocal      = "local"
	LocationPersistent = "persistent"
)

// Gap is how long the policy agent starts after the driver.
func (s Startup) Gap() time.Duration { return s.AgentDelay.Span() }

// WithoutAgent is what the driver does when the agent was stopped.
func (s Startup) WithoutAgent() string { return or(s.AgentStopped, StoppedPermit) }

// PersistentSince is since when the persistent policy is in force.
func (s Startup) PersistentSince() string { return or(s.PersistentFrom, FromDriver) }

// Precedence is how the filters of the persistent policy are searched beside others.
func (s Startup) Precedence() string { return or(s.PersistentOrder, OrderSpecific) }

// KeepsSAs reports whether a change of policy ends only what the new one invalidates.
func (s Startup) KeepsSAs() bool { return s.PolicyChange == ChangeInvalid }

// Name is what the policy is called in the store.
func (s StorePolicy) Name() string { return or(s.As, s.Policy) }

// Place is the location of the store.
func (s StorePolicy) Place() string { return or(s.Location, LocationLocal) }

// Place is the location of the store.
func (a AssignPolicy) Place() string { return or(a.Location, LocationLocal) }

// BootExemption is a line of boot-exemptions.
type BootExemption struct {
	Protocol         uint8
	SrcPort, DstPort uint16 // 0: any
	Inbound          bool   // else outbound
}

// ParseBootExemption reads protocol:source port:destination port:direction, where a
// port 0 is any; of a protocol without ports, protocol:direction. The syntax of
// netsh is not published, this is the lab's own.
func ParseBootExemption(text string) (e BootExemption, err error) {
	parts := strings.Split(text, ":")
	word := strings.ToLower(parts[0])
	n, ok := ProtocolNumber(word)
	if !ok || n == 0 {
		return e, fmt.Errorf("%q is no protocol: icmp, icmpv6, tcp, udp or a number from 1 to 255%s", shorten(parts[0]), Suggest(word, []string{"icmp", "icmpv6", "tcp", "udp"}))
	}
	e.Protocol = n
	switch want := map[bool]int{true: 4, false: 2}[hasPorts(n)]; {
	case len(parts) != want && hasPorts(n):
		return e, fmt.Errorf("want protocol:source port:destination port:direction, such as tcp:0:3389:inbound, got %q", shorten(text))
	case len(parts) != want:
		return e, fmt.Errorf("want protocol:direction, such as icmp:inbound, since %s has no ports, got %q", word, shorten(text))
	}
	if hasPorts(n) {
		for i, port := range []*uint16{&e.SrcPort, &e.DstPort} {
			v, err := strconv.ParseUint(parts[1+i], 10, 16)
			if err != nil {
				return e, fmt.Errorf("%q is no port: a number from 1 to 65535, or 0 for any", shorten(parts[1+i]))
			}
			*port = uint16(v)
		}
	}
	switch way := strings.ToLower(parts[len(parts)-1]); way {
	case "inbound":
		e.Inbound = true
	case "outbound":
	default:
		return e, fmt.Errorf("%q is no direction: inbound or outbound%s", shorten(way), Suggest(way, []string{"inbound", "outbound"}))
	}
	return e, nil
}

// BootExempt are the boot exemptions, without those that Check refuses.
func (s Startup) BootExempt() (all []BootExemption) {
	for _, text := range s.BootExemptions {
		if e, err := ParseBootExemption(text); err == nil {
			all = append(all, e)
		}
	}
	return all
}

// word checks a word that may be left out.
func (c *checker) word(path, key, got string, known ...string) {
	if got != "" && !slices.Contains(known, got) {
		last := len(known) - 1
		c.at(child(path, key), "%s: want %s or %s, got %q%s", key, strings.Join(known[:last], ", "), known[last], shorten(got), Suggest(got, known))
	}
}

// startup checks the settings of a host's driver without an agent.
func (c *checker) startup(path string, s *IPsec) {
	c.word(path, "boot-mode", s.BootMode, BootPermit, BootBlock, BootStateful)
	c.word(path, "agent-stopped", s.AgentStopped, StoppedPermit, StoppedFilters, StoppedBoot)
	c.word(path, "persistent-from", s.PersistentFrom, FromDriver, FromAgent)
	c.word(path, "persistent-order", s.PersistentOrder, OrderSpecific, OrderPersistent, OrderLast)
	c.word(path, "policy-change", s.PolicyChange, ChangeAll, ChangeInvalid)
	c.span(path, "agent-delay", s.AgentDelay)
	for i, text := range s.BootExemptions {
		if _, err := ParseBootExemption(text); err != nil {
			c.at(item(child(path, "boot-exemptions"), i), "boot-exemptions: %s", err)
		}
	}
	if len(s.BootExemptions) > 0 && s.BootMode == BootPermit {
		c.key(child(path, "boot-exemptions"), "boot-exemptions: in boot-mode permit everything passes")
	}
	for _, key := range present(&s.Startup) {
		if s.NoIKE {
			c.key(child(path, key), "%s: a computer that does not know IPsec (no-ike: true) has no driver", key)
		}
		if (key == "boot-mode" || key == "boot-exemptions" || key == "persistent-from") && s.AgentDelay == 0 && s.AgentStopped != StoppedBoot {
			c.key(child(path, key), "%s: there is no time without a policy agent in which it means anything: set agent-delay, or agent-stopped: boot", key)
		}
	}
}

// persistent checks the persistent policies of hosts.
func (c *checker) persistent() {
	s := c.s
	for _, host := range sorted(s.Persistent) {
		path := child("$.persistent", host)
		n, ok := s.Nodes[host]
		switch {
		case !ok && !c.unknown("$.nodes"):
			c.key(path, "persistent: no host is called %q%s", shorten(host), Suggest(host, c.hosts()))
		case ok && !n.Host():
			c.key(path, "persistent: %s is %s and has no IPsec policy", host, article(n.Kind()))
		case c.noPolicy(path, "persistent", host), c.noPersistent(path, host):
		case s.Persistent[host] == "":
			c.at(path, "persistent: %s has no policy: leave it out", host)
		}
		c.assigned("$.persistent", host, s.Persistent[host])
	}
}

func (c *checker) policyAgent(path string, a *PolicyAgent) {
	c.ipsecHost(path, "policy-agent", a.Host)
	if a.Action == "" {
		c.missing(path, "action", "policy-agent: there is no action: start, stop or restart")
	}
	c.word(path, "action", a.Action, AgentStart, AgentStop, AgentRestart)
}

func (c *checker) storePolicy(path string, p *StorePolicy) {
	c.ipsecHost(path, "store-policy", p.Host)
	if p.Place() == LocationPersistent {
		c.noPersistent(child(path, "location"), p.Host)
	}
	if p.Policy == "" {
		c.missing(path, "policy", "store-policy: there is no policy")
	}
	c.assigned(path, "policy", p.Policy)
	// A name of the file, so that what the store has is always one of its policies.
	c.defined(path, "as", p.As, "policy", "$.policies", c.s.policyNames())
	c.word(path, "location", p.Location, LocationLocal, LocationPersistent)
}

// policySource checks where a host's agent gets its policy.
func (c *checker) policySource(path, name string, p *PolicySource) {
	if p == nil {
		return
	}
	if p.Server == "" {
		c.missing(path, "server", "policy-source: there is no server")
	} else if a, err := c.s.Destination(name, p.Server); err != nil {
		if !c.unknown("$.nodes") {
			c.at(child(path, "server"), "server: %s", err)
		}
	} else if at, ok := c.s.NodeFrom(name, a); ok && at == name {
		c.at(child(path, "server"), "server: %s is the host itself", p.Server)
	}
	if p.Port == 0 && !c.given(child(path, "port")) {
		c.missing(path, "port", "policy-source: there is no port")
	} else {
		c.port(path, "port", p.Port)
	}
	if p.Policy == "" {
		c.missing(path, "policy", "policy-source: there is no policy")
	}
	c.assigned(path, "policy", p.Policy)
}

// policyServer checks a service that serves policies.
func (c *checker) policyServer(path, name string, s Service) {
	if s.Policies == nil {
		return
	}
	if s.TCP == 0 {
		c.key(child(path, "policies"), "policies: a policy server needs tcp: a port")
	}
	if c.s.Nodes[name].Settings().NoIKE {
		c.key(child(path, "policies"), "policies: %s does not know IPsec (no-ike: true), and has no store of policies", name)
	}
	for i, p := range s.Policies {
		at := item(child(path, "policies"), i)
		if known := c.s.policyNames(); !slices.Contains(known, p) && !c.unknown("$.policies") {
			c.at(at, "policies: no policy is called %q%s", shorten(p), Suggest(p, known))
		}
	}
}

// labels are the rules that verdicts may name of a policy: those that it has in the
// file, and those of policies that are stored in its place.
func (s *Scenario) labels(policy string) (labels []string) {
	names := []string{policy}
	for _, step := range s.Steps {
		if p := step.StorePolicy; p != nil && p.Name() == policy {
			names = append(names, p.Policy)
		}
	}
	for _, name := range names {
		labels = append(labels, s.ruleLabels(name)...)
	}
	return labels
}

// ipsecHost checks that a verb's host is one with IPsec.
func (c *checker) ipsecHost(path, verb, host string) {
	switch {
	case host == "":
		c.missing(path, "host", "%s: there is no host", verb)
	case c.host(path, "host", host) && c.s.Nodes[host].Settings().NoIKE:
		c.at(child(path, "host"), "%s: %s does not know IPsec (no-ike: true)", verb, host)
	}
}
