package spec

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Servers are those that an administrator has told a host to use. What is left out may
// come by DHCP; the default gateways are those of its routes.
type Servers struct {
	DNS  []string `yaml:"dns" jsonschema:"uniqueItems=true"`  // addresses or nodes, here and below
	WINS []string `yaml:"wins" jsonschema:"uniqueItems=true"` // NetBIOS name servers
	DHCP []string `yaml:"dhcp" jsonschema:"uniqueItems=true"`
}

// DHCPService is a DHCP server for the subnet in which its range lies.
type DHCPService struct {
	Range  string   `yaml:"range" jsonschema:"required"`        // of addresses that it gives: 10.0.0.100-10.0.0.120
	Lease  Duration `yaml:"lease"`                              // 0: 8 days, a choice of the lab
	Router string   `yaml:"router"`                             // address or node: the default gateway of clients; left out: none
	DNS    []string `yaml:"dns" jsonschema:"uniqueItems=true"`  // addresses or nodes, here and below
	WINS   []string `yaml:"wins" jsonschema:"uniqueItems=true"` // NetBIOS name servers
}

// SetServers tells a host to use other servers. Kinds left out stay as they are.
type SetServers struct {
	Node    string `yaml:"node" jsonschema:"required"`
	Servers `yaml:",inline"`
}

// SetName gives a DNS name other addresses.
type SetName struct {
	Name      string   `yaml:"name" jsonschema:"required"`
	Addresses []string `yaml:"addresses" jsonschema:"uniqueItems=true"` // none: there is no such name any more
}

// IPConfig is the command of that name on a host whose addresses come by DHCP.
type IPConfig struct {
	Node   string `yaml:"node" jsonschema:"required"`
	Action string `yaml:"action" jsonschema:"required,enum=release,enum=renew"` // release: gives the leases back; renew: asks for more time, or for an address
}

// The words of filters for the servers that a host is told to use, of IPConfig.Action,
// and what stands in front of a DNS name in a filter.
const (
	ServersDNS      = "dns-servers"
	ServersWINS     = "wins-servers"
	ServersDHCP     = "dhcp-servers"
	DefaultGateways = "default-gateways"

	IPConfigRelease = "release"
	IPConfigRenew   = "renew"

	dnsPrefix = "dns:"
)

var serverWords = []string{ServersDNS, ServersWINS, ServersDHCP, DefaultGateways}

// reserved are the words of filters that no node can be called.
var reserved = append([]string{"me", "any"}, serverWords...)

// LeaseTime is how long the server gives an address.
func (d DHCPService) LeaseTime() time.Duration { return or(d.Lease.Span(), 8*24*time.Hour) }

// Bounds are the first and the last address of the range; ok is false when there is none.
func (d DHCPService) Bounds() (first, last netip.Addr, ok bool) {
	a, b, _ := strings.Cut(d.Range, "-")
	first, err1 := netip.ParseAddr(strings.TrimSpace(a))
	last, err2 := netip.ParseAddr(strings.TrimSpace(b))
	return first, last, err1 == nil && err2 == nil && first.Is4() && last.Is4() && !last.Less(first)
}

// DHCPPrefix is the address, with its subnet, from which a node serves the range.
func (n Node) DHCPPrefix(d DHCPService) (netip.Prefix, bool) {
	first, last, ok := d.Bounds()
	i := slices.IndexFunc(n.Prefixes(), func(p netip.Prefix) bool { return ok && p.Contains(first) && p.Contains(last) })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return n.Prefixes()[i], true
}

// leases reports whether some DHCP server may give the address.
func (s *Scenario) leases(a netip.Addr) bool {
	for _, name := range sorted(s.Nodes) {
		for _, v := range s.Nodes[name].Serves {
			if v.DHCP == nil {
				continue
			}
			if first, last, ok := v.DHCP.Bounds(); ok && a.Is4() && !a.Less(first) && !last.Less(a) {
				return true
			}
		}
	}
	return false
}

