package spec

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/natbox/boxes"
)

// nat checks a node's NAT.
func (c *checker) nat(path, name string, n Node) {
	if n.NAT == nil {
		return
	}
	path = child(path, "nat")
	if !n.Router() {
		c.key(path, "nat: %s is %s: only a router translates addresses", name, article(n.Kind()))
		return
	}
	mistakes := len(c.errs)
	if n.NAT.Box == "" {
		c.missing(path, "box", "nat: there is no box: the name of one whose behaviour it has, such as home-router")
	} else if _, ok := boxes.Named(n.NAT.Box); !ok {
		c.at(child(path, "box"), "box: no box is called %q%s", shorten(n.NAT.Box), Suggest(n.NAT.Box, boxes.Names()))
	}
	if n.NAT.Outside == "" {
		c.missing(path, "outside", "nat: there is no outside: the segment from which the others are hidden")
		return
	}
	if !c.defined(path, "outside", n.NAT.Outside, "segment", "$.network", sorted(c.s.Network.Segments)) || !c.sides(path, name, n) {
		return
	}
	for i, text := range n.NAT.Addresses {
		c.outsideAddress(item(child(path, "addresses"), i), "addresses", name, text, n)
	}
	for i, f := range n.NAT.Forwards {
		c.forward(item(child(path, "forwards"), i), name, n, f, n.NAT.Forwards[:i])
	}
	for i, o := range n.NAT.OneToOne {
		c.oneToOne(item(child(path, "one-to-one"), i), name, n, o, n.NAT.OneToOne[:i])
	}
	c.behaviour(path, n.NAT)
	if len(c.errs) > mistakes {
		return
	}
	config, err := c.s.NATConfig(name)
	if err == nil {
		err = config.Check()
	}
	if err != nil && !c.unknown("$.nodes") {
		c.at(path, "nat: %s", strings.TrimPrefix(err.Error(), "nat: "))
	}
}

// sides checks that a NAT has an inside and an outside, with addresses that do not overlap.
func (c *checker) sides(path, name string, n Node) (ok bool) {
	outside := child(path, "outside")
	switch {
	case !slices.Contains(n.Segments(), n.NAT.Outside):
		c.at(outside, "outside: %s has no interface on %s, only on %s", name, n.NAT.Outside, strings.Join(n.Segments(), ", "))
		return false
	case len(n.Inside()) == 0:
		c.at(outside, "outside: %s has no other interface: there is nothing inside", name)
		return false
	case len(n.OutsideAddrs()) == 0 && len(n.NAT.Addresses) == 0:
		c.at(outside, "outside: %s has no IPv4 address on %s", name, n.NAT.Outside)
		return false
	}
	ok = true
	for i, itf := range n.Interfaces {
		for _, p := range itf.Prefixes() {
			for _, other := range n.Interfaces {
				for _, q := range other.Prefixes() {
					if itf.Segment != n.NAT.Outside && other.Segment == n.NAT.Outside && p.Overlaps(q) {
						c.at(item(child(child("$.nodes", name), "interfaces"), i), "address: %s on %s overlaps %s on %s: %s could not tell inside from outside", p, itf.Segment, q, other.Segment, name)
						ok = false
					}
				}
			}
		}
	}
	return ok
}

// outsideAddress checks an address that a NAT has besides the one of its interface outside.
func (c *checker) outsideAddress(path, key, name, text string, n Node) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil || !a.Is4():
		c.at(path, "%s: want an IPv4 address, got %q", key, shorten(text))
		return
	case !unicast(a):
		c.at(path, "%s: %s is not an address that a node can have", key, a)
		return
	}
	realms := c.s.Realms()
	for _, other := range sorted(c.s.Nodes) {
		for _, h := range c.s.Holdings(other) {
			if other != name && h.Addr == a && realms.Realm(h.Segment) == realms.Realm(n.NAT.Outside) {
				c.at(path, "%s: %s is the address of node %s already", key, a, other)
				return
			}
		}
	}
	for _, i := range n.Interfaces {
		for _, p := range i.Prefixes() {
			switch {
			case !p.Contains(a):
			case i.Segment != n.NAT.Outside:
				c.at(path, "%s: %s is in the network of %s, which is inside", key, a, i.Segment)
				return
			case p.Bits() < 31 && (a == p.Masked().Addr() || a == lastAddr(p)):
				c.at(path, "%s: %s is the network's own or its broadcast address", key, a)
				return
			default:
				return
			}
		}
	}
	if !c.routedTo(a, n) {
		c.at(path, "%s: %s is not on %s, and no node has a route to it by %s: nobody would send to it", key, a, n.NAT.Outside, name)
	}
}

