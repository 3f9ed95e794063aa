package esp

import (
	"container/heap"
	"math"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// limit is a point in the life of an SA, by time, bytes and sequence number
// (RFC 4301, Section 4.4.2.1): the soft one, where a successor is due, or the
// hard one, where the SA ends. Zero fields are no bound.
type limit struct {
	time     time.Time
	bytes    uint64
	sequence uint64
}

// reached reports whether any bound of the limit is.
func (l limit) reached(now time.Time, bytes, sequence uint64) bool {
	return !l.time.IsZero() && !now.Before(l.time) ||
		l.bytes != 0 && bytes >= l.bytes ||
		l.sequence != 0 && sequence >= l.sequence
}

// limits are those of an SA that begins now. last is the last sequence number that it may
// use, used the one before its first.
func limits(p ipsec.SAParams, last, used uint64, r Rekey, now time.Time) (soft, hard limit) {
	bytes := uint64(math.MaxUint64)
	if p.Lifetime.Kilobytes <= math.MaxUint64/1024 {
		bytes = p.Lifetime.Kilobytes * 1024
	}
	hard = limit{bytes: bytes, sequence: last}
	soft = limit{bytes: bytes - lead(bytes/10, p.Initiator), sequence: last - lead((last-used)/10, p.Initiator)}
	if d := p.Lifetime.Duration; d != 0 {
		margin := r.Margin
		if margin == 0 {
			margin = d / 10
		}
		hard.time = now.Add(d)
		soft.time = now.Add(d - lead(min(margin, d/2), p.Initiator))
	}
	return soft, hard
}

// lead is how far the soft limit lies ahead of the hard one: the whole margin for
// the side that started the quick mode, half of it for the other (see Rekey).
func lead[T uint64 | time.Duration](margin T, initiator bool) T {
	if initiator {
		return margin
	}
	return margin / 2
}

// timer is the moment at which an SA reaches a limit, or may have been idle for too long.
type timer struct {
	sa    *sa
	at    time.Time
	kind  timerKind
	order uint64 // breaks ties, so that equal moments come in the order of setting
	index int    // in the heap; −1: not set
}

type timerKind uint8

const (
	softTimer timerKind = iota
	hardTimer
	idleTimer
)

// timers is a heap of them, the next one first.
type timers struct {
	heap  []*timer
	order uint64
}

func (h *timers) Len() int { return len(h.heap) }

func (h *timers) Less(i, j int) bool {
	a, b := h.heap[i], h.heap[j]
	if !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	}
	return a.order < b.order
}

func (h *timers) Swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].index, h.heap[j].index = i, j
}

// Push is for package heap.
func (h *timers) Push(x any) {
	t := x.(*timer)
	t.index = len(h.heap)
	h.heap = append(h.heap, t)
}

// Pop is for package heap.
func (h *timers) Pop() any {
	n := len(h.heap) - 1
	t := h.heap[n]
	h.heap[n] = nil
	h.heap = h.heap[:n]
	t.index = -1
	return t
}

// set arms a timer; the zero time is never.
func (h *timers) set(s *sa, at time.Time, kind timerKind) *timer {
	t := &timer{sa: s, at: at, kind: kind, index: -1}
	if !at.IsZero() {
		h.order++
		t.order = h.order
		heap.Push(h, t)
	}
	return t
}

func (h *timers) stop(t *timer) {
	if t.index >= 0 {
		heap.Remove(h, t.index)
	}
}

// due takes out the next timer that is not after now; nil when there is none.
func (h *timers) due(now time.Time) *timer {
	if len(h.heap) == 0 || h.heap[0].at.After(now) {
		return nil
	}
	return heap.Pop(h).(*timer)
}

// NextDeadline is when Advance should be called next; false: nothing is waiting
// for time to pass.
func (p *Pipeline) NextDeadline() (at time.Time, ok bool) {
	if p.sad.timers.Len() > 0 {
		at, ok = p.sad.timers.heap[0].at, true
	}
	for _, s := range p.softs {
		if end := s.ends(p.cfg.Soft); !ok || end.Before(at) {
			at, ok = end, true
		}
	}
	return at, ok
}

// Advance lets every limit come true that now has reached.
func (p *Pipeline) Advance(now time.Time) {
	for t := p.sad.timers.due(now); t != nil; t = p.sad.timers.due(now) {
		switch t.kind {
		case hardTimer:
			p.expire(t.sa, "expired")
		case softTimer:
			p.soften(t.sa.head(), now)
		case idleTimer:
			p.idle(t.sa, now)
		}
	}
	p.endSofts(now)
}

// settle accounts for the packet that a bundle just carried, with what each of
// its SAs noted, and lets the limits come true that they reached. RFC 4301,
// Section 4.4.2.1: "the bytes to which the IPsec cryptographic algorithm is
// applied", padding included; under AH that is the whole datagram.
func (p *Pipeline) settle(s *sa, now time.Time) {
	s.used = now
	for l := s; l != nil; l = l.inner {
		if l.due == 0 {
			continue // the packet did not get that far
		}
		l.packets++
		l.bytes += uint64(l.due)
		l.due = 0
	}
	if s.Direction == ipsec.Outbound {
		p.soften(s, now)
	} else if s.pair != nil {
		p.soften(s.pair.head(), now)
	}
	if s.ended(now) {
		p.expire(s, "expired")
	}
}

// idle ends an inbound SA, and with it its pair, if nothing has used either for
// Config.Idle. Otherwise it looks again when that may be so.
func (p *Pipeline) idle(s *sa, now time.Time) {
	used := s.used
	if s.pair != nil && s.pair.used.After(used) {
		used = s.pair.used
	}
	if at := used.Add(p.cfg.Idle); now.Before(at) {
		s.idleTimer = p.sad.timers.set(s, at, idleTimer)
		return
	}
	p.expire(s, "idle")
}

// expire ends an SA at its hard limit, and its bundle with it. With an inbound one
// goes the outbound one of the pair: the peer is told that the former is gone, and
// will not keep the other half of the latter. What is on its way under it arrives
// before it is told. An outbound one leaves the inbound one to what the peer has sent.
func (p *Pipeline) expire(s *sa, reason string) {
	var pair *sa
	if s = s.head(); s.Direction == ipsec.Inbound {
		pair = s.pair
	}
	for l := s; l != nil; l = l.inner {
		p.events.push(EventHard{SA: l.params()})
	}
	p.remove(s, reason)
	if pair != nil {
		p.expire(pair, reason)
	}
}

// soften asks for the successor of an outbound bundle and its opposite when the
// soft limit of one of its SAs is reached and it serves traffic that has no newer
// one. s is the outermost SA.
func (p *Pipeline) soften(s *sa, now time.Time) {
	idle, reached := true, false
	for l := s; l != nil; l = l.inner {
		bytes := l.bytes
		idle = idle && l.packets == 0
		if l.pair != nil {
			// A pair whose answers are the bulk ends by them.
			bytes, idle = max(bytes, l.pair.bytes), idle && l.pair.packets == 0
		}
		reached = reached || l.soft.reached(now, bytes, l.sequence)
	}
	if s.softened || s.gone || idle && !p.cfg.Rekey.Idle || !reached || p.sad.replaced(s) {
		return
	}
	e := p.out.serves(s.SAParams)
	if e == nil {
		return
	}
	s.softened = true
	p.events.push(EventSoft{SA: s.params(), Policy: *e})
}
