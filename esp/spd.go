package esp

import (
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// spd is the ordered policy of one direction (RFC 4301, Section 4.4.1). How it
// searches is its own affair.
type spd struct{ entries []ipsec.Policy }

func newSPD(entries []ipsec.Policy) spd { return spd{slices.Clone(entries)} }

// lookup is the first entry that selects the flow; nil when none does.
func (s *spd) lookup(f *ipsec.Flow) *ipsec.Policy {
	for i := range s.entries {
		if s.entries[i].Selector.Matches(f) {
			return &s.entries[i]
		}
	}
	return nil
}

// candidates are the entries of which one decides about the datagram that a
// non-first fragment belongs to, in order. Each entry up to the first that leaves
// open what the fragment hides may be the one: ports, and the protocol of an IPv6
// fragment that goes on with extension headers. An entry for ICMP types is never
// it: what such entries are for, neighbour discovery, is not fragmented (RFC 6980,
// Section 5). nil stands for no match at all.
func (s *spd) candidates(f ipsec.Flow) []*ipsec.Policy {
	var found []*ipsec.Policy
	opaque := f.Proto == ipsec.ProtoAny
	for i := range s.entries {
		sel := s.entries[i].Selector
		open := sel.SrcPort == 0 && sel.DstPort == 0
		sel.SrcPort, sel.DstPort = 0, 0
		if opaque {
			open = open && sel.Proto == ipsec.ProtoAny
			sel.Proto = ipsec.ProtoAny
		}
		if !sel.Matches(&f) || !open && !opaque && !ipsec.HasPorts(f.Proto) {
			continue
		}
		found = append(found, &s.entries[i])
		if open {
			return found
		}
	}
	return append(found, nil)
}

// numbered is the entry with an ID; nil when there is none.
func (s *spd) numbered(id int) *ipsec.Policy {
	for i := range s.entries {
		if s.entries[i].ID == id {
			return &s.entries[i]
		}
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
