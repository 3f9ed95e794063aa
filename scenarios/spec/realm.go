package spec

import (
	"net/netip"
	"slices"
)

// Realms are the address realms of a network (RFC 2663, Section 2.1): segments between
// which packets keep their addresses. A NAT box stands between two of them. The same
// address may mean one node in one realm, and another one in another.
type Realms struct {
	of   map[string]string   // by segment: its realm, which is called as the first of its segments; nil: there is one realm
	outs map[string][]string // by realm: those outside of its NAT boxes
}

// Realms are the realms of the scenario. Without a NAT box there is one.
func (s *Scenario) Realms() Realms {
	names := sorted(s.Nodes)
	if !slices.ContainsFunc(names, func(n string) bool { return s.Nodes[n].NAT != nil }) {
		return Realms{}
	}
	r := Realms{of: map[string]string{}, outs: map[string][]string{}}
	for _, segment := range sorted(s.Network.Segments) {
		r.of[segment] = segment
	}
	for _, name := range names {
		if n := s.Nodes[name]; n.Router() {
			r.join(n.Inside())
		}
	}
	for _, name := range names {
		if n := s.Nodes[name]; n.NAT != nil {
			for _, segment := range n.Inside() {
				if out, in := r.of[n.NAT.Outside], r.of[segment]; out != "" && out != in && !slices.Contains(r.outs[in], out) {
					r.outs[in] = append(r.outs[in], out)
				}
			}
		}
	}
	return r
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

// join makes one realm of those of the segments.
func (r Realms) join(segments []string) {
	var joined []string
	for _, segment := range segments {
		if realm := r.of[segment]; realm != "" {
			joined = append(joined, realm)
		}
	}
	for _, segment := range sorted(r.of) {
		if slices.Contains(joined, r.of[segment]) {
			r.of[segment] = slices.Min(joined)
		}
	}
}

// Distance is through how many NAT boxes a packet from one of some segments has to go,
// each time from inside, until it is where an address on another segment means something;
// false: it cannot get there.
func (r Realms) Distance(from []string, to string) (n int, ok bool) {
	if r.of == nil {
		return 0, true
	}
	var reached []string
	for _, segment := range from {
		reached = append(reached, r.of[segment])
	}
	for next := reached; len(next) > 0; n++ {
		if slices.Contains(next, r.of[to]) {
			return n, true
		}
		var out []string
		for _, realm := range next {
			for _, o := range r.outs[realm] {
				if !slices.Contains(reached, o) {
					reached, out = append(reached, o), append(out, o)
				}
			}
		}
		next = out
	}
	return 0, false
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
	var all []Holding
	for _, name := range sorted(s.Nodes) {
		for _, h := range s.Holdings(name) {
			if h.Addr == a {
				all = append(all, h)
			}
		}
	}
	h, _ := s.Realms().Nearest(s.Nodes[from].Segments(), all)
	return h.Node, len(all) > 0
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
