package spec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Resolve is the address that a word means: the first address of the node of that
// name, or the address itself. It does not ask whether a node has it.
func (s *Scenario) Resolve(word string) (netip.Addr, error) {
	all, err := s.addresses(word)
	if err != nil {
		return netip.Addr{}, err
	}
	return all[0], nil
}

// Destination is the address that a step's to means for the node or address from:
// an address as it is, and of a node its first address of a family that from has too.
func (s *Scenario) Destination(from, to string) (netip.Addr, error) {
	all, err := s.addresses(to)
	if err != nil {
		return netip.Addr{}, err
	}
	mine, err := s.addresses(from)
	if _, named := s.Nodes[to]; !named || err != nil { // what is wrong with from is told elsewhere
		return all[0], nil
	}
	var fit []Holding
	for _, h := range s.Faces(to) {
		if _, ok := ofFamily(mine, h.Addr); ok {
			fit = append(fit, h)
		}
	}
	if len(fit) > 0 {
		h, _ := s.Realms().Nearest(s.Nodes[from].Segments(), fit)
		return h.Addr, nil
	}
	return netip.Addr{}, fmt.Errorf("%s and %s have no addresses of the same family", from, to)
}

// Source is the address of the node or address from for what it sends to an address:
// the first of its family.
func (s *Scenario) Source(from string, to netip.Addr) (netip.Addr, error) {
	mine, err := s.addresses(from)
	if err != nil {
		return netip.Addr{}, err
	}
	a, ok := ofFamily(mine, to)
	if !ok {
		return netip.Addr{}, fmt.Errorf("%s has no address of the family of %s", from, to)
	}
	return a, nil
}

// Ends are source and destination of a packet between two nodes or addresses, of one family.
func (s *Scenario) Ends(from, to string) (src, dst netip.Addr, err error) {
	if dst, err = s.Destination(from, to); err == nil {
		src, err = s.Source(from, dst)
	}
	return src, dst, err
}

// ofFamily is the first of the addresses that is of the family of a.
func ofFamily(all []netip.Addr, a netip.Addr) (netip.Addr, bool) {
	i := slices.IndexFunc(all, func(b netip.Addr) bool { return b.Is4() == a.Is4() })
	if i < 0 {
		return netip.Addr{}, false
	}
	return all[i], true
}

