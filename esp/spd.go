package esp

import (
	"slices"

	"github.com/ipseclab/ipseclab/internal/classifier"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// spd is the ordered policy of one direction (RFC 4301, Section 4.4.1): the first
// entry that selects a packet decides. A short policy is walked, a long one is
// searched by the shapes of its selectors unless they have many, see package classifier;
// both say the same.
type spd struct {
	entries []ipsec.Policy
	search  *classifier.Index // nil: walk

	// Made when first asked for.
	between *classifier.Index // with search: by addresses alone, for fragments
	byID    map[int]int32     // of more than walked entries
}

// A walk is as fast as a search, or faster, through policies of up to walked entries,
// and through those with fewer than perShape entries for each shape: see
// BenchmarkShortPolicy and BenchmarkPolicySearch.
const walked, perShape = 16, 3

func newSPD(entries []ipsec.Policy) spd {
	entries = slices.Clone(entries)
	if len(entries) > walked {
		if s := searching(entries); len(entries) >= perShape*s.search.Shapes() {
			return s
		}
	}
	return spd{entries: entries}
}

func searching(entries []ipsec.Policy) spd {
	return spd{entries: entries, search: classifier.New(len(entries), selectors(entries))}
}

func selectors(entries []ipsec.Policy) func(int) *ipsec.Selector {
	return func(i int) *ipsec.Selector { return &entries[i].Selector }
}

// lookup is the first entry that selects the flow; nil when none does.
func (s *spd) lookup(f *ipsec.Flow) *ipsec.Policy {
	if s.search != nil {
		return s.entry(s.search.First(f))
	}
	for i := range s.entries {
		if s.entries[i].Selector.Matches(f) {
			return &s.entries[i]
		}
	}
	return nil
}

// entry is one of the list; nil for −1.
func (s *spd) entry(i int) *ipsec.Policy {
	if i < 0 {
		return nil
	}
	return &s.entries[i]
}

// candidates are the entries of which one decides about the datagram that a
// non-first fragment belongs to, in order. Each entry up to the first that leaves
// open what the fragment hides may be the one: ports, and the protocol of an IPv6
// fragment that goes on with extension headers. An entry for ICMP types is never
// it: what such entries are for, neighbour discovery, is not fragmented (RFC 6980,
// Section 5). nil stands for no match at all.
//
// Of a long policy, the entries between the two addresses are looked at, those that
// name other addresses are not.
func (s *spd) candidates(f ipsec.Flow) []*ipsec.Policy {
	var found []*ipsec.Policy
	if s.search == nil {
		for i := range s.entries {
			if may, open := concerns(&s.entries[i].Selector, &f); may {
				found = append(found, &s.entries[i])
				if open {
					return found
				}
			}
		}
		return append(found, nil)
	}
	// The fragment, which shows no ports, is matched by the first entry that leaves
	// open what it hides.
	limit, last := len(s.entries), s.search.First(&f)
	if last >= 0 {
		limit = last
	}
	if f.Proto == ipsec.ProtoAny || ipsec.HasPorts(f.Proto) {
		if s.between == nil {
			s.between = classifier.Addresses(len(s.entries), selectors(s.entries))
		}
		for _, i := range s.between.All(&f, limit) {
			if may, _ := concerns(&s.entries[i].Selector, &f); may {
				found = append(found, &s.entries[i])
			}
		}
	}
	return append(found, s.entry(last))
}

// concerns reports whether an entry with the selector may decide about the datagram
// of a fragment; open, whether it does so whatever the fragment hides.
func concerns(selector *ipsec.Selector, f *ipsec.Flow) (may, open bool) {
	sel, opaque := *selector, f.Proto == ipsec.ProtoAny
	open = sel.SrcPort == 0 && sel.DstPort == 0
	sel.SrcPort, sel.DstPort = 0, 0
	if opaque {
		open = open && sel.Proto == ipsec.ProtoAny
		sel.Proto = ipsec.ProtoAny
	}
	return sel.Matches(f) && (open || opaque || ipsec.HasPorts(f.Proto)), open
}

// numbered is the entry with an ID; nil when there is none.
func (s *spd) numbered(id int) *ipsec.Policy {
	if len(s.entries) <= walked {
		return s.entry(slices.IndexFunc(s.entries, func(e ipsec.Policy) bool { return e.ID == id }))
	}
	if s.byID == nil {
		s.byID = make(map[int]int32, len(s.entries))
		for i := len(s.entries) - 1; i >= 0; i-- {
			s.byID[s.entries[i].ID] = int32(i)
		}
	}
	if i, ok := s.byID[id]; ok {
		return &s.entries[i]
	}
	return nil
}

// serves finds the entry whose traffic an SA carries: the one that asked for it,
// or for an SA that the peer asked for, the one that decides about the SA's
// traffic. nil when the policy no longer has one.
func (s *spd) serves(sa ipsec.SAParams) *ipsec.Policy {
	var e *ipsec.Policy
	if sa.PolicyID != 0 {
		e = s.numbered(sa.PolicyID)
	} else {
		f := ipsec.Flow{Src: sa.Src, Dst: sa.Dst, Proto: sa.Selector.Proto, SrcPort: sa.Selector.SrcPort, DstPort: sa.Selector.DstPort}
		if sa.Mode == ipsec.Tunnel {
			f.Src, f.Dst = sa.Selector.Src.Addr(), sa.Selector.Dst.Addr()
		}
		e = s.lookup(&f)
	}
	if e == nil || e.Action != ipsec.Protect {
		return nil
	}
	return e
}
