package spec

import (
	"net/netip"
	"slices"
)

// Realms are the address realms of a network (RFC 2663, Section 2.1): segments between
// which packets keep their addresses. A NAT box stands between two of them. The same
// address may mean one node in one realm, and another one in another.
type Realms struct {
	of   map[string]string // by segment: its realm, which is called as the first of its segments; nil: there is one realm
	outs map[string][]exit // by realm: its NAT boxes, by name, and where they lead
}

// exit is a way out of a realm.
type exit struct{ box, realm string }

// Realms are the realms of the scenario. Without a NAT box there is one.
func (s *Scenario) Realms() Realms {
	names := sorted(s.Nodes)
	if !slices.ContainsFunc(names, func(n string) bool { return s.Nodes[n].NAT != nil }) {
		return Realms{}
	}
	r := Realms{of: map[string]string{}, outs: map[string][]exit{}}
	sets := disjoint{}
	for _, name := range names {
		if n := s.Nodes[name]; n.Router() {
			for _, segment := range n.Inside() {
				sets.join(n.Inside()[0], segment)
			}
		}
	}
	for _, segment := range sorted(s.Network.Segments) {
		r.of[segment] = sets.first(segment)
	}
	for _, name := range names {
		n := s.Nodes[name]
		if n.NAT == nil {
			continue
		}
		for _, segment := range n.Inside() {
			e, in := exit{name, r.of[n.NAT.Outside]}, r.of[segment]
			if e.realm != "" && e.realm != in && !slices.Contains(r.outs[in], e) {
				r.outs[in] = append(r.outs[in], e)
			}
		}
	}
	return r
}

// disjoint are sets of segments, each called as the first of its members.
type disjoint map[string]string

func (d disjoint) first(segment string) string {
	for d[segment] != "" {
		if up := d[d[segment]]; up != "" {
			d[segment] = up
		}
		segment = d[segment]
	}
	return segment
}

// join makes one set of those of two segments.
func (d disjoint) join(a, b string) {
	switch a, b = d.first(a), d.first(b); {
	case a < b:
		d[b] = a
	case b < a:
		d[a] = b
	}
}

// Inside are the segments between which a router forwards packets as they are.
func (n Node) Inside() (all []string) {
	for _, i := range n.Interfaces {
		if n.NAT == nil || i.Segment != n.NAT.Outside {
			all = append(all, i.Segment)
		}
	}
	return all
}

// Way are the NAT boxes that a packet from one of some segments goes through, each time
// from inside, until it is where an address on another segment means something; ok is
// false when it cannot get there. Of several ways it is one with the fewest boxes.
func (r Realms) Way(from []string, to string) (boxes []string, ok bool) {
	if r.of == nil {
		return nil, true
	}
	type place struct {
		realm string
		boxes []string
	}
	var next []place
	reached := map[string]bool{}
	for _, segment := range from {
		if realm := r.of[segment]; !reached[realm] {
			reached[realm] = true
			next = append(next, place{realm: realm})
		}
	}
	for len(next) > 0 {
		at := next[0]
		if at.realm == r.of[to] {
			return at.boxes, true
		}
		next = next[1:]
		for _, e := range r.outs[at.realm] {
			if !reached[e.realm] {
				reached[e.realm] = true
				next = append(next, place{e.realm, append(slices.Clone(at.boxes), e.box)})
			}
		}
	}
	return nil, false
}

// Distance is how many boxes there are on the Way.
func (r Realms) Distance(from []string, to string) (n int, ok bool) {
	boxes, ok := r.Way(from, to)
	return len(boxes), ok
}

// Realm is the realm of a segment. Two segments of one have the same.
func (r Realms) Realm(segment string) string { return r.of[segment] }

// Holding is an address that a node has on a segment.
type Holding struct {
	Node, Segment string
	Addr          netip.Addr
}

// Holdings are the addresses of a node, in the order of its interfaces, and behind them
// those that it answers to as a NAT box.
func (s *Scenario) Holdings(name string) (all []Holding) {
	n := s.Nodes[name]
	for _, i := range n.Interfaces {
		for _, p := range i.Prefixes() {
			all = append(all, Holding{name, i.Segment, p.Addr()})
		}
	}
	if n.NAT != nil {
		for _, a := range n.NAT.addrs() {
			h := Holding{name, n.NAT.Outside, a}
			if !slices.Contains(all, h) {
				all = append(all, h)
			}
		}
	}
	return all
}

// Segments are those that a node has interfaces on.
func (n Node) Segments() (all []string) {
	for _, i := range n.Interfaces {
		all = append(all, i.Segment)
	}
	return all
}

// Nearest is the first of some holdings that is fewest NAT boxes away from the segments;
// ok is false when packets from there reach none of them, and it is the first of all.
func (r Realms) Nearest(from []string, all []Holding) (h Holding, ok bool) {
	least := 0
	for _, candidate := range all {
		if d, reaches := r.Distance(from, candidate.Segment); reaches && (!ok || d < least) {
			h, least, ok = candidate, d, true
		}
	}
	if !ok && len(all) > 0 {
		h = all[0]
	}
	return h, ok
}

// NodeFrom is the name of the node that an address means to another node.
func (s *Scenario) NodeFrom(from string, a netip.Addr) (name string, ok bool) {
	h, ok := s.HoldingFrom(from, a)
	return h.Node, ok
}

// HoldingFrom is whose an address is to another node, and where.
func (s *Scenario) HoldingFrom(from string, a netip.Addr) (h Holding, ok bool) {
	var all []Holding
	for _, name := range sorted(s.Nodes) {
		for _, h := range s.Holdings(name) {
			if h.Addr == a {
				all = append(all, h)
			}
		}
	}
	h, _ = s.Realms().Nearest(s.Nodes[from].Segments(), all)
	return h, len(all) > 0
}

// Faces are the addresses under which others reach a node: its own, and those at which NAT
// boxes publish it, the nearest box first.
func (s *Scenario) Faces(name string) []Holding { return s.faces(name, nil) }

func (s *Scenario) faces(name string, seen []string) []Holding {
	all := s.Holdings(name)
	seen = append(seen, name)
	for _, box := range sorted(s.Nodes) {
		n := s.Nodes[box]
		if n.NAT == nil || slices.Contains(seen, box) {
			continue
		}
		published := n.publishing(func(word string) bool { node, ok := s.NodeOf(box, word); return ok && node == name })
		for _, a := range published {
			all = append(all, Holding{Node: name, Segment: n.NAT.Outside, Addr: a})
		}
		if len(published) == 0 {
			continue
		}
		for _, h := range s.faces(box, seen) { // a box outside publishes this one
			if h.Segment != n.NAT.Outside && !slices.Contains(n.Segments(), h.Segment) {
				all = append(all, Holding{Node: name, Segment: h.Segment, Addr: h.Addr})
			}
		}
	}
	return all
}

// publishing are the outside addresses at which a NAT box publishes what a word means.
func (n Node) publishing(meant func(word string) bool) (all []netip.Addr) {
	add := func(a netip.Addr) {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	for _, o := range n.NAT.OneToOne {
		if a, err := netip.ParseAddr(o.Outside); err == nil && meant(o.Inside) {
			add(a)
		}
	}
	for _, f := range n.NAT.Forwards {
		if !meant(f.To) {
			continue
		}
		if a, err := netip.ParseAddr(f.Address); err == nil {
			add(a)
		} else {
			for _, a := range n.OutsideAddrs() {
				add(a)
			}
		}
	}
	return all
}
