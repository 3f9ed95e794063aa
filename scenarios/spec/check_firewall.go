package spec

import (
	"slices"
	"strings"
)

// maxACL is how many entries an access list has at most.
const maxACL = 10_000

// firewall checks the firewall of a node.
func (c *checker) firewall(path string, n Node) {
	if n.Firewall == nil {
		return
	}
	path = child(path, "firewall")
	if !n.Router() {
		c.key(path, "firewall: only a router has one of these")
		return
	}
	f := n.Firewall
	if c.empty(path, f, "it lets nothing through and says nothing") {
		return
	}
	for i, s := range f.Inside {
		if !slices.Contains(n.segments(), s) {
			c.at(item(child(path, "inside"), i), "inside: the router has no interface on %q%s", shorten(s), Suggest(s, n.segments()))
		}
	}
	c.acl(path, n, f.ACL)
	c.word(path, "default", f.Default, FirewallDeny, FirewallProhibit, FirewallPermit)
	c.inspections(path, f.Inspect)
	if s := f.Stateful; s != nil {
		at := child(path, "stateful")
		if len(f.Inside) == 0 && !c.unknown(child(path, "inside")) {
			c.missing(path, "inside", "firewall: with stateful it has to know which segments are inside: inside: [%s]", strings.Join(n.segments(), ", "))
		}
		if s.States != 0 {
			c.between(at, "states", s.States, 1, 1_000_000)
		}
		c.word(at, "ipsec", s.IPsec, TrackByAddresses, TrackByIKE, TrackByRules)
		if t := s.Timeouts; t != nil {
			at = child(at, "timeouts")
			for _, d := range []struct {
				key string
				d   Duration
			}{
				{"tcp-handshake", t.Handshake}, {"tcp", t.TCP}, {"tcp-closing", t.Closing}, {"udp", t.UDP},
				{"icmp", t.ICMP}, {"ipsec", t.IPsec}, {"other", t.Other},
			} {
				c.span(at, d.key, d.d)
			}
		}
	}
}

// acl checks the entries of an access list below path.
func (c *checker) acl(path string, n Node, rules []ACLRule) {
	path = child(path, "acl")
	if len(rules) > maxACL {
		c.at(path, "acl: %d entries, and there may be %d", len(rules), maxACL)
		return
	}
	for i := range rules {
		at, r := item(path, i), &rules[i]
		if r.Action == "" {
			c.missing(at, "action", "acl: an entry has no action: permit, deny or prohibit")
		}
		c.word(at, "action", r.Action, FirewallPermit, FirewallDeny, FirewallProhibit)
		c.side(at, "from", r.From, n, SideInside, SideOutside)
		c.side(at, "to", r.To, n, SideInside, SideOutside, SideSelf)
		c.firewallAddresses(at, "source", r.Source)
		c.firewallAddresses(at, "destination", r.Destination)
		c.aclUpper(at, r)
	}
}

// aclUpper checks what an entry says of the upper layer.
func (c *checker) aclUpper(at string, r *ACLRule) {
	proto, ok := FirewallProtocol(r.Protocol)
	if !ok {
		words := []string{"any", "icmp", "icmpv6", "tcp", "udp", "esp", "ah"}
		c.at(child(at, "protocol"), "protocol: want %s or a number from 1 to 255, got %q%s", strings.Join(words, ", "), shorten(r.Protocol), Suggest(r.Protocol, words))
	}
	for _, p := range []struct{ key, text string }{{"source-port", r.SourcePort}, {"destination-port", r.DestinationPort}} {
		switch _, _, err := ParsePorts(p.text); {
		case p.text == "" || p.text == anyWord:
			continue
		case err != nil:
			c.at(child(at, p.key), "%s: %s", p.key, err)
		case ok && !hasPorts(proto):
			c.at(child(at, p.key), "%s: ports need protocol: tcp or udp, and this is %s", p.key, or(r.Protocol, anyWord))
		}
	}
	if r.ICMP != "" {
		if r.Protocol != "icmp" && r.Protocol != "icmpv6" {
			c.at(child(at, "icmp"), "icmp: it needs protocol: icmp or icmpv6, and this is %s", or(r.Protocol, anyWord))
		} else if _, _, err := ParseICMP(r.Protocol, r.ICMP); err != nil {
			c.at(child(at, "icmp"), "icmp: %s", err)
		}
	}
	if r.Established && r.Protocol != "tcp" {
		c.at(child(at, "established"), "established: only TCP has connections: it needs protocol: tcp")
	}
	if r.Fragments && (r.Established || r.ICMP != "" || !anyPort(r.SourcePort) || !anyPort(r.DestinationPort)) {
		c.at(child(at, "fragments"), "fragments: those but the first have no ports, types or flags: leave these out, or make two entries")
	}
}

