package nat

import (
	"slices"
	"time"
)

// datagram is one of which the box has seen a fragment, by what it was before translation.
type datagram struct {
	expires  time.Duration
	src, dst uint32 // before
	id       uint16
	proto    uint8
	verdict  verdict
	to       endpoints // after
	newID    uint16
	held     [][]byte
	time     links
}

type verdict uint8

const (
	waiting verdict = iota // the first fragment has not come
	passes
	stopped
	mine // for the box itself
)

func (d *datagram) key() key { return key{a: d.src, b: d.dst, ap: d.id, proto: d.proto} }

func datagramKey(p ipv4) key { return key{a: p.src(), b: p.dst(), ap: p.id(), proto: p.proto()} }

// inFragments lets a fragment through a translation. RFC 4787, REQ-14. The first has the
// ports and is translated like a whole packet; the others follow it.
func (t *Table) inFragments(p ipv4, translate func(ipv4) reason) (Result, reason) {
	if t.cfg.Fragments.Mode == NoFragments {
		return Result{}, fragmentsOff
	}
	k := datagramKey(p)
	h := k.hash(&t.seed)
	i := t.datagramIndex.find(h, k)
	if p.later() {
		return t.later(p, i, h)
	}
	was := datagram{src: p.src(), dst: p.dst(), id: k.ap, proto: p.proto()}
	why := translate(p)
	// Anew: what translation did may have taken time from others.
	if i = t.datagramIndex.find(h, k); i == 0 {
		i = t.newDatagram(h, was)
	}
	d := t.datagrams.at(i)
	held := d.held
	t.heldFragments -= len(held)
	d.held = nil
	switch {
	case why.leaves():
		d.verdict = mine
		return Result{Packets: held}, why
	case why != none:
		d.verdict = stopped
		t.counters.Dropped[fragmentStopped] += uint64(len(held))
		return Result{}, why
	}
	d.verdict, d.to, d.newID = passes, endpoints{src: p.src(), dst: p.dst()}, p.id()
	t.released = append(t.released[:0], p)
	for _, f := range held {
		t.follows(ipv4(f), d)
		t.released = append(t.released, f)
	}
	return Result{Packets: t.released}, none
}

// later is a fragment other than the first, of datagram i.
func (t *Table) later(p ipv4, i, h uint32) (Result, reason) {
	c := &t.cfg.Fragments
	if i == 0 {
		if c.Mode == InOrder {
			return Result{}, fragmentEarly
		}
		if t.heldFragments >= c.HoldTotal {
			return Result{}, fragmentsFull
		}
		i = t.newDatagram(h, datagram{src: p.src(), dst: p.dst(), id: p.id(), proto: p.proto()})
	}
	d := t.datagrams.at(i)
	switch d.verdict {
	case mine:
		return Result{}, noMapping
	case stopped:
		return Result{}, fragmentStopped
	case passes:
		t.follows(p, d)
		return t.pass(p), none
	}
	if len(d.held) >= c.HoldEach || t.heldFragments >= c.HoldTotal {
		return Result{}, fragmentsFull
	}
	d.held = append(d.held, slices.Clone(p))
	t.heldFragments++
	t.counters.Held++
	return Result{}, none
}

// follows gives a later fragment the addresses of the first.
func (t *Table) follows(p ipv4, d *datagram) {
	t.rewriteAddrs(p, d.to.src, d.to.dst)
	t.setID(p, d.newID)
}

// newDatagram makes the record of a datagram, in place of the oldest when there are too many.
// Those that are known to pass need none that waits: REQ-14a.
func (t *Table) newDatagram(h uint32, d datagram) uint32 {
	if t.datagrams.live() >= t.cfg.Fragments.Datagrams {
		t.endDatagram(t.datagramTimes.head)
	}
	i, r := t.datagrams.take()
	*r = d
	r.expires = t.now + t.cfg.Fragments.Timeout
	t.until(r.expires)
	t.datagramIndex.add(h, i)
	t.datagramTimes.push(t.links.datagramTime, i)
	return i
}

func (t *Table) endDatagram(i uint32) {
	d := t.datagrams.at(i)
	t.heldFragments -= len(d.held)
	t.counters.Dropped[fragmentLate] += uint64(len(d.held))
	t.datagramIndex.remove(d.key().hash(&t.seed), i)
	t.datagramTimes.remove(t.links.datagramTime, i)
	t.datagrams.give(i)
}
