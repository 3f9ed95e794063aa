package esp

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// maxAcquires bounds the negotiations that may be under way at one time, and the
// packets that may wait for them.
const maxAcquires = 16384

// acquireKey is what one negotiation is for. That for a tunnel has the far end as
// its destination: its SAs serve all packets of the entry that are of one family,
// for which the unspecified address stands as the source.
type acquireKey struct {
	policyID int
	src, dst netip.Addr
}

// acquire is a negotiation under way.
type acquire struct {
	key          acquireKey
	rule         string
	fallBack     bool                    // a soft SA may end it
	destinations map[netip.Addr]struct{} // of packets that wait for it, or did
}

// heldPacket waits for an SA.
type heldPacket struct {
	acquire uint64
	order   uint64 // of arrival
	flow    ipsec.Flow
	rule    string
	packet  []byte
}

// holds are the negotiations under way and the packets that wait for them. Only
// the last packet for each destination waits (TechNet cc740034): with two
// negotiations towards one destination that is one packet, not two.
type holds struct {
	last   uint64 // ID given out
	order  uint64 // of the last packet
	byKey  map[acquireKey]uint64
	byID   map[uint64]*acquire
	packet map[netip.Addr]heldPacket // by destination
}

func newHolds() holds {
	return holds{byKey: map[acquireKey]uint64{}, byID: map[uint64]*acquire{}, packet: map[netip.Addr]heldPacket{}}
}

// end forgets a negotiation and returns the packets that still wait for it, in
// the order in which they came.
func (h *holds) end(id uint64) (waiting []heldPacket) {
	a, ok := h.byID[id]
	if !ok {
		return nil
	}
	delete(h.byID, id)
	delete(h.byKey, a.key)
	for _, dst := range slices.SortedFunc(maps.Keys(a.destinations), netip.Addr.Compare) {
		if w, ok := h.packet[dst]; ok && w.acquire == id {
			waiting = append(waiting, w)
			delete(h.packet, dst)
		}
	}
	slices.SortFunc(waiting, func(a, b heldPacket) int { return cmp.Compare(a.order, b.order) })
	return waiting
}

// hold keeps a packet until there is an SA for it, and asks for one if that has
// not been done. false: too many negotiations or packets are under way.
func (p *Pipeline) hold(e *ipsec.Policy, f ipsec.Flow, packet []byte) bool {
	h := &p.holds
	old, displaces := h.packet[f.Dst]
	if !displaces && len(h.packet) >= maxAcquires {
		return false
	}
	id, ok := p.acquire(e, f)
	if !ok {
		return false
	}
	if displaces {
		p.counters.HeldDiscarded++
		p.dropped("ipsec outbound", old.flow.String(), "a later packet to the same destination took its place in waiting for an SA", old.rule)
	}
	h.order++
	h.packet[f.Dst] = heldPacket{id, h.order, f, e.Rule, slices.Clone(packet)}
	h.byID[id].destinations[f.Dst] = struct{}{}
	return true
}

// acquire asks for an SA, if that has not been done, and gives the number of the
// negotiation. false: too many are under way.
func (p *Pipeline) acquire(e *ipsec.Policy, f ipsec.Flow) (id uint64, ok bool) {
	h := &p.holds
	key := acquireFor(e, f)
	if id, ok = h.byKey[key]; ok {
		return id, true
	}
	if len(h.byID) >= maxAcquires {
		return 0, false
	}
	h.last++
	id = h.last
	h.byKey[key], h.byID[id] = id, &acquire{key, e.Rule, e.FallBack, map[netip.Addr]struct{}{}}
	event := EventAcquire{ID: id, Policy: *e, Selector: tunnelSelector(e.Selector, f), Local: e.Local, Peer: e.Peer}
	if !e.Peer.IsValid() {
		event.Selector.Src, event.Selector.Dst = ipsec.Host(f.Src), ipsec.Host(f.Dst)
		event.Local, event.Peer = f.Src, f.Dst
	}
	p.events.push(event)
	p.cfg.trace(trace.Acquire{ID: id, Selector: event.Selector.String(), Peer: event.Peer.String(), Rule: e.Rule})
	return id, true
}

// acquireFor is what a negotiation for a packet is for.
func acquireFor(e *ipsec.Policy, f ipsec.Flow) acquireKey {
	if e.Peer.IsValid() {
		return acquireKey{e.ID, everything(f.Src).Addr(), e.Peer}
	}
	return acquireKey{e.ID, f.Src, f.Dst}
}

// tunnelSelector is what SAs of a tunnel are for: all of an entry's traffic. Where it
// leaves an address open, that is all addresses of the packet's family, as quick mode
// has no name for those of both (RFC 2407, Section 4.6.2.1).
func tunnelSelector(s ipsec.Selector, f ipsec.Flow) ipsec.Selector {
	if s.Src == (netip.Prefix{}) {
		s.Src = everything(f.Src)
	}
	if s.Dst == (netip.Prefix{}) {
		s.Dst = everything(f.Dst)
	}
	return s
}

// everything is all addresses of the family of one.
func everything(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// Acquiring reports whether an acquire is open.
func (p *Pipeline) Acquiring(acquireID uint64) bool { return p.holds.byID[acquireID] != nil }

// AcquiringFor reports whether an acquire of a policy entry is open.
func (p *Pipeline) AcquiringFor(policyID int) bool {
	for k := range p.holds.byKey {
		if k.policyID == policyID {
			return true
		}
	}
	return false
}

// Answer tells that the SAs of an acquire have been added. It returns the packets
// that waited, to be sent again through Outbound; none if there are none or the ID
// is not that of an open acquire.
func (p *Pipeline) Answer(now time.Time, acquireID uint64) (held [][]byte) {
	for _, w := range p.holds.end(acquireID) {
		held = append(held, w.packet)
	}
	return held
}

// Fail tells that the negotiation of an acquire came to nothing. The packets that
// waited are discarded and counted; the next one of their kind acquires anew.
func (p *Pipeline) Fail(now time.Time, acquireID uint64) (dropped int) {
	waiting := p.holds.end(acquireID)
	for _, w := range waiting {
		p.counters.HeldDiscarded++
		p.dropped("ipsec outbound", w.flow.String(), "the negotiation of its SA failed", w.rule)
	}
	return len(waiting)
}
