package spec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Resolve is the address that a step's to means: the first address of the node
// of that name, or the address itself. It does not ask whether a node has it.
func (s *Scenario) Resolve(word string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(word); err == nil {
		if !a.Is4() {
			return netip.Addr{}, fmt.Errorf("%s is unsupported: the lab speaks IPv4 only", word)
		}
		return a, nil
	}
	node, ok := s.Nodes[word]
	if !ok {
		return netip.Addr{}, fmt.Errorf("no node is called %q, and it is no address%s", word, Suggest(word, slices.Sorted(maps.Keys(s.Nodes))))
	}
	if len(node.Interfaces) == 0 {
		return netip.Addr{}, fmt.Errorf("node %s has no interface, and so no address", word)
	}
	p, err := parseInterface(node.Interfaces[0].Address)
	return p.Addr(), err
}

// NodeAt is the name of the node that has the address.
func (s *Scenario) NodeAt(a netip.Addr) (name string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		for _, i := range s.Nodes[name].Interfaces {
			if p, err := parseInterface(i.Address); err == nil && p.Addr() == a {
				return name, true
			}
		}
	}
	return "", false
}

// NodeOf is the name of the node that a step's from or to means, by its name or by one of its addresses.
func (s *Scenario) NodeOf(word string) (name string, ok bool) {
	if _, ok := s.Nodes[word]; ok {
		return word, true
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		return "", false
	}
	return s.NodeAt(a)
}

// FilterAddress is what a filter's source or destination means: me, any, an
// address, a prefix, or the first address of a node.
func (s *Scenario) FilterAddress(word string) (Address, error) {
	switch word {
	case "me":
		return Address{Me: true}, nil
	case "any":
		return Address{Any: true}, nil
	}
	if strings.Contains(word, "/") {
		p, err := parsePrefix(word)
		return Address{Prefix: p}, err
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		if _, ok := s.Nodes[word]; !ok {
			known := append([]string{"me", "any"}, slices.Sorted(maps.Keys(s.Nodes))...)
			return Address{}, fmt.Errorf("want me, any, an address, a prefix or the name of a node, got %q%s", word, Suggest(word, known))
		}
		if a, err = s.Resolve(word); err != nil {
			return Address{}, err
		}
	}
	if !a.Is4() {
		return Address{}, fmt.Errorf("%s is unsupported: the lab speaks IPv4 only", word)
	}
	return Address{Prefix: netip.PrefixFrom(a, a.BitLen())}, nil
}

// parsePrefix reads an IPv4 network: 10.0.0.0/24.
func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("want a network such as 10.0.0.0/24, got %q", text)
	case !p.Addr().Is4():
		return netip.Prefix{}, fmt.Errorf("%s is unsupported: the lab speaks IPv4 only", text)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its prefix length: the network is %s", text, p.Masked())
	}
	return p, nil
}

// parseInterface reads an address with the length of its network: 10.0.0.1/24.
func parseInterface(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("want an address with its prefix length, such as 10.0.0.1/24, got %q", text)
	case !p.Addr().Is4():
		return netip.Prefix{}, fmt.Errorf("%s is unsupported: the lab speaks IPv4 only", text)
	case !unicast(p.Addr()):
		return netip.Prefix{}, fmt.Errorf("%s is not an address that a node can have", p.Addr())
	case p.Bits() < 31 && p.Addr() == p.Masked().Addr():
		return netip.Prefix{}, fmt.Errorf("%s is the address of the network %s, not of a node in it", p.Addr(), p.Masked())
	case p.Bits() < 31 && p.Addr() == lastAddr(p):
		return netip.Prefix{}, fmt.Errorf("%s is the broadcast address of the network %s, not of a node in it", p.Addr(), p.Masked())
	}
	return p, nil
}

// unicast reports whether a node may have the address: not 0/8, 127/8, or 224/3. RFC 1122, Section 3.2.1.3.
func unicast(a netip.Addr) bool {
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