func anyPort(text string) bool { return text == "" || text == anyWord }

// side checks where an entry says that packets come from or go to.
func (c *checker) side(path, key, word string, n Node, sides ...string) {
	if word == SideInside || word == SideOutside {
		if n.Firewall != nil && len(n.Firewall.Inside) == 0 && !c.unknown(path) {
			c.at(child(path, key), "%s: the firewall has to know which segments are inside: inside: [%s]", key, strings.Join(n.segments(), ", "))
		}
		return
	}
	if known := append(n.segments(), sides...); word != "" && word != anyWord && !slices.Contains(known, word) {
		c.at(child(path, key), "%s: want %s, got %q%s", key, strings.Join(known, ", "), shorten(word), Suggest(word, known))
	}
}

func (c *checker) firewallAddresses(path, key, word string) {
	if c.unknown("$.nodes") {
		return
	}
	if _, err := c.s.FirewallAddresses(word); err != nil {
		c.at(child(path, key), "%s: %s", key, err)
	}
}

func (c *checker) inspections(path string, all []Inspection) {
	for i, one := range all {
		at := item(child(path, "inspect"), i)
		c.firewallAddresses(at, "source", one.Source)
		c.firewallAddresses(at, "destination", one.Destination)
	}
}

// setFirewall checks a step that changes a firewall.
func (c *checker) setFirewall(path string, f *SetFirewall) {
	n, ok := c.s.Nodes[f.Node]
	switch {
	case f.Node == "":
		c.missing(path, "node", "set-firewall: there is no node")
		return
	case !ok:
		c.defined(path, "node", f.Node, "node", "$.nodes", sorted(c.s.Nodes))
		return
	case n.Firewall == nil:
		c.at(child(path, "node"), "node: %s has no firewall: give it one, firewall: {default: permit}", f.Node)
		return
	case f.ACL == nil && f.Default == "" && f.Inspect == nil && !f.Forget && !c.flawed[path]:
		c.at(path, "set-firewall: nothing changes: it may have acl, default, inspect, forget")
	case f.Forget && n.Firewall.Stateful == nil:
		c.at(child(path, "forget"), "forget: the firewall of %s is not stateful, and remembers nothing", f.Node)
	}
	c.acl(path, n, f.ACL)
	c.word(path, "default", f.Default, FirewallDeny, FirewallProhibit, FirewallPermit)
	c.inspections(path, f.Inspect)
}

// firewallKey checks that a key names a node with a firewall.
func (c *checker) firewallKey(path, name string) {
	switch n, ok := c.s.Nodes[name]; {
	case !ok && !c.unknown("$.nodes"):
		c.key(child(path, name), "no node is called %q%s", shorten(name), Suggest(name, sorted(c.s.Nodes)))
	case ok && !n.hasFirewall():
		c.key(child(path, name), "%s has no firewall", name)
	}
}

// hasFirewall reports whether anything could count.
func (n Node) hasFirewall() bool {
	return n.Firewall != nil || n.Host() && n.OwnFirewall().Kind != FirewallNone
}

func (c *checker) firewallCountersOn(path string, v *FirewallCountersOn) {
	if v.Node == "" {
		c.missing(path, "node", "firewall-counters: there is no node")
	} else if n, ok := c.s.Nodes[v.Node]; !ok {
		c.defined(path, "node", v.Node, "node", "$.nodes", sorted(c.s.Nodes))
	} else if !n.hasFirewall() {
		c.at(child(path, "node"), "node: %s has no firewall", v.Node)
	}
	c.limited(path, v, "passed, dropped or another counter of the firewall", "node")
}
