package policy

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/classifier"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// indexed is the number of filters from which a policy has an index. Shorter ones
// are walked, which takes a few microseconds.
const indexed = 64

// index finds in long policies what is asked of them, at a cost that does not grow
// with the number of filters: see package classifier.
type index struct {
	spd     map[ipsec.Direction]*classifier.Index // of the entries in force when the policy was compiled
	main    []*specific                           // those that need main modes between the ends of their packets, in search order
	between *classifier.Index                     // of main, by address
	ending  map[netip.Addr]*specific              // the first whose tunnel ends here, by the address that it ends at
	tunnels map[netip.Addr]*specific              // the first whose tunnel ends elsewhere, by that address
}

// newIndex is for a policy that has been plumbed.
func (c *Compiled) newIndex() *index {
	x := &index{spd: map[ipsec.Direction]*classifier.Index{}, ending: map[netip.Addr]*specific{}, tunnels: map[netip.Addr]*specific{}}
	for _, d := range []ipsec.Direction{ipsec.Outbound, ipsec.Inbound} {
		entries := c.entries(d)
		x.spd[d] = classifier.New(len(entries), func(i int) *ipsec.Selector { return &entries[i].Selector })
	}
	for _, s := range c.all {
		switch {
		case !c.needsMainMode(s):
		case !s.tunnel.IsValid():
			x.main = append(x.main, s)
		case s.ending && s.begins.IsValid(): // the rule for the other direction is the one
		case s.ending:
			first(x.ending, s)
		default:
			first(x.tunnels, s)
		}
	}
	x.between = classifier.Addresses(len(x.main), func(i int) *ipsec.Selector { return &x.main[i].selector })
	return x
}

// needsMainMode reports whether key exchange for a filter is this host's affair.
func (c *Compiled) needsMainMode(s *specific) bool { return s.kind == Negotiate && c.why[s] == "" }

// first keeps of filters with tunnels to one end the first.
func first(by map[netip.Addr]*specific, s *specific) {
	if by[s.tunnel] == nil {
		by[s.tunnel] = s
	}
}

// negotiating is the filter whose rule a main mode between two addresses is for: the
// first in search order that sends from one to the other, or through a tunnel to the
// remote one. A tunnel that ends at the local one, of which no rule says where it begins,
// is anybody's, and comes last. nil: none.
func (c *Compiled) negotiating(local, remote netip.Addr) *specific {
	if c.index == nil {
		var ending *specific
		for _, s := range c.all {
			switch {
			case !c.needsMainMode(s):
			case s.ending && ending == nil && s.tunnel == local && !s.begins.IsValid():
				ending = s
			case !s.ending && s.concerns(local, remote):
				return s
			}
		}
		return ending
	}
	x := c.index
	there := ipsec.Flow{Src: local, Dst: remote}
	back := there.Reverse()
	found := x.tunnels[remote]
	for _, i := range []int{x.between.First(&there), x.between.First(&back)} {
		if i < 0 {
			continue
		}
		if found == nil {
			found = x.main[i]
		} else if order, _ := before(x.main[i], found, c.ties); order < 0 {
			found = x.main[i]
		}
	}
	if found == nil {
		found = x.ending[local]
	}
	return found
}

// Entry is the first SPD entry of a direction that matches a packet; nil when none
// does, and the packet passes.
func (c *Compiled) Entry(d ipsec.Direction, f *ipsec.Flow) *ipsec.Policy {
	return c.search(d, func(x *classifier.Index) int { return x.First(f) }, func(s *ipsec.Selector) bool { return s.Matches(f) })
}

// deciding finds the first entry that holds all of a selector; nil when none does.
func (c *Compiled) deciding(d ipsec.Direction, s ipsec.Selector) *ipsec.Policy {
	return c.search(d, func(x *classifier.Index) int { return x.Holding(&s) }, func(outer *ipsec.Selector) bool { return classifier.Holds(outer, &s) })
}

// search goes through the entries that the index has, then those that came later: dynamic filters.
func (c *Compiled) search(d ipsec.Direction, indexed func(*classifier.Index) int, match func(*ipsec.Selector) bool) *ipsec.Policy {
	entries := c.entries(d)
	if c.index != nil {
		x := c.index.spd[d]
		if i := indexed(x); i >= 0 {
			return &entries[i]
		}
		entries = entries[x.Len():]
	}
	for i := range entries {
		if match(&entries[i].Selector) {
			return &entries[i]
		}
	}
	return nil
}
