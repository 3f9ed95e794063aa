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
	node        string
	addr        netip.Addr
	from, until time.Duration // until is endless while the node has it
}

const endless = time.Duration(1<<63 - 1)

// holders are who had which address when. Addresses change while a scenario runs, and
// what is judged afterwards is judged by those of its time.
type holders []holding

func (hs *holders) add(node string, a netip.Addr, at time.Duration) {
	*hs = append(*hs, holding{node: node, addr: a, from: at, until: endless})
}

func (hs holders) remove(node string, a netip.Addr, at time.Duration) {
	for i := range hs {
		if h := &hs[i]; h.node == node && h.addr == a && h.until == endless {
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
			hs.remove(e.Node, p.Addr(), e.At)
		}
	}
	for _, text := range b.Added {
		if p, err := netip.ParsePrefix(text); err == nil {
			hs.add(e.Node, p.Addr(), e.At)
		}
	}
}

// of are the addresses that a node had at some time from begin to end, in the order
// in which it got them.
func (hs holders) of(node string, begin, end time.Duration) (all []netip.Addr) {
	for _, h := range hs {
		if h.node == node && h.from <= end && h.until >= begin && !slices.Contains(all, h.addr) {
			all = append(all, h.addr)
		}
	}
	return all
}

// holder is who had an address last, at some time from begin to end.
func (hs holders) holder(a netip.Addr, begin, end time.Duration) (node string, ok bool) {
	for _, h := range hs {
		if h.addr == a && h.from <= end && h.until >= begin {
			node, ok = h.node, true
		}
	}
	return node, ok
}

// since is for how long a node has had an address; false: it has it not.
func (hs holders) since(node string, a netip.Addr) (from time.Duration, ok bool) {
	for _, h := range hs {
		if h.node == node && h.addr == a && h.until == endless {
			return h.from, true
		}
	}
	return 0, false
}

// lost is when a node last lost an address of IPv4; false: it never did.
func (hs holders) lost(node string) (at time.Duration, ok bool) {
	for _, h := range hs {
		if h.node == node && h.until != endless && h.addr.Is4() {
			at, ok = max(at, h.until), true
		}
	}
	return at, ok
}

// addrsOf are the addresses of a node at this moment.
func (l *lab) addrsOf(node string) []netip.Addr {
	if h := l.hosts[node]; h != nil {
		return h.Addrs()
	}
	return l.spec.NodeAddrs(node)
}

// nodeOf is the node that a word of a step means: its name, or an address that it had
// at some time from begin to end.
func (l *lab) nodeOf(word string, begin, end time.Duration) (name string, ok bool) {
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
	return l.holders.holder(a, begin, end)
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
	for _, a := range all {
		if slices.ContainsFunc(mine, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			return a, nil
		}
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
