package spec

import (
	"net/netip"
	"slices"
	"strings"
)

// place is where an address is somebody's: a realm.
type place struct {
	realm string
	addr  netip.Addr
}

// addresses checks a node's interfaces; owners is who has each address so far.
func (c *checker) addresses(name string, owners map[place]string, realms Realms) {
	path, n := child("$.nodes", name), c.s.Nodes[name]
	if len(n.Interfaces) == 0 {
		c.missing(path, "interfaces", "node %s has no interfaces: give it at least one, with segment and address", name)
	}
	joined := map[string]bool{}
	for i, itf := range n.Interfaces {
		path := item(child(path, "interfaces"), i)
		if itf.Segment == "" {
			c.missing(path, "segment", "an interface of %s has no segment", name)
		} else if c.defined(path, "segment", itf.Segment, "segment", "$.network", sorted(c.s.Network.Segments)) && joined[itf.Segment] {
			c.at(child(path, "segment"), "segment: %s has another interface on %s: one node joins a segment once", name, itf.Segment)
		}
		joined[itf.Segment] = true
		if itf.Link != nil && !c.empty(child(path, "link"), itf.Link, "nothing is set") {
			c.link(child(path, "link"), itf.Link)
		}
		switch {
		case n.Attacker() && (len(itf.texts()) > 0 || itf.Unnumbered()):
			c.at(path, "%s is an attacker, and has no address: he uses those of others", name)
			continue
		case n.Attacker():
			continue
		case itf.BroadcastFlag && !itf.DHCP():
			c.at(path, "broadcast-flag: it is for address: dhcp")
		case itf.Unnumbered():
			c.unnumbered(path, name, n, itf)
			continue
		case len(itf.texts()) == 0:
			c.missing(path, "address", "an interface of %s has no address", name)
			continue
		}
		c.oneOf(path, "address", "addresses", itf.Address, itf.Addresses)
		four := 0
		c.each(path, "address", "addresses", itf.Address, itf.Addresses, func(path, key, text string) {
			p, err := parseInterface(text)
			if err != nil {
				c.at(path, "%s: %s", key, err)
				return
			}
			if p.Addr().Is4() {
				four++
			}
			if four > 1 && p.Addr().Is4() {
				c.at(path, "%s: unsupported: %s is a second IPv4 address on the interface", key, p.Addr())
				return
			}
			c.owned(path, key, name, itf.Segment, p, owners, realms)
		})
		c.sixMTU(path, itf)
	}
}

// owned checks an address of a node against those of the others and the segment's networks.
func (c *checker) owned(path, key, name, segment string, p netip.Prefix, owners map[place]string, realms Realms) {
	at := place{realms.Realm(segment), p.Addr()}
	if owner, taken := owners[at]; taken {
		c.at(path, "%s: %s is the address of node %s already", key, p.Addr(), owner)
		return
	}
	owners[at] = name
	var subnets []netip.Prefix
	for _, text := range c.s.Network.Segments[segment].Networks() {
		if subnet, err := parsePrefix(text); err == nil && subnet.Addr().Is4() == p.Addr().Is4() {
			subnets = append(subnets, subnet)
		}
	}
	n := slices.IndexFunc(subnets, func(s netip.Prefix) bool { return s.Contains(p.Addr()) })
	switch {
	case len(subnets) == 0: // none given, or reported where it stands
	case n < 0:
		c.at(path, "%s: %s is outside %s, the subnet of segment %s", key, p.Addr(), subnets[0], segment)
	case subnets[n].Bits() != p.Bits():
		c.at(path, "%s: %s has another prefix length than %s, the subnet of segment %s", key, p, subnets[n], segment)
	}
}

// minMTU6 is what every link carries that IPv6 runs over. RFC 8200, Section 5.
const minMTU6 = 1280

