package spec

import (
	"net/netip"
	"slices"
)

// The words of Interface.Address and SetAddress.Address for no address of the file's.
const (
	AddressDHCP = "dhcp"
	AddressNone = "none"
)

// SetAddress gives the interface of a host other addresses while it runs.
type SetAddress struct {
	Node      string   `yaml:"node" jsonschema:"required"`
	Segment   string   `yaml:"segment"`                                 // may be left out when the node has one interface
	Address   string   `yaml:"address"`                                 // with prefix length, in place of those that the interface has; none: it has none from now on
	Addresses []string `yaml:"addresses" jsonschema:"uniqueItems=true"` // instead of address: several, of IPv4 one at most
	Gateway   string   `yaml:"gateway"`                                 // next hop of the default route of its family from now on; left out: it stays
}

// Unnumbered reports whether the interface has no address of the file's.
func (i Interface) Unnumbered() bool { return i.Address == AddressDHCP || i.Address == AddressNone }

// DHCP reports whether the interface gets its address by DHCP.
func (i Interface) DHCP() bool { return i.Address == AddressDHCP }

// Prefixes are the addresses that the step gives, without those that Check refuses.
func (a SetAddress) Prefixes() (all []netip.Prefix) {
	for _, text := range a.texts() {
		if p, err := parseInterface(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func (a SetAddress) texts() []string {
	if a.Address == AddressNone {
		return nil
	}
	return oneOrMore(a.Address, a.Addresses)
}

// InterfaceSegment is the segment that a step means on a node: the one that it
// names, or that of the node's only interface.
func (s *Scenario) InterfaceSegment(node, segment string) string {
	if n := s.Nodes[node]; segment == "" && len(n.Interfaces) == 1 {
		return n.Interfaces[0].Segment
	}
	return segment
}

// unnumbered checks an interface whose address is not the file's.
func (c *checker) unnumbered(path, name string, n Node, itf Interface) {
	path = child(path, "address")
	switch {
	case !n.Host():
		c.at(path, "address: %s is %s, and only hosts may be without an address of their own", name, article(n.Kind()))
	case itf.DHCP() && c.s.Network.Segments[itf.Segment].PointToPoint():
		c.at(path, "address: unsupported: DHCP on %s, a point-to-point link: it needs Ethernet addresses", itf.Segment)
	}
	if len(itf.Addresses) > 0 {
		c.key(path, "address: there are addresses too: write one of them")
	}
}

func (c *checker) setAddress(path string, a *SetAddress) {
	if a.Node == "" {
		c.missing(path, "node", "set-address: there is no node")
		return
	}
	if !c.host(path, "node", a.Node) {
		return
	}
	node := c.s.Nodes[a.Node]
	segment := c.s.InterfaceSegment(a.Node, a.Segment)
	itf := c.s.addressOn(a.Node, segment)
	switch {
	case segment == "":
		c.missing(path, "segment", "set-address: %s has %d interfaces: say which segment is meant", a.Node, len(node.Interfaces))
	case c.defined(path, "segment", segment, "segment", "$.network", sorted(c.s.Network.Segments)) && itf == nil:
		c.at(child(path, "segment"), "segment: %s has no interface on %s", a.Node, segment)
	case itf != nil && itf.DHCP():
		c.at(path, "set-address: %s has its address on %s by DHCP", a.Node, segment)
	}
	if a.Address == "" && len(a.Addresses) == 0 && a.Gateway == "" {
		c.missing(path, "address", "set-address: nothing changes: give it an address, or none")
	}
	c.oneOf(path, "address", "addresses", a.Address, a.Addresses)
	four, owners, realms := 0, map[place]string{}, c.s.Realms()
	for _, name := range sorted(c.s.Nodes) {
		if c.s.Nodes[name].Router() {
			for _, h := range c.s.Holdings(name) {
				owners[place{realms.Realm(h.Segment), h.Addr}] = name
			}
		}
	}
	if a.Address != AddressNone {
		c.each(path, "address", "addresses", a.Address, a.Addresses, func(path, key, text string) {
			p, err := parseInterface(text)
			if err != nil {
				c.at(path, "%s: %s", key, err)
				return
			}
			if p.Addr().Is4() {
				if four++; four > 1 {
					c.at(path, "%s: unsupported: %s is a second IPv4 address on the interface", key, p.Addr())
					return
				}
			}
			if !c.s.speaks(a.Node, p.Addr()) {
				c.at(path, "%s: unsupported: %s is of a family that %s does not have at the start", key, p.Addr(), a.Node)
			}
			c.owned(path, key, a.Node, segment, p, owners, realms)
		})
	}
	if a.Gateway == "" {
		return
	}
	via, err := netip.ParseAddr(a.Gateway)
	if owner, ok := c.s.NodeFrom(a.Node, via); err != nil {
		c.at(child(path, "gateway"), "gateway: want an address, got %q", shorten(a.Gateway))
	} else if !ok || !c.s.Nodes[owner].Router() {
		c.at(child(path, "gateway"), "gateway: no router has the address %s%s", via, Suggest(a.Gateway, c.known()))
	}
}

// speaks reports whether a node has addresses of the family of a, at the start or by DHCP.
func (s *Scenario) speaks(node string, a netip.Addr) bool {
	return a.Is4() && slices.ContainsFunc(s.Nodes[node].Interfaces, Interface.Unnumbered) ||
		slices.ContainsFunc(s.NodeAddrs(node), func(b netip.Addr) bool { return a.Is4() == b.Is4() })
}

// Later reports whether some node may have the address later in the run: by a step
// that gives it, or by DHCP.
func (s *Scenario) Later(a netip.Addr) bool {
	return s.leases(a) || s.renumbered(a) || slices.ContainsFunc(s.Steps, func(step Step) bool {
		return step.SetAddress != nil && slices.ContainsFunc(step.SetAddress.Prefixes(), func(p netip.Prefix) bool { return p.Addr() == a })
	})
}
