package scenarios

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// holding is an address that a node had for some time.
type holding struct {
	spec.Holding
	from, until time.Duration // until is endless while the node has it
}

const endless = time.Duration(1<<63 - 1)

// holders are who had which address when. Addresses change while a scenario runs, and
// what is judged afterwards is judged by those of its time.
type holders []holding

func (hs *holders) add(h spec.Holding, at time.Duration) {
	*hs = append(*hs, holding{Holding: h, from: at, until: endless})
}

func (hs holders) remove(was spec.Holding, at time.Duration) {
	for i := range hs {
		if h := &hs[i]; h.Holding == was && h.until == endless {
			h.until = at
		}
	}
}

// event keeps the books.
func (hs *holders) event(e trace.Event) {
	b, ok := e.Body.(trace.AddressChanged)
	if !ok {
		return
	}
	for _, text := range b.Removed {
		if p, err := netip.ParsePrefix(text); err == nil {
			hs.remove(spec.Holding{Node: e.Node, Segment: b.Segment, Addr: p.Addr()}, e.At)
		}
	}
	for _, text := range b.Added {
		if p, err := netip.ParsePrefix(text); err == nil {
			hs.add(spec.Holding{Node: e.Node, Segment: b.Segment, Addr: p.Addr()}, e.At)
		}
	}
}

// of are the addresses that a node had at some time from begin to end, in the order
// in which it got them.
func (hs holders) of(node string, begin, end time.Duration) (all []netip.Addr) {
	for _, h := range hs {
		if h.Node == node && h.from <= end && h.until >= begin && !slices.Contains(all, h.Addr) {
			all = append(all, h.Addr)
		}
	}
	return all
}

// holder is whom an address means on some segments: who had it last, at some time from
// begin to end.
func (l *lab) holder(segments []string, a netip.Addr, begin, end time.Duration) (node string, ok bool) {
	var all []spec.Holding
	for _, h := range l.holders {
		if h.Addr == a && h.from <= end && h.until >= begin {
			all = append([]spec.Holding{h.Holding}, all...)
		}
	}
	if len(all) == 1 {
		return all[0].Node, true
	}
	h, _ := l.realms.Nearest(segments, all)
	return h.Node, len(all) > 0
}

// since is for how long a node has had an address; false: it has it not.
func (hs holders) since(node string, a netip.Addr) (from time.Duration, ok bool) {
	for _, h := range hs {
		if h.Node == node && h.Addr == a && h.until == endless {
			return h.from, true
		}
	}
	return 0, false
}

// lost is when a node last lost an address of IPv4; false: it never did.
func (hs holders) lost(node string) (at time.Duration, ok bool) {
	for _, h := range hs {
		if h.Node == node && h.until != endless && h.Addr.Is4() {
			at, ok = max(at, h.until), true
		}
	}
	return at, ok
}

// addrsOf are the addresses of a node at this moment.
func (l *lab) addrsOf(node string) (all []netip.Addr) {
	if h := l.hosts[node]; h != nil {
		return h.Addrs()
	}
	for _, h := range l.holders {
		if h.Node == node && h.until == endless {
			all = append(all, h.Addr)
		}
	}
	return all
}

// holding is where a node has an address at this moment.
func (l *lab) holding(node string, a netip.Addr) spec.Holding {
	for _, h := range l.holders {
		if h.Node == node && h.Addr == a && h.until == endless {
			return h.Holding
		}
	}
	return spec.Holding{Node: node, Addr: a}
}

// nodeOf is the node that a word of a step means to another one: its name, or an address that it had
// at some time from begin to end.
func (l *lab) nodeOf(from, word string, begin, end time.Duration) (name string, ok bool) {
	if _, ok := l.spec.Nodes[word]; ok {
		return word, true
	}
	a, err := netip.ParseAddr(word)
	if all := l.names[word]; err != nil && len(all) > 0 {
		a, err = all[0], nil
	}
	if err != nil {
		return "", false
	}
	return l.holder(l.spec.Nodes[from].Segments(), a, begin, end)
}

// destination is spec.Scenario.Destination with the addresses of the moment.
func (l *lab) destination(from, to string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(to); err == nil {
		return a, nil
	}
	if all := l.names[to]; len(all) > 0 {
		return all[0], nil
	}
	if _, ok := l.spec.Nodes[to]; !ok {
		return netip.Addr{}, fmt.Errorf("no node is called %q", to)
	}
	all, mine := l.addrsOf(to), l.addrsOf(from)
	var fit []spec.Holding
	for _, a := range all {
		if slices.ContainsFunc(mine, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			fit = append(fit, l.holding(to, a))
		}
	}
	if len(fit) > 0 {
		here := l.spec.Nodes[from].Segments()
		h, reaches := l.realms.Nearest(here, fit)
		if !reaches { // then a NAT box may publish it
			if f, ok := l.realms.Nearest(here, l.spec.Faces(to)); ok {
				h = f
			}
		}
		return h.Addr, nil
	}
	if len(all) == 0 {
		return netip.Addr{}, fmt.Errorf("%s has no address now", to)
	}
	return all[0], nil
}

// setAddress gives a host other addresses.
func (s *stepRun) setAddress(v *spec.SetAddress) {
	l, h := s.lab, s.lab.hosts[v.Node]
	segment := l.spec.InterfaceSegment(v.Node, v.Segment)
	const reason = "set-address"
	if v.Address != "" || len(v.Addresses) > 0 {
		prefixes := v.Prefixes()
		s.got = append(s.got, fmt.Sprintf("%s has %v on %s", v.Node, prefixes, segment))
		if s.broken = h.SetAddresses(segment, prefixes, reason); s.broken != nil {
			return
		}
	}
	if v.Gateway != "" {
		via, err := netip.ParseAddr(v.Gateway)
		if err != nil {
			s.broken = err
			return
		}
		s.got = append(s.got, "gateway "+v.Gateway)
		s.broken = h.SetGateway(via, reason)
	}
}