// sixMTU checks that an interface with an IPv6 address has a link that IPv6 can use.
func (c *checker) sixMTU(path string, itf Interface) {
	if !itf.six() {
		return
	}
	if seg := c.s.Network.Segments[itf.Segment]; seg.PacketSize() < minMTU6 {
		c.at(path, "segment %s has an MTU of %d, and IPv6 needs %d at least (RFC 8200, Section 5)", itf.Segment, seg.PacketSize(), minMTU6)
	}
	if itf.Link != nil {
		c.linkMTU6(child(path, "link"), itf.Link)
	}
}

func (i Interface) six() bool {
	return slices.ContainsFunc(i.Prefixes(), func(p netip.Prefix) bool { return p.Addr().Is6() })
}

// linkMTU6 checks the MTU of a link that has an IPv6 address.
func (c *checker) linkMTU6(path string, l *Link) {
	if l.MTU != nil && *l.MTU < minMTU6 && *l.MTU >= minMTU {
		c.at(child(path, "mtu"), "mtu: %d is less than the %d that IPv6 needs (RFC 8200, Section 5), and the interface has an IPv6 address", *l.MTU, minMTU6)
	}
}

// oneOf checks that of two keys, for one value and for several, one is there at most.
func (c *checker) oneOf(path, one, more, value string, values []string) {
	if value != "" && len(values) > 0 {
		c.key(child(path, more), "%s: there is %s too: write one of them", more, one)
	}
}

// each calls f for each value of two keys, for one value and for several, with its path.
func (c *checker) each(path, one, more, value string, values []string, f func(path, key, text string)) {
	if value != "" {
		f(child(path, one), one, value)
	}
	for i, v := range values {
		f(item(child(path, more), i), more, v)
	}
}

// gateways checks the next hops of the default routes, one for each family.
func (c *checker) gateways(path string, n Node) {
	c.oneOf(path, "gateway", "gateways", n.Gateway, n.Gateways)
	var seen []netip.Addr
	c.each(path, "gateway", "gateways", n.Gateway, n.Gateways, func(path, key, text string) {
		c.nextHop(path, key, n, text)
		a, err := netip.ParseAddr(text)
		if err != nil {
			return
		}
		if slices.ContainsFunc(seen, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			c.at(path, "%s: there is another default route of the family of %s", key, a)
		}
		seen = append(seen, a)
	})
}

// subnets checks that no two segments of one realm share addresses, by their subnets or, where none is given, by their interfaces.
func (c *checker) subnets() {
	type network struct {
		prefix        netip.Prefix
		segment, path string
	}
	var all []network
	for _, name := range sorted(c.s.Network.Segments) {
		seg, path := c.s.Network.Segments[name], child("$.network.segments", name)
		c.each(path, "subnet", "subnets", seg.Subnet, seg.Subnets, func(path, _, text string) {
			if p, err := parsePrefix(text); err == nil {
				all = append(all, network{p, name, path})
			}
		})
	}
	seen := map[string]bool{}
	for _, name := range sorted(c.s.Nodes) {
		for i, itf := range c.s.Nodes[name].Interfaces {
			seg, ok := c.s.Network.Segments[itf.Segment]
			path := item(child(child("$.nodes", name), "interfaces"), i)
			c.each(path, "address", "addresses", itf.Address, itf.Addresses, func(path, _, text string) {
				p, err := parseInterface(text)
				if key := itf.Segment + " " + p.Masked().String(); ok && err == nil && len(seg.Networks()) == 0 && !seen[key] {
					seen[key] = true
					all = append(all, network{p.Masked(), itf.Segment, path})
				}
			})
		}
	}
	realms := c.s.Realms()
	for i, b := range all {
		for _, a := range all[:i] {
			if a.segment == b.segment || realms.Realm(a.segment) != realms.Realm(b.segment) || !a.prefix.Overlaps(b.prefix) {
				continue
			}
			where := "subnet: %s of segment %s overlaps %s of segment %s"
			if strings.HasPrefix(b.path, "$.nodes.") {
				where = "address: the network %s of segment %s overlaps %s of segment %s"
			}
			c.at(b.path, where, b.prefix, b.segment, a.prefix, a.segment)
			break
		}
	}
}
