package esp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// maxAcquires bounds the negotiations that may be under way at one time.
const maxAcquires = 16384

// acquireKey is what one negotiation is for.
type acquireKey struct {
	policyID int
	src, dst netip.Addr
}

// heldPacket waits for an SA.
type heldPacket struct {
	acquire uint64
	flow    ipsec.Flow
	rule    string
	packet  []byte
}

// holds are the negotiations under way and the packets that wait for them. Only
// the last packet for each destination waits (TechNet cc740034): with two
// negotiations towards one destination that is one packet, not two.
type holds struct {
	last   uint64 // ID given out
	byKey  map[acquireKey]uint64
	byID   map[uint64]acquireKey
	packet map[netip.Addr]heldPacket
}

func newHolds() holds {
	return holds{byKey: map[acquireKey]uint64{}, byID: map[uint64]acquireKey{}, packet: map[netip.Addr]heldPacket{}}
}

// end forgets a negotiation and returns the packet that still waits for it.
func (h *holds) end(id uint64) (heldPacket, bool) {
	key, ok := h.byID[id]
	if !ok {
		return heldPacket{}, false
	}
	delete(h.byID, id)
	delete(h.byKey, key)
	w, ok := h.packet[key.dst]
	if !ok || w.acquire != id {
		return heldPacket{}, false
	}
	delete(h.packet, key.dst)
	return w, true
}

// hold keeps a packet until there is an SA for it, and asks for one if that has
// not been done. false: too many negotiations are under way.
func (p *Pipeline) hold(e *ipsec.Policy, f ipsec.Flow, packet []byte) bool {
	key := acquireKey{e.ID, f.Src, f.Dst}
	id, ok := p.holds.byKey[key]
	if !ok {
		if len(p.holds.byID) >= maxAcquires {
			return false
		}
		p.holds.last++
		id = p.holds.last
		p.holds.byKey[key], p.holds.byID[id] = id, key
		p.acquire(id, e, f)
	}
	if old, ok := p.holds.packet[f.Dst]; ok {
		p.counters.HeldDiscarded++
		p.dropped("ipsec outbound", old.flow.String(), "a later packet to the same destination took its place in waiting for an SA", old.rule)
	}
	p.holds.packet[f.Dst] = heldPacket{id, f, e.Rule, slices.Clone(packet)}
	return true
}

func (p *Pipeline) acquire(id uint64, e *ipsec.Policy, f ipsec.Flow) {
	sel := ipsec.Selector{
		Src: ipsec.Host(f.Src), Dst: ipsec.Host(f.Dst),
		Proto: e.Selector.Proto, SrcPort: e.Selector.SrcPort, DstPort: e.Selector.DstPort,
	}
	p.events.push(EventAcquire{ID: id, Policy: *e, Selector: sel, Local: f.Src, Peer: f.Dst})
	p.cfg.trace(trace.Acquire{ID: id, Selector: sel.String(), Peer: f.Dst.String(), Rule: e.Rule})
}

// Answer tells that the SAs of an acquire have been added. It returns the packets
// that waited, to be sent again through Outbound; none if there are none or the ID
// is not that of an open acquire.
func (p *Pipeline) Answer(now time.Time, acquireID uint64) (held [][]byte) {
	if w, ok := p.holds.end(acquireID); ok {
		held = append(held, w.packet)
	}
	return held
}

// Fail tells that the negotiation of an acquire came to nothing. The packets that
// waited are discarded and counted; the next one of their kind acquires anew.
func (p *Pipeline) Fail(now time.Time, acquireID uint64) (dropped int) {
	w, ok := p.holds.end(acquireID)
	if !ok {
		return 0
	}
	p.counters.HeldDiscarded++
	p.dropped("ipsec outbound", w.flow.String(), "the negotiation of its SA failed", w.rule)
	return 1
}
