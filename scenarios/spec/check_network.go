package spec

import (
	"math"
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
		c.oneOf(path, "subnet", "subnets", seg.Subnet, seg.Subnets)
		c.each(path, "subnet", "subnets", seg.Subnet, seg.Subnets, func(path, key, text string) {
			if _, err := parsePrefix(text); err != nil {
				c.at(path, "%s: %s", key, err)
			}
		})
		if kinds := []string{KindEthernet, KindPointToPoint}; seg.Kind != "" && !slices.Contains(kinds, seg.Kind) {
			c.at(child(path, "kind"), "kind: want %s, got %q%s", strings.Join(kinds, " or "), shorten(seg.Kind), Suggest(seg.Kind, kinds))
		}
		if n := len(c.s.nodesOn(name)); seg.PointToPoint() && n != 2 && !c.unknown("$.nodes") {
			c.at(child(path, "kind"), "kind: a point-to-point link has two nodes, and %s has %d", name, n)
		}
		c.span(path, "latency", seg.Latency)
		if seg.MTU != 0 {
			c.between(path, "mtu", seg.MTU, minMTU, maxMTU)
		}
		c.probability(path, "loss", seg.Loss)
		c.impairments(path, &seg.Impairments, false)
	}
}

// nodesOn are the nodes with an interface on a segment, attackers aside.
func (s *Scenario) nodesOn(segment string) (names []string) {
	for _, name := range sorted(s.Nodes) {
		if n := s.Nodes[name]; !n.Attacker() && slices.ContainsFunc(n.Interfaces, func(i Interface) bool { return i.Segment == segment }) {
			names = append(names, name)
		}
	}
	return names
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
	owners, realms := map[place]string{}, c.s.Realms()
	for _, name := range names {
		c.addresses(name, owners, realms)
	}
	for _, name := range names {
		if c.full() {
			return
		}
		path, n := child("$.nodes", name), c.s.Nodes[name]
		if slices.Contains(reserved, name) {
			c.key(path, "a node cannot be called %s: filters use the word", name)
		}
		for i, ifc := range n.Interfaces {
			c.queueing(item(child(path, "interfaces"), i), name, n, ifc)
			kinds := []string{ConnectionsLAN, ConnectionsDialUp}
			if ifc.Connection != "" && !slices.Contains(kinds, ifc.Connection) {
				c.at(child(item(child(path, "interfaces"), i), "connection"), "connection: want lan or dialup, got %q%s",
					shorten(ifc.Connection), Suggest(ifc.Connection, kinds))
			}
		}
		switch n.Type {
		case "", TypeHost, TypeRouter, TypePeer:
		case TypeAttacker:
			c.attacker(path, name, n)
			continue
		default:
			known := []string{TypeHost, TypeRouter, TypeAttacker, TypePeer}
			c.at(child(path, "type"), "type: want %s, got %q%s", strings.Join(known, ", "), shorten(n.Type), Suggest(n.Type, known))
		}
		c.gateways(path, n)
		c.routes(path, n)
		c.services(path, name, n)
		c.serverLists(child(path, "servers"), n.Servers)
		c.ipsec(path, name, n)
		c.firewall(path, n)
		c.nat(path, name, n)
		c.hostFirewall(child(path, "host-firewall"), n, n.HostFirewall)
		c.peer(path, name, n)
	}
}

// ipsec checks the IPsec settings of a node.
func (c *checker) ipsec(path, name string, n Node) {
	c.os(path, name, n)
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
	c.keying(path, n.IPsec)
	c.remote(path, name, n)
	c.span(path, "sa-idle-time", n.IPsec.SAIdleTime)
	c.span(path, "log-interval", n.IPsec.LogInterval)
	c.span(path, "re-expand", n.IPsec.ReExpand)
	if f := n.IPsec.FallBack; f != nil {
		at := child(path, "fall-back")
		c.span(at, "after", f.After)
		if f.Simultaneous && f.After != 0 {
			c.at(child(at, "simultaneous"), "simultaneous: the host falls back at once, or after %s, not both: leave one out", f.After)
		}
		c.span(at, "idle", f.Idle)
		c.span(at, "lifetime", f.Lifetime)
	}
	if n.IPsec.ReplayWindow != 0 {
		c.between(path, "replay-window", n.IPsec.ReplayWindow, 32, 65536)
	}
	if n.IPsec.FirstSequence != 0 {
		c.between(path, "first-sequence", n.IPsec.FirstSequence, 1, math.MaxUint32)
	}
	if n.IPsec.NoDefaultExempt != nil {
		c.between(path, "no-default-exempt", *n.IPsec.NoDefaultExempt, 0, 3)
	}
	if words := []string{IPv6Policy, IPv6Bypass}; n.IPsec.IPv6 != "" && !slices.Contains(words, n.IPsec.IPv6) {
		c.at(child(path, "ipv6"), "ipv6: want policy or bypass, got %q%s", shorten(n.IPsec.IPv6), Suggest(n.IPsec.IPv6, words))
	}
	for _, w := range []struct {
		key, word string
		words     []string
	}{{"first-end", n.IPsec.FirstEnd, []string{EndNarrower, EndWider}}, {"me-counts-as", n.IPsec.MeCountsAs, []string{MeHost, MeAny}}, {"dos-protection", n.IPsec.DoSProtection, []string{DoSUnknown, DoSAvailable, DoSActive}}} {
		if w.word != "" && !slices.Contains(w.words, w.word) {
			c.at(child(path, w.key), "%s: want %s, got %q%s", w.key, strings.Join(w.words, " or "), shorten(w.word), Suggest(w.word, w.words))
		}
	}
	c.startup(path, n.IPsec)
	c.policySource(child(path, "policy-source"), name, n.IPsec.PolicySource)
	actions := []string{ActionBlock, ActionNegotiate, ActionPermit}
	if n.IPsec.Ties != nil && !slices.Equal(slices.Sorted(slices.Values(n.IPsec.Ties)), actions) {
		c.at(child(path, "ties"), "ties: want permit, block and negotiate once each, in the order in which equally specific filters are searched")
	}
}

