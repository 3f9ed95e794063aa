package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// HostFirewall is the firewall of a computer itself, as Windows has one. It lets everything out and
// what answers that in. It judges what IPsec has let in: of protected packets, what was inside.
type HostFirewall struct {
	// Kind is icf, the Internet Connection Firewall of Windows XP SP1 and Server 2003, to which UDP ports 500
	// and 4500 must be exceptions for IKE (claim C016); icf-unicast, that of XP without a service pack, which does not
	// look at multicast and broadcast; windows-firewall, that of XP SP2 and Server 2003 SP1, which lets IKE
	// in (claim C017); or none. Default: that of os, or none.
	Kind string `yaml:"kind" jsonschema:"enum=none,enum=icf-unicast,enum=icf,enum=windows-firewall"`

	On           *bool               `yaml:"on"`            // default true; false: it is switched off, and filters while the computer starts at most
	NoExceptions bool                `yaml:"no-exceptions"` // neither exceptions nor icmp
	Exceptions   []FirewallException `yaml:"exceptions"`
	ICMP         []string            `yaml:"icmp" jsonschema:"uniqueItems=true"` // which messages are allowed: in, echo-request, redirect, router-request, timestamp-request, mask-request; out, unreachable, source-quench, time-exceeded, parameter-problem, packet-too-big

	// Bypass is the setting "Allow authenticated IPsec bypass" (claim C162): the computers whose protected packets
	// come in whatever else stands here, by accounts or groups of accounts, to which a rule with
	// certificate-mapping maps certificates; or, with preshared keys and for the lab alone, by the identity that the peer
	// proved, such as its address.
	Bypass []string `yaml:"bypass" jsonschema:"uniqueItems=true"`

	NoUnicastResponse bool     `yaml:"no-unicast-response"` // of the Windows Firewall: does not let in, for 3s and from everybody, what answers a multicast or broadcast (KB884913)
	ServiceDelay      Duration `yaml:"service-delay"`       // how long its service starts after the computer: until then the Windows Firewall lets in DHCP and answers alone, also when it is off (KB917730), and ICF everything; 0: at once. Not published
	UDPTimeout        Duration `yaml:"udp-timeout"`         // how long it waits for answers; 0: 1m, as NAT of Windows. Not published
	TCPTimeout        Duration `yaml:"tcp-timeout"`         // how long an idle connection is known; 0: 24h, likewise
}

// FirewallException is a port that is open.
type FirewallException struct {
	TCP   int      `yaml:"tcp" jsonschema:"minimum=1,maximum=65535"`
	UDP   int      `yaml:"udp" jsonschema:"minimum=1,maximum=65535"`
	Scope []string `yaml:"scope" jsonschema:"uniqueItems=true"` // for whom: addresses, prefixes, nodes, or local-subnet, the computer's own subnets; left out: everybody
}

// SetHostFirewall sets the firewall of a host anew while it runs: all of it, what is left out has its default.
type SetHostFirewall struct {
	Host         string `yaml:"host" jsonschema:"required"`
	HostFirewall `yaml:",inline"`
}

// The words of HostFirewall.
const (
	FirewallNone       = "none"
	FirewallICFUnicast = "icf-unicast"
	FirewallICF        = "icf"
	FirewallWindows    = "windows-firewall"

	ScopeLocalSubnet = "local-subnet"
)

var firewallKinds = []string{FirewallNone, FirewallICFUnicast, FirewallICF, FirewallWindows}

// firewallICMP are the settings of netsh firewall set icmpsetting, with its numbers.
var firewallICMP = map[string]int{
	"packet-too-big": 2, "unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8, "router-request": 9,
	"time-exceeded": 11, "parameter-problem": 12, "timestamp-request": 13, "mask-request": 17,
}

// Allowed are the numbers of the ICMP settings that are allowed.
func (f HostFirewall) Allowed() (all []int) {
	for _, word := range f.ICMP {
		all = append(all, firewallICMP[word])
	}
	return all
}

// Enabled reports whether it is on.
func (f HostFirewall) Enabled() bool { return f.On == nil || *f.On }

// OwnFirewall is the firewall of a host, with the defaults of its operating system.
func (n Node) OwnFirewall() HostFirewall { return n.withSystem(n.HostFirewall) }

// withSystem fills in what a firewall has from the operating system of its host; nil is what the system came with.
func (n Node) withSystem(set *HostFirewall) HostFirewall {
	p, ok := n.Profile()
	var f HostFirewall
	if set != nil {
		f = *set
	} else if ok && !p.FirewallOn {
		off := false
		f.On = &off
	}
	if f.Kind == "" && ok {
		f.Kind = p.Firewall
	}
	f.Kind = or(f.Kind, FirewallNone)
	return f
}

