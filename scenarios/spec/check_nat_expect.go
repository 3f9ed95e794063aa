package spec

import (
	"net/netip"
	"slices"
	"strings"
)

// box checks that a word names a NAT box.
func (c *checker) box(path, key, name string) bool {
	var all []string
	for _, n := range sorted(c.s.Nodes) {
		if c.s.Nodes[n].NAT != nil {
			all = append(all, n)
		}
	}
	switch n, ok := c.s.Nodes[name]; {
	case name == "":
		c.missing(path, key, "nat: there is no %s: the name of a NAT box", key)
		return false
	case ok && n.NAT == nil:
		c.at(child(path, key), "%s: %s is no NAT box", key, name)
		return false
	}
	return c.defined(path, key, name, "NAT box", "$.nodes", all)
}

func (c *checker) natStep(path string, s *NATStep) {
	known := c.box(path, "node", s.Node)
	var acts []string
	for _, key := range present(s) {
		if key != "node" && key != "gateway" {
			acts = append(acts, key)
		}
	}
	switch {
	case len(acts) == 0:
		c.missing(path, "reboot", "nat: nothing happens: give it reboot: true, flush: true or change-address")
	case len(acts) > 1:
		c.at(path, "nat: one thing happens in a step, and this one has %s: make %d steps of it", strings.Join(acts, " and "), len(acts))
	}
	if s.Gateway != "" && s.ChangeAddress == "" {
		c.key(child(path, "gateway"), "gateway: it is for change-address")
	}
	if s.ChangeAddress == "" || !known {
		return
	}
	at := child(path, "change-address")
	p, ok := c.s.NewAddress(s)
	if !ok {
		c.at(at, "change-address: want an IPv4 address that a node can have, with or without its prefix length, got %q", shorten(s.ChangeAddress))
		return
	}
	n := c.s.Nodes[s.Node]
	realms := c.s.Realms()
	for _, other := range sorted(c.s.Nodes) {
		for _, h := range c.s.Holdings(other) {
			if h.Addr == p.Addr() && other != s.Node && realms.Realm(h.Segment) == realms.Realm(n.NAT.Outside) && c.s.Nodes[other].Router() {
				c.at(at, "change-address: %s is the address of node %s", p.Addr(), other)
			}
		}
	}
	for _, i := range n.Interfaces {
		for _, q := range i.Prefixes() {
			if i.Segment != n.NAT.Outside && q.Overlaps(p) {
				c.at(at, "change-address: %s overlaps %s on %s, which is inside", p, q, i.Segment)
			}
		}
	}
	if s.Gateway != "" {
		via, err := netip.ParseAddr(s.Gateway)
		switch owner, ok := c.s.nodeOn(n.NAT.Outside, via); {
		case err != nil:
			c.at(child(path, "gateway"), "gateway: want an address, got %q", shorten(s.Gateway))
		case !p.Contains(via):
			c.at(child(path, "gateway"), "gateway: %s is not in %s", via, p.Masked())
		case !ok || !c.s.Nodes[owner].Router():
			c.at(child(path, "gateway"), "gateway: no router on %s has the address %s", n.NAT.Outside, via)
		}
	}
}

// natExpect checks what is expected of a box, below the path of its name.
func (c *checker) natExpect(path, name string, e *NATExpect) {
	at := child(path, name)
	switch n, ok := c.s.Nodes[name]; {
	case ok && n.NAT == nil:
		c.key(at, "nat: %s is no NAT box", name)
		return
	case !ok:
		c.key(at, "nat: no NAT box is called %q", shorten(name))
		return
	}
	c.nothing(at, e)
	c.mappings(at, name, e.Has)
}

func (c *checker) natOn(path string, e *NATOn) {
	if c.box(path, "node", e.Node) {
		c.mappings(path, e.Node, e.Has)
	}
	c.limited(path, e, "mappings, has, or a counter such as made", "node")
}

func (c *checker) mappings(path, box string, all []MappingExpect) {
	for i := range all {
		m, path := &all[i], item(child(path, "has"), i)
		if c.nothing(path, m) {
			continue
		}
		if n, ok := frameProtocol(m.Protocol); !ok || n == 0 && m.Protocol != "" {
			known := []string{"icmp", "tcp", "udp", "esp", "ah"}
			c.at(child(path, "protocol"), "protocol: want %s or a number from 1 to 255, got %q%s", strings.Join(known, ", "), shorten(m.Protocol), Suggest(m.Protocol, known))
		}
		for _, end := range []struct{ key, text string }{{"inside", m.Inside}, {"outside", m.Outside}, {"remote", m.Remote}} {
			if end.text == "" || end.key == "remote" && end.text == MappingAny || c.unknown("$.nodes") {
				continue
			}
			if _, err := c.s.Endpoint(box, end.text, end.key == "inside"); err != nil {
				c.at(child(path, end.key), "%s: %s", end.key, err)
			}
		}
	}
}

// renumbered reports whether a step gives a NAT box the address.
func (s *Scenario) renumbered(a netip.Addr) bool {
	return slices.ContainsFunc(s.Steps, func(step Step) bool {
		if step.NAT == nil {
			return false
		}
		p, ok := s.NewAddress(step.NAT)
		return ok && p.Addr() == a
	})
}
