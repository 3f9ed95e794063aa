package swan

import (
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// The kernel takes the policy with the lowest priority number. Without a fixed one kernel-netlink
// reckons it: a base, less 512 for each bit of both prefixes, 256 for a protocol and 4 for each bit of a
// port, and one less for an SA than for the trap of the same packets. The SAs that come of
// a trap are often for fewer packets than the trap, and have to go before it, so that children
// keep their reckoned priorities and must already be in the order of the policy. Shunts, of which
// nothing comes, are given a number between those of the children that go before and after them.
const (
	priorityBase  = 400_000 // of what is protected
	prioritySteps = 512
	priorityProto = 256
	priorityPort  = 16 * 4
)

// priority is what kernel-netlink reckons for the trap of a selector.
func priority(s ipsec.Selector) uint32 {
	p := uint32(priorityBase)
	p -= uint32(s.Src.Bits()+s.Dst.Bits()) * prioritySteps
	if s.Proto != ipsec.ProtoAny {
		p -= priorityProto
	}
	for _, port := range []uint16{s.SrcPort, s.DstPort} {
		if port != 0 {
			p -= priorityPort
		}
	}
	return p
}

// placed is a child or a shunt where the search finds it.
type placed struct {
	name     string
	order    int
	selector ipsec.Selector
	shunt    *peerconf.Shunt
	child    *peerconf.Child
}

// priorities are the numbers of the shunts that need one, by name. The error says which order cannot be had.
func priorities(c *peerconf.Config, k Kind) (map[string]uint32, error) {
	children, shunts := inOrder(c)
	for i, a := range children {
		for _, b := range children[i+1:] {
			if a.order == b.order || !overlap(a.selector, b.selector) || same(a.child, b.child) {
				continue
			}
			first, second := a, b
			if second.order < first.order {
				first, second = second, first
			}
			if priority(first.selector) >= priority(second.selector) {
				return nil, &peerconf.Unsupported{
					What: fmt.Sprintf("rule %s goes before rule %s", first.name, second.name),
					Why:  "charon orders what it protects by the sizes of selectors, and would put them the other way round",
				}
			}
		}
	}
	numbers := map[string]uint32{}
	for i, s := range shunts {
		low, high := uint32(0), uint32(priorityBase*2)
		for _, ch := range children {
			both, ok := intersect(s.selector, ch.selector)
			switch {
			case !ok:
			case k.Userspace():
				return nil, &peerconf.Unsupported{
					What: fmt.Sprintf("%s and %s, which are for some of the same packets", s.name, ch.name),
					Why:  "kernel-libipsec has no policies that pass or drop",
				}
			case ch.order < s.order:
				low = max(low, priority(ch.selector))
			default:
				high = min(high, priority(narrowest(both, ch.child))-1)
			}
		}
		if k.Userspace() {
			if s.shunt.Drop {
				return nil, &peerconf.Unsupported{What: "rule " + s.name + " blocks", Why: "kernel-libipsec drops nothing: take a driver with the kernel's IPsec"}
			}
			continue
		}
		for _, earlier := range shunts[:i] {
			if overlap(earlier.selector, s.selector) {
				low = max(low, numbers[earlier.name])
			}
		}
		if low+1 >= high {
			return nil, &peerconf.Unsupported{
				What: fmt.Sprintf("the place of rule %s among those that protect", s.name),
				Why:  "no priority of the kernel's policies is behind those before it and before those behind it",
			}
		}
		numbers[s.name] = low + 1
	}
	return numbers, nil
}

// inOrder are the children that packets are matched with, and the shunts, in the order of the search.
func inOrder(c *peerconf.Config) (children, shunts []placed) {
	for i := range c.Connections {
		conn := &c.Connections[i]
		for j := range conn.Children {
			ch := &conn.Children[j]
			if ch.Start == peerconf.Trap {
				children = append(children, placed{name: ch.Name, order: ch.Order, selector: ch.Selector(conn), child: ch})
			}
		}
	}
	for i := range c.Shunts {
		s := &c.Shunts[i]
		shunts = append(shunts, placed{name: s.Name, order: s.Order, selector: s.Selector(), shunt: s})
	}
	return children, shunts
}

// same reports whether it makes no difference which of two children protects a packet.
func same(a, b *peerconf.Child) bool {
	if a.Mode != b.Mode || a.PFSGroup != b.PFSGroup || len(a.Proposals) != len(b.Proposals) || a.Mode == ipsec.Tunnel {
		return false
	}
	for i := range a.Proposals {
		if a.Proposals[i].String() != b.Proposals[i].String() {
			return false
		}
	}
	return true
}

// narrowest is the smallest selector of an SA that comes of a child for some packets: in transport mode it
// is between two hosts.
func narrowest(s ipsec.Selector, c *peerconf.Child) ipsec.Selector {
	if c.Mode == ipsec.Transport {
		s.Src, s.Dst = ipsec.Host(s.Src.Addr()), ipsec.Host(s.Dst.Addr())
	}
	return s
}

func overlap(a, b ipsec.Selector) bool {
	_, ok := intersect(a, b)
	return ok
}

// intersect is what both selectors hold.
func intersect(a, b ipsec.Selector) (both ipsec.Selector, ok bool) {
	prefix := func(a, b netip.Prefix) (netip.Prefix, bool) {
		switch {
		case !a.IsValid():
			return b, true
		case !b.IsValid():
			return a, true
		case !a.Overlaps(b):
			return netip.Prefix{}, false
		case a.Bits() > b.Bits():
			return a, true
		}
		return b, true
	}
	number := func(a, b uint16) (uint16, bool) { return max(a, b), a == 0 || b == 0 || a == b }
	var oks [5]bool
	var proto uint16
	both.Src, oks[0] = prefix(a.Src, b.Src)
	both.Dst, oks[1] = prefix(a.Dst, b.Dst)
	proto, oks[2] = number(uint16(a.Proto), uint16(b.Proto))
	both.SrcPort, oks[3] = number(a.SrcPort, b.SrcPort)
	both.DstPort, oks[4] = number(a.DstPort, b.DstPort)
	both.Proto = uint8(proto)
	if a.ICMP != (ipsec.ICMPTypes{}) && b.ICMP != (ipsec.ICMPTypes{}) && a.ICMP != b.ICMP {
		return both, false
	}
	return both, oks == [5]bool{true, true, true, true, true}
}