// nextHop checks that a gateway or the next hop of a route can be reached and forwards.
func (c *checker) nextHop(path, key string, n Node, word string) {
	a, err := netip.ParseAddr(word)
	if err != nil {
		c.at(path, "%s: want an address, got %q", key, shorten(word))
		return
	}
	on := ""
	for _, i := range n.Interfaces {
		for _, p := range i.Prefixes() {
			if p.Addr() == a {
				c.at(path, "%s: %s is an address of the node itself", key, a)
				return
			}
			if p.Contains(a) {
				on = i.Segment
			}
		}
	}
	if on == "" {
		c.at(path, "%s: %s is not on-link: no interface of the node is in its network", key, a)
		return
	}
	owner, ok := c.s.nodeOn(on, a)
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
		for _, a := range c.s.NodeAddrs(name) {
			all = append(all, a.String())
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
		} else if seen[r.To] || p.Bits() == 0 && n.hasDefault(p.Addr()) {
			c.at(child(path, "to"), "to: there is another route to %s", p)
		} else if via, err := netip.ParseAddr(r.Via); err == nil && via.Is4() != p.Addr().Is4() {
			c.at(child(path, "via"), "via: %s is of another family than %s", via, p)
		}
		seen[r.To] = true
		if r.Via == "" {
			c.missing(path, "via", "a route has no via: the address of its next hop")
		} else {
			c.nextHop(child(path, "via"), "via", n, r.Via)
		}
	}
}

// hasDefault reports whether a gateway gives a default route of the family of a.
func (n Node) hasDefault(a netip.Addr) bool {
	return slices.ContainsFunc(n.NextHops(), func(text string) bool {
		via, err := netip.ParseAddr(text)
		return err == nil && via.Is4() == a.Is4()
	})
}

func (c *checker) services(path, name string, n Node) {
	seen := map[[3]int]bool{} // by port or protocol
	for i, s := range n.Serves {
		path := item(child(path, "serves"), i)
		switch {
		case n.Router():
			c.at(path, "serves: %s is a router, and routers have no applications", name)
		case s.kinds() > 1:
			c.at(path, "serves: a service is one of tcp, udp, protocol, dhcp and stun: make two of this one")
		case s.kinds() == 0:
			c.missing(path, "tcp", "serves: a service needs a port, tcp: 80 or udp: 53, or a protocol of IP")
		case s.Protocol != 0 && seen[s.sort()]:
			c.at(path, "serves: %s has an application for protocol %d already", name, s.Protocol)
		case seen[s.sort()]:
			c.at(path, "serves: %s listens on this port already", name)
		case s.UDP == 500 || s.UDP == 4500:
			c.at(child(path, "udp"), "udp: port %d is IKE's own", s.UDP)
		}
		seen[s.sort()] = true
		if s.UDP == 68 && slices.ContainsFunc(n.Interfaces, Interface.DHCP) {
			c.at(child(path, "udp"), "udp: port 68 is that of the DHCP client")
		}
		if s.DHCP != nil {
			c.dhcpServer(path, n, *s.DHCP)
		}
		c.stunService(path, name, n, s)
		c.group(path, n, s)
		c.policyServer(path, name, s)
		c.scepService(path, s)
		c.lists(path, s)
		if s.TCP != 0 {
			c.port(path, "tcp", s.TCP)
		}
		if s.UDP != 0 {
			c.port(path, "udp", s.UDP)
		}
		if s.Protocol != 0 {
			c.free(path, s.Protocol)
		}
	}
}

// serviceKinds are the keys of which a service has one.
var serviceKinds = []string{"tcp", "udp", "protocol", "dhcp", "stun"}

// kinds is how many of serviceKinds it is; one of them is right.
func (s Service) kinds() (n int) {
	for _, is := range []bool{s.TCP != 0, s.UDP != 0, s.Protocol != 0, s.DHCP != nil, s.STUN != nil} {
		if is {
			n++
		}
	}
	return n
}

// sort is what two services of a host may not share.
func (s Service) sort() [3]int {
	const dhcpServer = 67 // RFC 2131, Section 4.1
	if s.DHCP != nil {
		return [3]int{0, dhcpServer, 0}
	}
	if s.STUN != nil {
		return [3]int{STUNPorts[0], STUNPorts[0], 0}
	}
	return [3]int{s.TCP, s.UDP, s.Protocol}
}

// port checks the number of a port that is given.
func (c *checker) port(path, key string, v int) {
	if v < 1 || v > 65535 {
		c.at(child(path, key), "%s: %d is no port: ports are from 1 to 65535", key, v)
	}
}