// ResolveAll are the addresses that words mean, without those that Check refuses.
func (s *Scenario) ResolveAll(words []string) (all []netip.Addr) {
	for _, w := range words {
		if a, err := s.Resolve(w); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// NameTable is the addresses of all DNS names at the start.
func (s *Scenario) NameTable() map[string][]netip.Addr {
	t := map[string][]netip.Addr{}
	for _, name := range sorted(s.Names) {
		t[name] = s.ResolveAll(s.Names[name])
	}
	return t
}

// knowsName reports whether there is such a DNS name, at the start or later.
func (s *Scenario) knowsName(name string) bool {
	_, ok := s.Names[name]
	return ok || slices.ContainsFunc(s.Steps, func(step Step) bool { return step.SetName != nil && step.SetName.Name == name })
}

// dnsName reports whether a word can be a DNS name here: labels of RFC 1035, Section
// 2.3.1, with a dot, so that it is no node's.
func dnsName(word string) bool {
	if len(word) > 253 || !strings.Contains(word, ".") {
		return false
	}
	for _, label := range strings.Split(word, ".") {
		if !validDNSLabel.MatchString(label) {
			return false
		}
	}
	_, err := netip.ParseAddr(word)
	return err != nil
}

func (c *checker) allNames() {
	for _, name := range sorted(c.s.Names) {
		path := child("$.names", name)
		if !dnsName(name) {
			c.key(path, "names: %q is no DNS name: want labels of letters, digits and hyphens with dots between, such as print.example", shorten(name))
		}
		c.serverList(path, "names", c.s.Names[name])
	}
}

// serverList checks a list of addresses or nodes.
func (c *checker) serverList(path, key string, words []string) {
	for i, w := range words {
		if _, err := c.s.Resolve(w); err != nil && !c.unknown("$.nodes") {
			c.at(item(path, i), "%s: %s", key, err)
		}
	}
}

func (c *checker) serverLists(path string, s Servers) {
	c.serverList(child(path, "dns"), "dns", s.DNS)
	c.serverList(child(path, "wins"), "wins", s.WINS)
	c.serverList(child(path, "dhcp"), "dhcp", s.DHCP)
}

// dhcpServer checks a DHCP service of a node.
func (c *checker) dhcpServer(path string, n Node, d DHCPService) {
	path = child(path, "dhcp")
	if _, _, ok := d.Bounds(); !ok {
		c.at(child(path, "range"), "range: want two IPv4 addresses, the lower first, such as 10.0.0.100-10.0.0.120, got %q", shorten(d.Range))
	} else if _, ok := n.DHCPPrefix(d); !ok {
		c.at(child(path, "range"), "range: %s is on no subnet of the node", d.Range)
	}
	c.span(path, "lease", d.Lease)
	if d.Lease != 0 && d.Lease.Span() < time.Second {
		c.at(child(path, "lease"), "lease: %s is less than the second that DHCP counts in", d.Lease)
	}
	if d.Router != "" {
		c.serverList(child(path, "router"), "router", []string{d.Router})
	}
	c.serverLists(path, Servers{DNS: d.DNS, WINS: d.WINS})
}

func (c *checker) setServers(path string, s *SetServers) {
	if s.Node == "" {
		c.missing(path, "node", "set-servers: there is no node")
	} else {
		c.host(path, "node", s.Node)
	}
	if s.DNS == nil && s.WINS == nil && s.DHCP == nil {
		c.missing(path, "dns", "set-servers: nothing changes: give it dns, wins or dhcp")
	}
	c.serverLists(path, s.Servers)
}

func (c *checker) setName(path string, s *SetName) {
	if s.Name == "" {
		c.missing(path, "name", "set-name: there is no name")
	} else if !dnsName(s.Name) {
		c.at(child(path, "name"), "name: %q is no DNS name: want labels with dots between, such as print.example", shorten(s.Name))
	}
	c.serverList(child(path, "addresses"), "addresses", s.Addresses)
}

func (c *checker) ipconfig(path string, v *IPConfig) {
	if v.Node == "" {
		c.missing(path, "node", "ipconfig: there is no node")
	} else if c.host(path, "node", v.Node) && !slices.ContainsFunc(c.s.Nodes[v.Node].Interfaces, Interface.DHCP) {
		c.at(child(path, "node"), "node: no interface of %s has its address by DHCP", v.Node)
	}
	if words := []string{IPConfigRelease, IPConfigRenew}; !slices.Contains(words, v.Action) {
		c.at(child(path, "action"), "action: want release or renew, got %q%s", shorten(v.Action), Suggest(v.Action, words))
	}
}