// Scope are the prefixes of an exception; local that the computer's own subnets are meant as well.
func (s *Scenario) Scope(e FirewallException) (scope []netip.Prefix, local bool) {
	for _, word := range e.Scope {
		if word == ScopeLocalSubnet {
			local = true
			continue
		}
		all, _ := s.FirewallAddresses(word)
		scope = append(scope, all...)
	}
	return scope, local
}

// hostFirewall checks the firewall of a host. n has its operating system.
func (c *checker) hostFirewall(path string, n Node, f *HostFirewall) {
	if f == nil {
		return
	}
	if !n.Host() {
		c.key(path, "host-firewall: only a host has one of these")
		return
	}
	c.word(path, "kind", f.Kind, firewallKinds...)
	kind := n.withSystem(f).Kind
	if p, ok := n.Profile(); ok && f.Kind != "" && f.Kind != FirewallNone && f.Kind != or(p.Firewall, FirewallNone) && slices.Contains(firewallKinds, f.Kind) {
		c.at(child(path, "kind"), "kind: the firewall of %s (os: %s) is %s", p.Title, n.OS, or(p.Firewall, FirewallNone))
	}
	if kind == FirewallNone && !c.unknown(child(path, "kind")) {
		for _, key := range present(f) {
			if key != "kind" && key != "host" && !(key == "on" && !f.Enabled()) {
				c.key(child(path, key), "%s: there is no firewall to set: give it a kind, %s", key, strings.Join(firewallKinds[1:], ", "))
			}
		}
	}
	for i := range f.Exceptions {
		at, e := item(child(path, "exceptions"), i), f.Exceptions[i]
		switch {
		case (e.TCP == 0) == (e.UDP == 0):
			c.at(at, "exceptions: an exception is one port, tcp: 80 or udp: 53")
		case e.TCP != 0:
			c.port(at, "tcp", e.TCP)
		default:
			c.port(at, "udp", e.UDP)
		}
		for k, word := range e.Scope {
			if word == ScopeLocalSubnet {
				continue
			}
			if _, err := c.s.FirewallAddresses(word); err != nil || word == anyWord {
				if err == nil {
					err = fmt.Errorf("everybody is meant where scope is left out")
				}
				c.at(item(child(at, "scope"), k), "scope: %s", err)
			}
		}
	}
	known := sorted(firewallICMP)
	for i, word := range f.ICMP {
		if !slices.Contains(known, word) {
			c.at(item(child(path, "icmp"), i), "icmp: want %s, got %q%s", strings.Join(known, ", "), shorten(word), Suggest(word, known))
		}
	}
	if kind == FirewallICF || kind == FirewallICFUnicast {
		if len(f.Bypass) > 0 {
			c.key(child(path, "bypass"), "bypass: %s has no such setting, the Windows Firewall has", kind)
		}
		if f.NoUnicastResponse {
			c.key(child(path, "no-unicast-response"), "no-unicast-response: %s lets none in, as the Windows Firewall does", kind)
		}
	}
	for i, name := range f.Bypass {
		if strings.TrimSpace(name) == "" {
			c.at(item(child(path, "bypass"), i), "bypass: a name of an account, of a group or of an identity is empty")
		}
	}
	c.span(path, "service-delay", f.ServiceDelay)
	c.span(path, "udp-timeout", f.UDPTimeout)
	c.span(path, "tcp-timeout", f.TCPTimeout)
}

// setHostFirewall checks a step that sets the firewall of a host.
func (c *checker) setHostFirewall(path string, f *SetHostFirewall) {
	if f.Host == "" {
		c.missing(path, "host", "set-host-firewall: there is no host")
		return
	}
	if !c.host(path, "host", f.Host) {
		return
	}
	if f.ServiceDelay != 0 {
		c.key(child(path, "service-delay"), "service-delay: it is of a computer that starts: set it with the node")
	}
	c.hostFirewall(path, c.s.Nodes[f.Host], &f.HostFirewall)
}

// hostsFirewall is the firewall that a step sets.
func (s *Scenario) HostsFirewall(f *SetHostFirewall) HostFirewall {
	n := s.Nodes[f.Host]
	out := n.withSystem(&f.HostFirewall)
	out.ServiceDelay = n.OwnFirewall().ServiceDelay
	return out
}
