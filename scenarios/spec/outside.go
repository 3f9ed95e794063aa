package spec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// ImageOutside is the image of the peer that stands for an outside program: the lab knows
// nothing of what is behind its interface.
const ImageOutside = "outside"

// Outside says where an outside program is attached to a scenario.
type Outside struct {
	Segment string
	Address string // with prefix length; "": a free one of the segment
	Gateway string // GatewayNone, or the address of a router; "": the router on the segment, if there is exactly one

	// Scoped has the gateway lead to the other networks of the scenario alone, for a machine that
	// has a default route of its own.
	Scoped bool
}

// GatewayNone is the word for no gateway.
const GatewayNone = "none"

// Attach is the scenario with one more node, a peer that stands for an outside program, and its
// name. Nothing in the file refers to it.
func (s *Scenario) Attach(o Outside) (*Scenario, string, error) {
	g, ok := s.Network.Segments[o.Segment]
	switch {
	case !ok:
		return nil, "", fmt.Errorf("no segment of %s is called %q%s", s.Name, shorten(o.Segment), Among(o.Segment, sorted(s.Network.Segments)))
	case g.PointToPoint():
		return nil, "", fmt.Errorf("segment %s is a point-to-point link: programs are attached to Ethernet", o.Segment)
	}
	address, err := s.outsideAddress(o)
	if err != nil {
		return nil, "", err
	}
	gateway, err := s.outsideGateway(o, address)
	if err != nil {
		return nil, "", err
	}
	n := Node{Type: TypePeer, Image: ImageOutside, Interfaces: []Interface{{Segment: o.Segment, Address: address.String()}}}
	switch {
	case gateway.IsValid() && o.Scoped:
		for _, p := range s.networks(address) {
			n.Routes = append(n.Routes, Route{To: p.String(), Via: gateway.String()})
		}
	case gateway.IsValid():
		n.Gateway = gateway.String()
	}
	name := ImageOutside
	for i := 2; s.taken(name); i++ {
		name = fmt.Sprintf("%s%d", ImageOutside, i)
	}
	out := *s
	out.Nodes = maps.Clone(s.Nodes)
	out.Nodes[name] = n
	return &out, name, out.Check()
}

// taken reports whether a name means something in the scenario.
func (s *Scenario) taken(name string) bool {
	_, node := s.Nodes[name]
	return node || s.knowsName(name)
}

// outsideAddress is the address for an outside program.
func (s *Scenario) outsideAddress(o Outside) (netip.Prefix, error) {
	networks := s.networksOf(o.Segment)
	if o.Address == "" {
		for _, p := range networks {
			if a, ok := s.free(o.Segment, p); ok {
				return netip.PrefixFrom(a, p.Bits()), nil
			}
		}
		return netip.Prefix{}, fmt.Errorf("segment %s has no free address: give one with its prefix length, such as 10.0.0.77/24", o.Segment)
	}
	p, err := netip.ParsePrefix(o.Address)
	if err != nil {
		return p, fmt.Errorf("%q is no address with a prefix length, such as 10.0.0.77/24", shorten(o.Address))
	}
	if a := p.Addr(); !a.IsGlobalUnicast() || !hostIn(p, a) {
		return p, fmt.Errorf("%s is no address of a host", a)
	}
	if owner, ok := s.nodeOn(o.Segment, p.Addr()); ok {
		return p, fmt.Errorf("%s is the address of %s", p.Addr(), owner)
	}
	if known := s.declared(o.Segment, p.Addr()); known != nil && !slices.ContainsFunc(known, func(q netip.Prefix) bool { return q.Contains(p.Addr()) }) {
		return p, fmt.Errorf("%s is not in the subnet of segment %s, %s", p.Addr(), o.Segment, strings.Join(texts(known), ", "))
	}
	return p, nil
}

// declared are the subnets of the family of a that the file gives to a segment.
func (s *Scenario) declared(segment string, a netip.Addr) (all []netip.Prefix) {
	for _, text := range s.Network.Segments[segment].Networks() {
		if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() == a.Is4() {
			all = append(all, p.Masked())
		}
	}
	return all
}

// networksOf are the networks on a segment, those of IPv4 first: the subnets that the file gives to it, or else
// those of the nodes on it.
func (s *Scenario) networksOf(segment string) (all []netip.Prefix) {
	for _, a := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		found := s.declared(segment, a)
		if found == nil {
			found = s.used(segment, a)
		}
		all = append(all, found...)
	}
	return all
}

// used are the networks of the family of a in which nodes on a segment have addresses.
func (s *Scenario) used(segment string, a netip.Addr) (all []netip.Prefix) {
	for _, name := range s.nodesOn(segment) {
		for _, i := range s.Nodes[name].Interfaces {
			for _, p := range i.Prefixes() {
				if p = p.Masked(); i.Segment == segment && p.Addr().Is4() == a.Is4() && !slices.Contains(all, p) {
					all = append(all, p)
				}
			}
		}
	}
	return all
}

// networks are all other networks of the scenario, of the family of an address and outside of its own network.
func (s *Scenario) networks(own netip.Prefix) (all []netip.Prefix) {
	for _, segment := range sorted(s.Network.Segments) {
		for _, p := range s.networksOf(segment) {
			if p.Addr().Is4() == own.Addr().Is4() && !p.Overlaps(own) && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// freeTries bounds the search for a free address.
const freeTries = 4096

// free is the last address of a network that no node on the segment has, at any time, or may give away.
func (s *Scenario) free(segment string, p netip.Prefix) (netip.Addr, bool) {
	a := last(p).Next()
	for range freeTries {
		if a = a.Prev(); !p.Contains(a) {
			break
		}
		if !hostIn(p, a) {
			continue
		}
		if _, has := s.nodeOn(segment, a); !has && !s.Later(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// last is the last address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// hostIn reports whether an address may be that of a host: neither the network's own nor
// the one for all of it (RFC 1122, Section 3.2.1.3), nor that of any router (RFC 4291, Section 2.6.1).
func hostIn(p netip.Prefix, a netip.Addr) bool {
	return p.Bits() >= a.BitLen()-1 || a != p.Masked().Addr() && (a.Is6() || a != last(p)) // RFC 3021, RFC 6164: of two addresses both are
}

// outsideGateway is the next hop of an outside program; invalid when there is none.
func (s *Scenario) outsideGateway(o Outside, own netip.Prefix) (netip.Addr, error) {
	var first, all []netip.Addr // of each router on the segment
	for _, name := range s.nodesOn(o.Segment) {
		if !s.Nodes[name].Router() {
			continue
		}
		found := len(all)
		for _, h := range s.Holdings(name) {
			if h.Segment == o.Segment && own.Contains(h.Addr) {
				all = append(all, h.Addr)
			}
		}
		if len(all) > found {
			first = append(first, all[found])
		}
	}
	switch {
	case o.Gateway == "" && len(first) == 1:
		return first[0], nil
	case o.Gateway == "" || o.Gateway == GatewayNone:
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(o.Gateway)
	switch {
	case err != nil:
		return a, fmt.Errorf("gateway: want an address or %s, got %q", GatewayNone, shorten(o.Gateway))
	case !slices.Contains(all, a):
		return a, fmt.Errorf("gateway: %s is no address of a router on segment %s in the network of %s%s", a, o.Segment, own, Among(o.Gateway, texts(all)))
	}
	return a, nil
}

// texts are values as they are written.
func texts[T fmt.Stringer](all []T) (words []string) {
	for _, v := range all {
		words = append(words, v.String())
	}
	return words
}
