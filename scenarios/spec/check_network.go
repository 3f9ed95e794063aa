package spec

import (
	"net/netip"
	"slices"
	"strings"
)

// Bounds of a link. RFC 791, Section 3.1: every network carries 68 bytes, and no packet has more than 65535.
const (
	minMTU = 68
	maxMTU = 65535
)

func (c *checker) segments() {
	const path = "$.network.segments"
	if len(c.s.Network.Segments) == 0 && !c.unknown("$.network") {
		if c.s.src != nil && c.s.src.keys["$.network"] != (position{}) {
			c.missing("$.network", "segments", "network: there are no segments: a scenario needs at least one")
		} else {
			c.missing("$", "network", "the scenario has no network: it needs at least one segment below network: segments:")
		}
	}
	names := sorted(c.s.Network.Segments)
	c.names(path, names)
	for _, name := range names {
		path, seg := child(path, name), c.s.Network.Segments[name]
		if seg.Subnet != "" {
			if _, err := parsePrefix(seg.Subnet); err != nil {
				c.at(child(path, "subnet"), "subnet: %s", err)
			}
		}
		c.span(path, "latency", seg.Latency)
		if seg.MTU != 0 {
			c.between(path, "mtu", seg.MTU, minMTU, maxMTU)
		}
		c.probability(path, "loss", seg.Loss)
		c.impairments(path, &seg.Impairments, false)
	}
}

func (c *checker) probability(path, key string, p float64) {
	if !(p >= 0 && p <= 1) { // also refuses NaN
		c.at(child(path, key), "%s: %v is no probability: it is from 0 to 1", key, p)
	}
}

func (c *checker) nodes() {
	if len(c.s.Nodes) == 0 {
		c.missing("$", "nodes", "the scenario has no nodes: it needs at least one host")
	}
	names := sorted(c.s.Nodes)
	c.names("$.nodes", names)
	owners := map[netip.Addr]string{}
	for _, name := range names {
		c.addresses(name, owners)
	}
	for _, name := range names {
		if c.full() {
			return
		}
		path, n := child("$.nodes", name), c.s.Nodes[name]
		if name == "me" || name == "any" {
			c.key(path, "a node cannot be called %s: filters use the word", name)
		}
		switch n.Type {
		case "", TypeHost, TypeRouter:
		default:
			c.at(child(path, "type"), "type: %q is neither host nor router%s", shorten(n.Type), Suggest(n.Type, []string{TypeHost, TypeRouter}))
		}
		if n.Gateway != "" {
			c.nextHop(child(path, "gateway"), "gateway", n, n.Gateway)
		}
		c.routes(path, n)
		c.services(path, name, n)
		c.ipsec(path, name, n)
	}
}

// ipsec checks the IPsec settings of a node.
func (c *checker) ipsec(path, name string, n Node) {
	if n.IPsec == nil {
		return
	}
	path = child(path, "ipsec")
	if n.Router() {
		c.key(path, "ipsec: %s is a router and has no IPsec", name)
	}
	if n.IPsec.Rekey != nil {
		c.span(child(path, "rekey"), "margin", n.IPsec.Rekey.Margin)
	}
	actions := []string{ActionBlock, ActionNegotiate, ActionPermit}
	if n.IPsec.Ties != nil && !slices.Equal(slices.Sorted(slices.Values(n.IPsec.Ties)), actions) {
		c.at(child(path, "ties"), "ties: want permit, block and negotiate once each, in the order in which equally specific filters are searched")
	}
}

// addresses checks a node's interfaces; owners is who has each address so far.
func (c *checker) addresses(name string, owners map[netip.Addr]string) {
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
		if itf.Address == "" {
			c.missing(path, "address", "an interface of %s has no address", name)
			continue
		}
		p, err := parseInterface(itf.Address)
		if err != nil {
			c.at(child(path, "address"), "address: %s", err)
			continue
		}
		if owner, taken := owners[p.Addr()]; taken {
			c.at(child(path, "address"), "address: %s is the address of node %s already", p.Addr(), owner)
			continue
		}
		owners[p.Addr()] = name
		subnet, err := parsePrefix(c.s.Network.Segments[itf.Segment].Subnet)
		switch {
		case err != nil: // none given, or reported where it stands
		case !subnet.Contains(p.Addr()):
			c.at(child(path, "address"), "address: %s is outside %s, the subnet of segment %s", p.Addr(), subnet, itf.Segment)
		case subnet.Bits() != p.Bits():
			c.at(child(path, "address"), "address: %s has another prefix length than %s, the subnet of segment %s", p, subnet, itf.Segment)
		}
	}
}

