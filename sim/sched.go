package sim

import (
	"math"
	"time"
)

// forever is a time that never comes.
const forever = math.MaxInt64

// event is one thing that is going to happen: fn is called, or frame arrives at port.
type event struct {
	at    int64  // nanoseconds since the start
	seq   uint64 // order among events of one time
	place int    // in the queue, from 1; 0: not in it
	owner Owner
	fn    func()
	port  *Port
	frame delivery
	once  bool // nobody keeps the event: it can be used again
}

// run executes the event on the loop.
func (e *event) run() {
	if e.port != nil {
		e.port.arrive(&e.frame)
	} else {
		e.fn()
	}
	if e.owner != nil {
		e.owner.Settle()
	}
}

// queue is a heap of events in the order of (at, seq). Its nodes have four
// children and carry the keys, which halves the depth and spares the chase of
// pointers. The place kept in each event lets a timer leave from the middle.
type queue struct {
	heap []entry
	seq  uint64
}

type entry struct {
	at  int64
	seq uint64
	e   *event
}

func (a *entry) before(b *entry) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

const children = 4

// first is the event that comes next, still in the queue; nil if there is none.
func (q *queue) first() *event {
	if len(q.heap) == 0 {
		return nil
	}
	return q.heap[0].e
}

// add puts in an event that is not in the queue, behind all others of its time.
func (q *queue) add(e *event) {
	q.seq++
	e.seq = q.seq
	q.heap = append(q.heap, entry{e.at, e.seq, e})
	q.up(len(q.heap)-1, q.heap[len(q.heap)-1])
}

// remove takes out an event and reports whether it was in.
func (q *queue) remove(e *event) bool {
	if e.place == 0 {
		return false
	}
	i, n := e.place-1, len(q.heap)-1
	e.place = 0
	last := q.heap[n]
	q.heap[n] = entry{}
	q.heap = q.heap[:n]
	switch {
	case i == n:
	case i > 0 && last.before(&q.heap[(i-1)/children]):
		q.up(i, last)
	default:
		q.down(i, last)
	}
	return true
}

// clear takes out all events.
func (q *queue) clear() {
	for _, x := range q.heap {
		x.e.place = 0
	}
	q.heap = nil
}

// up moves the hole at i towards the root until x fits in.
func (q *queue) up(i int, x entry) {
	for i > 0 {
		parent := (i - 1) / children
		if !x.before(&q.heap[parent]) {
			break
		}
		q.set(i, q.heap[parent])
		i = parent
	}
	q.set(i, x)
}

// down moves the hole at i towards the leaves until x fits in.
func (q *queue) down(i int, x entry) {
	for {
		c := children*i + 1
		if c >= len(q.heap) {
			break
		}
		least := c
		for c++; c < min(children*(i+1)+1, len(q.heap)); c++ {
			if q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(&x) {
			break
		}
		q.set(i, q.heap[least])
		i = least
	}
	q.set(i, x)
}

func (q *queue) set(i int, x entry) {
	q.heap[i] = x
	x.e.place = i + 1
}

// scheduleLocked puts e into the queue at the time at, or at once when that has passed.
// In a closed world nothing is scheduled any more. w.mu is held.
func (w *World) scheduleLocked(e *event, at int64) {
	if w.closed {
		return
	}
	e.at = max(at, w.now.Load())
	w.queue.add(e)
}

// onceLocked is an empty event that nobody will stop or set again. w.mu is held.
func (w *World) onceLocked() *event {
	n := len(w.free) - 1
	if n < 0 {
		return &event{once: true}
	}
	e := w.free[n]
	w.free = w.free[:n]
	return e
}

// Soon has f called as an event of o, which may be nil, at the present time, behind
// all that are scheduled for it already.
func (w *World) Soon(o Owner, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.onceLocked()
	e.owner, e.fn = o, f
	w.scheduleLocked(e, w.now.Load())
}

// later is d after t, and forever when that is more than an int64 holds.
func later(t int64, d time.Duration) int64 {
	if d <= 0 {
		return t
	}
	if t > forever-int64(d) {
		return forever
	}
	return t + int64(d)
}

// Timer is an event that can be stopped and set again. It is a tcpip.Timer.
type Timer struct {
	w *World
	event
}

// After has f called as an event of o, which may be nil, when d has passed. A
// negative d counts as 0; f never runs inside After. The Timer may be ignored.
func (w *World) After(o Owner, d time.Duration, f func()) *Timer {
	t := &Timer{w: w, event: event{owner: o, fn: f}}
	w.mu.Lock()
	w.scheduleLocked(&t.event, later(w.now.Load(), d))
	w.mu.Unlock()
	return t
}

// Stop keeps the timer from firing. It reports whether it did so: false means
// that the timer has fired or was stopped before.
func (t *Timer) Stop() bool {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.queue.remove(&t.event)
}

// Reset sets the timer to fire when d has passed from now, whether it is still
// to fire, has fired or was stopped. Among events of one time it is the last.
func (t *Timer) Reset(d time.Duration) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	t.w.queue.remove(&t.event)
	t.w.scheduleLocked(&t.event, later(t.w.now.Load(), d))
}