// addresses are all that a word may mean, at least one.
func (s *Scenario) addresses(word string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(word); err == nil {
		return []netip.Addr{a}, checkAddr(a)
	}
	node, ok := s.Nodes[word]
	if !ok {
		return nil, fmt.Errorf("no node is called %q, and it is no address%s", word, Suggest(word, slices.Sorted(maps.Keys(s.Nodes))))
	}
	if len(node.Interfaces) == 0 {
		return nil, fmt.Errorf("node %s has no interface, and so no address", word)
	}
	if node.Attacker() {
		return nil, fmt.Errorf("%s is an attacker, and has no address", word)
	}
	all := s.NodeAddrs(word)
	if len(all) > 0 {
		return all, nil
	}
	for _, i := range node.Interfaces {
		for _, text := range i.texts() {
			if _, err := parseInterface(text); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("node %s has no address", word)
}

// NodeAddrs are the addresses of a node in the order of its interfaces.
func (s *Scenario) NodeAddrs(name string) (all []netip.Addr) {
	for _, p := range s.Nodes[name].Prefixes() {
		all = append(all, p.Addr())
	}
	return all
}

// Prefixes are those of the node's interfaces that can be read.
func (n Node) Prefixes() (all []netip.Prefix) {
	for _, i := range n.Interfaces {
		all = append(all, i.Prefixes()...)
	}
	return all
}

// NodeAt is the name of a node that has the address; NodeFrom knows which of several.
func (s *Scenario) NodeAt(a netip.Addr) (name string, ok bool) { return s.NodeFrom("", a) }

// NodeOf is the name of the node that a step's to means, by its name or by one of its
// addresses, for the node from.
func (s *Scenario) NodeOf(from, word string) (name string, ok bool) {
	if _, ok := s.Nodes[word]; ok {
		return word, true
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		return "", false
	}
	return s.NodeFrom(from, a)
}

// nodeOn is the name of the node that has the address on the segment.
func (s *Scenario) nodeOn(segment string, a netip.Addr) (name string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		if slices.Contains(s.Holdings(name), Holding{name, segment, a}) {
			return name, true
		}
	}
	return "", false
}

// FilterAddress is what a filter's source or destination means: me, any, an
// address, a prefix, or the first address of a node.
func (s *Scenario) FilterAddress(word string) (Address, error) {
	switch word {
	case "me":
		return Address{Me: true}, nil
	case "any":
		return Address{Any: true}, nil
	case ServersDNS, ServersWINS, ServersDHCP, DefaultGateways:
		return Address{Servers: word}, nil
	}
	if name, ok := strings.CutPrefix(word, dnsPrefix); ok {
		if !s.knowsName(name) {
			return Address{}, fmt.Errorf("no DNS name is called %q%s", name, Suggest(name, sorted(s.Names)))
		}
		return Address{Name: name}, nil
	}
	if strings.Contains(word, "/") {
		p, err := parsePrefix(word)
		return Address{Prefix: p}, err
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		if _, ok := s.Nodes[word]; !ok {
			known := append(slices.Clone(reserved), slices.Sorted(maps.Keys(s.Nodes))...)
			return Address{}, fmt.Errorf("want me, any, an address, a prefix or the name of a node, got %q%s", word, Suggest(word, known))
		}
		if a, err = s.Resolve(word); err != nil {
			return Address{}, err
		}
	}
	if err := checkAddr(a); err != nil {
		return Address{}, err
	}
	return Address{Prefix: netip.PrefixFrom(a, a.BitLen())}, nil
}

// checkAddr refuses forms of addresses that the lab has no use for: with a zone,
// and IPv4 written as IPv6, which no wire carries.
func checkAddr(a netip.Addr) error {
	switch {
	case a.Zone() != "":
		return fmt.Errorf("%s is unsupported: addresses have no zones here", a)
	case a.Is4In6():
		return fmt.Errorf("%s is IPv4 written as IPv6: write %s", a, a.Unmap())
	}
	return nil
}

// parsePrefix reads a network: 10.0.0.0/24.
func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("want a network such as 10.0.0.0/24 or 2001:db8::/64, got %q", text)
	case checkAddr(p.Addr()) != nil:
		return netip.Prefix{}, checkAddr(p.Addr())
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its prefix length: the network is %s", text, p.Masked())
	}
	return p, nil
}

// parseInterface reads an address with the length of its network: 10.0.0.1/24.
func parseInterface(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("want an address with its prefix length, such as 10.0.0.1/24 or 2001:db8::1/64, got %q", text)
	}
	a := p.Addr()
	line := p.Bits() >= a.BitLen()-1 // a line between two nodes needs no address but theirs: RFC 3021 and RFC 6164
	switch {
	case checkAddr(a) != nil:
		return netip.Prefix{}, checkAddr(a)
	case a.Is6() && a.IsLinkLocalUnicast():
		return netip.Prefix{}, fmt.Errorf("%s is a link-local address: an interface with an IPv6 address gives itself one", a)
	case !unicast(a):
		return netip.Prefix{}, fmt.Errorf("%s is not an address that a node can have", a)
	case !line && a == p.Masked().Addr():
		return netip.Prefix{}, fmt.Errorf("%s is the address of the network %s, not of a node in it", a, p.Masked())
	case !line && a.Is4() && a == lastAddr(p):
		return netip.Prefix{}, fmt.Errorf("%s is the broadcast address of the network %s, not of a node in it", a, p.Masked())
	}
	return p, nil
}

// unicast reports whether a node may have the address: of IPv4 not 0/8, 127/8, or
// 224/3 (RFC 1122, Section 3.2.1.3), of IPv6 not ::, ::1 and multicast (RFC 4291,
// Section 2).
func unicast(a netip.Addr) bool {
	if a.Is6() {
		return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast()
	}
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}

// lastAddr is the last address of an IPv4 network.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