// nextHop checks that a gateway or the next hop of a route can be reached and forwards.
func (c *checker) nextHop(path, key string, n Node, word string) {
	a, err := netip.ParseAddr(word)
	if err != nil || !a.Is4() {
		c.at(path, "%s: want an IPv4 address, got %q", key, shorten(word))
		return
	}
	onLink := false
	for _, i := range n.Interfaces {
		p, err := parseInterface(i.Address)
		if err == nil && p.Addr() == a {
			c.at(path, "%s: %s is an address of the node itself", key, a)
			return
		}
		onLink = onLink || err == nil && p.Contains(a)
	}
	if !onLink {
		c.at(path, "%s: %s is not on-link: no interface of the node is in its network", key, a)
		return
	}
	owner, ok := c.s.NodeAt(a)
	switch {
	case !ok:
		c.at(path, "%s: no node has the address %s%s", key, a, Suggest(word, c.known()))
	case !c.s.Nodes[owner].Router():
		c.at(path, "%s: %s is the address of %s, a host, and hosts do not forward: it needs type: router", key, a, owner)
	}
}

// known are all addresses of the network, to suggest one of them.
func (c *checker) known() (all []string) {
	for _, name := range sorted(c.s.Nodes) {
		for _, i := range c.s.Nodes[name].Interfaces {
			if p, err := parseInterface(i.Address); err == nil {
				all = append(all, p.Addr().String())
			}
		}
	}
	return all
}

func (c *checker) routes(path string, n Node) {
	seen := map[string]bool{}
	for i, r := range n.Routes {
		path := item(child(path, "routes"), i)
		if r.To == "" {
			c.missing(path, "to", "a route has no to: the network that it leads to")
		} else if p, err := parsePrefix(r.To); err != nil {
			c.at(child(path, "to"), "to: %s", err)
		} else if seen[r.To] || p.Bits() == 0 && n.Gateway != "" {
			c.at(child(path, "to"), "to: there is another route to %s", p)
		}
		seen[r.To] = true
		if r.Via == "" {
			c.missing(path, "via", "a route has no via: the address of its next hop")
		} else {
			c.nextHop(child(path, "via"), "via", n, r.Via)
		}
	}
}

func (c *checker) services(path, name string, n Node) {
	seen := map[Service]bool{} // by port
	for i, s := range n.Serves {
		path := item(child(path, "serves"), i)
		switch {
		case n.Router():
			c.at(path, "serves: %s is a router, and routers have no applications", name)
		case s.TCP != 0 && s.UDP != 0:
			c.at(path, "serves: a service is tcp or udp: make two of this one")
		case s.TCP == 0 && s.UDP == 0:
			c.missing(path, "tcp", "serves: a service needs a port: tcp: 80 or udp: 53")
		case seen[Service{TCP: s.TCP, UDP: s.UDP}]:
			c.at(path, "serves: %s listens on this port already", name)
		case s.UDP == 500 || s.UDP == 4500:
			c.at(child(path, "udp"), "udp: port %d is IKE's own", s.UDP)
		}
		seen[Service{TCP: s.TCP, UDP: s.UDP}] = true
		c.group(path, n, s)
		if s.TCP != 0 {
			c.port(path, "tcp", s.TCP)
		}
		if s.UDP != 0 {
			c.port(path, "udp", s.UDP)
		}
	}
}

// port checks the number of a port that is given.
func (c *checker) port(path, key string, v int) {
	if v < 1 || v > 65535 {
		c.at(child(path, key), "%s: %d is no port: ports are from 1 to 65535", key, v)
	}
}

// subnets checks that no two segments share addresses, by their subnets or, where none is given, by their interfaces.
func (c *checker) subnets() {
	type network struct {
		prefix        netip.Prefix
		segment, path string
	}
	var all []network
	for _, name := range sorted(c.s.Network.Segments) {
		if p, err := parsePrefix(c.s.Network.Segments[name].Subnet); err == nil {
			all = append(all, network{p, name, child(child("$.network.segments", name), "subnet")})
		}
	}
	seen := map[string]bool{}
	for _, name := range sorted(c.s.Nodes) {
		for i, itf := range c.s.Nodes[name].Interfaces {
			seg, ok := c.s.Network.Segments[itf.Segment]
			p, err := parseInterface(itf.Address)
			if key := itf.Segment + " " + p.Masked().String(); ok && err == nil && seg.Subnet == "" && !seen[key] {
				seen[key] = true
				all = append(all, network{p.Masked(), itf.Segment, child(item(child(child("$.nodes", name), "interfaces"), i), "address")})
			}
		}
	}
	for i, b := range all {
		for _, a := range all[:i] {
			if a.segment == b.segment || !a.prefix.Overlaps(b.prefix) {
				continue
			}
			where := "subnet: %s of segment %s overlaps %s of segment %s"
			if strings.HasSuffix(b.path, ".address") {
				where = "address: the network %s of segment %s overlaps %s of segment %s"
			}
			c.at(b.path, where, b.prefix, b.segment, a.prefix, a.segment)
			break
		}
	}
}