// routedTo reports whether some node sends what is for an address to a NAT box.
func (c *checker) routedTo(a netip.Addr, n Node) bool {
	via := n.addrsOn(n.NAT.Outside)
	return slices.ContainsFunc(sorted(c.s.Nodes), func(name string) bool {
		return slices.ContainsFunc(c.s.Nodes[name].Routes, func(r Route) bool {
			to, err := netip.ParsePrefix(r.To)
			hop, err2 := netip.ParseAddr(r.Via)
			return err == nil && err2 == nil && to.Contains(a) && slices.Contains(via, hop)
		})
	})
}

// hiddenNode checks that a word names a node or an address inside of a box.
func (c *checker) hiddenNode(path, key, name, word string) {
	switch {
	case word == "":
		c.missing(path, key, "there is no %s: a node or an address inside of %s", key, name)
	case word == noNAT || c.unknown("$.nodes"):
	default:
		if _, err := c.s.NATAddress(name, word); err != nil {
			c.at(child(path, key), "%s: %s", key, err)
		}
	}
}

func (c *checker) forward(path, name string, n Node, f Forward, before []Forward) {
	words := []string{"tcp", "udp"}
	if f.Protocol == "" {
		c.missing(path, "protocol", "a forward has no protocol: tcp or udp")
	} else if !slices.Contains(words, f.Protocol) {
		c.at(child(path, "protocol"), "protocol: want tcp or udp, got %q%s", shorten(f.Protocol), Suggest(f.Protocol, words))
	}
	if f.Port == 0 {
		c.missing(path, "port", "a forward has no port: the one outside")
	} else {
		c.port(path, "port", f.Port)
	}
	if f.ToPort != 0 {
		c.port(path, "to-port", f.ToPort)
	}
	if f.LastPort != 0 {
		c.port(path, "last-port", f.LastPort)
		if f.LastPort < f.Port {
			c.at(child(path, "last-port"), "last-port: %d is below port %d", f.LastPort, f.Port)
		} else if last := or(f.ToPort, f.Port) + f.LastPort - f.Port; last > 65535 {
			c.at(child(path, "last-port"), "last-port: port %d would be %d inside, and there is none beyond 65535", f.LastPort, last)
		}
	}
	c.hiddenNode(path, "to", name, f.To)
	if f.Address != "" {
		c.belongs(path, "address", name, f.Address, n)
	}
	for _, g := range before {
		if f.absent() || g.absent() {
			continue
		}
		same := f.Address == g.Address || f.Address == "" || g.Address == ""
		if same && f.Protocol == g.Protocol && f.Port <= or(g.LastPort, g.Port) && g.Port <= or(f.LastPort, f.Port) {
			c.at(child(path, "port"), "port: %s port %d is forwarded to %s already", f.Protocol, max(f.Port, g.Port), g.To)
			return
		}
	}
}

// belongs checks that an address is one that the box has outside.
func (c *checker) belongs(path, key, name, text string, n Node) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		c.at(child(path, key), "%s: want an address, got %q", key, shorten(text))
	} else if all := append(n.OutsideAddrs(), n.NAT.addrs()...); !slices.Contains(all, a) {
		c.at(child(path, key), "%s: %s is none of the addresses that %s has outside", key, a, name)
	}
}

func (c *checker) oneToOne(path, name string, n Node, o OneToOne, before []OneToOne) {
	c.hiddenNode(path, "inside", name, o.Inside)
	if o.absent() {
		return
	}
	if o.Outside == "" {
		c.missing(path, "outside", "one-to-one: there is no outside: an address")
		return
	}
	c.outsideAddress(child(path, "outside"), "outside", name, o.Outside, n)
	if slices.ContainsFunc(n.OutsideAddrs(), func(a netip.Addr) bool { return a.String() == o.Outside }) {
		c.at(child(path, "outside"), "outside: %s is shared by all that is inside of %s: list its addresses without this one", o.Outside, name)
	}
	for _, b := range before {
		if b.absent() {
			continue
		}
		if b.Outside == o.Outside {
			c.at(child(path, "outside"), "outside: %s belongs to %s already", o.Outside, b.Inside)
		}
		if b.Inside == o.Inside && o.Inside != "" {
			c.at(child(path, "inside"), "inside: %s has %s already", o.Inside, b.Outside)
		}
	}
}

// behaviour checks each key by which a node differs from its box.
func (c *checker) behaviour(path string, n *NAT) {
	scratch := boxes.Box{}
	n.Differs(func(key string, value any) {
		k, _ := boxes.KeyOf(key)
		if d, ok := value.(string); ok && len(k.Words) > 0 && !slices.Contains(k.Words, d) {
			c.at(child(path, key), "%s: want %s, got %q%s", key, strings.Join(k.Words, ", "), shorten(d), Suggest(d, k.Words))
			return
		}
		if err := k.Set(&scratch.Of, value); err != nil {
			c.at(child(path, key), "%s: %s", key, err)
		}
	})
}
