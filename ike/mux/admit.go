package mux

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
)

// Main modes that peers have started and not finished, in two pools of
// Config.HalfOpenLimit each.
//
// Opened are those of which no more than message 1 has come. Its source proves
// nothing, so that a newcomer always gets in, and what makes room for it is the
// oldest of its own address, where that has Config.HalfOpenPerSource of them, or else
// the oldest of all: a flood cannot keep out a peer that answers sooner than the pool
// goes round, nor one whose address it forges.
//
// Returned are those whose peer has sent back our cookie: it receives what we send
// to its address. They are never given up for a newcomer of the other pool. An address
// has Config.HalfOpenPerSource of them, its oldest going first; where the pool is
// full, the oldest of the address that has the most goes. Of an address, it is that of the port that has the most.
type admission struct {
	opened, returned pool
}

// pool is a bounded list of unfinished main modes, oldest first.
type pool []*entry

// of counts those of an address.
func (p pool) of(source netip.Addr) (n int) {
	for _, e := range p {
		if e.source == source {
			n++
		}
	}
	return n
}

// oldest is the oldest one of an address, of the port there that has the most: behind a NAT each computer has its own.
func (p pool) oldest(source netip.Addr) *entry {
	counts := map[uint16]int{}
	var first *entry
	for _, e := range p {
		if e.source == source {
			counts[e.sa.Remote().Port()]++
		}
	}
	for _, e := range p {
		if e.source == source && (first == nil || counts[e.sa.Remote().Port()] > counts[first.sa.Remote().Port()]) {
			first = e
		}
	}
	return first
}

// busiest is the address that has the most, of several the one that is there the longest.
func (p pool) busiest() (source netip.Addr) {
	counts, most := map[netip.Addr]int{}, 0
	for _, e := range p {
		counts[e.source]++
	}
	for _, e := range p {
		if n := counts[e.source]; n > most {
			source, most = e.source, n
		}
	}
	return source
}

func (p *pool) remove(e *entry) {
	if i := slices.Index(*p, e); i >= 0 {
		*p = slices.Delete(*p, i, i+1)
	}
}

// admit brings the pools up to date with what has become of e, and evicts others where they are full.
func (m *Mux) admit(now time.Time, e *entry) {
	was := e.pool
	switch {
	case e.removed || e.sa.Initiator() || e.established != 0 || e.sa.Dead():
		e.pool = nil
	case e.sa.Opened():
		e.pool = &m.halfOpen.opened
	default:
		e.pool = &m.halfOpen.returned
	}
	if e.pool == was {
		return
	}
	if was != nil {
		was.remove(e)
	}
	if e.pool == nil {
		return
	}
	for m.full(e) {
		m.evict(now, m.victim(e))
	}
	*e.pool = append(*e.pool, e)
}

// full reports whether another one has to go before e comes into its pool.
func (m *Mux) full(e *entry) bool {
	return len(*e.pool) >= m.config.HalfOpenLimit() || e.pool.of(e.source) >= m.config.SourceLimit()
}

// victim is the one that goes for e.
func (m *Mux) victim(e *entry) *entry {
	switch p := *e.pool; {
	case p.of(e.source) >= m.config.SourceLimit():
		return p.oldest(e.source)
	case e.pool == &m.halfOpen.opened:
		return p[0]
	default:
		return p.oldest(p.busiest())
	}
}

// evict gives up an unfinished main mode. The peer is not told: it may not be there.
func (m *Mux) evict(now time.Time, e *entry) {
	e.sa.Kill(now, "deleted", ike.Errorf(ike.CodeProcessing, 0, "given up unfinished, for a newer one: there are too many"), false)
	m.after(now, e)
}
