package sim

import (
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"time"
)

// Proc is a coroutine: code that reads as if it blocked, such as a client's
// dialogue, run by the loop a piece at a time. Between two calls of Park or Sleep
// it is one event, and nothing else of the world runs.
//
// Sleep and Park are called by the coroutine's own function only.
type Proc struct {
	w     *World
	owner Owner
	name  string
	next  func() (struct{}, bool)
	end   func()
	yield func(struct{}) bool

	// Guarded by w.mu.
	wake  event // in the queue: a wake is on its way
	place int   // in w.procs
	done  bool
}

// PanicError is what Run panics with when the function of a coroutine panicked.
type PanicError struct {
	Proc  string // the coroutine's name
	Value any    // what it panicked with
	Stack []byte // where
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("sim: coroutine %s panicked: %v\n%s", e.Proc, e.Value, e.Stack)
}

// Unwrap is the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ended unwinds the function of a coroutine that Close ends while it is parked.
type ended struct{}

// Go starts f as a coroutine whose pieces are events of o; the first follows at
// once, not inside Go. The name is for errors. A panic in f surfaces from Run as a
// *PanicError. If f has not returned by the time of Close, its Park or Sleep does
// not return: deferred functions run, and f must not keep on by recovering.
func (w *World) Go(o Owner, name string, f func(*Proc)) *Proc {
	p := &Proc{w: w, owner: o, name: name}
	p.wake = event{owner: o, fn: p.run}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		p.done = true
		return p
	}
	p.next, p.end = iter.Pull(func(yield func(struct{}) bool) {
		defer func() { // Close ends a coroutine by a panic; any other one gets the coroutine's name and stack
			switch r := recover(); r {
			case nil, ended{}:
			default:
				panic(&PanicError{Proc: name, Value: r, Stack: debug.Stack()})
			}
		}()
		p.yield = yield
		f(p)
	})
	p.place = len(w.procs)
	w.procs = append(w.procs, p)
	w.scheduleLocked(&p.wake, w.now.Load())
	return p
}

// run lets the coroutine go on until it parks or ends.
func (p *Proc) run() {
	parked := false
	defer func() { // also when next panics
		if !parked {
			p.finish()
		}
	}()
	_, parked = p.next()
}

// finish takes the coroutine off the world's list.
func (p *Proc) finish() {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.done {
		return
	}
	p.done = true
	w.queue.remove(&p.wake)
	last := len(w.procs) - 1
	w.procs[p.place] = w.procs[last]
	w.procs[p.place].place = p.place
	w.procs[last] = nil
	w.procs = w.procs[:last]
}

// Park waits for a Wake. It may return without the reason that the caller waits
// for, so callers look again and park again.
func (p *Proc) Park() {
	if !p.yield(struct{}{}) {
		panic(ended{})
	}
}

// Wake has the coroutine go on, as an event at the present time. A Wake that comes
// while it runs is kept for its next Park. Several before it runs count as one, and
// a Wake of one that has ended does nothing.
func (p *Proc) Wake() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !p.done && p.wake.place == 0 {
		p.w.scheduleLocked(&p.wake, p.w.now.Load())
	}
}

// Sleep waits until d has passed; with a d of 0 or less it lets other events of
// the present time go first. Wakes do not shorten it: one is kept for the next Park.
func (p *Proc) Sleep(d time.Duration) {
	over, woken := false, false
	p.w.After(p.owner, d, func() { over = true; p.run() })
	for p.Park(); !over; p.Park() {
		woken = true
	}
	if woken {
		p.Wake()
	}
}

// Now is the world's.
func (p *Proc) Now() time.Duration { return p.w.Now() }

// Done reports whether the coroutine has ended.
func (p *Proc) Done() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.done
}

// endProcs ends every coroutine, the last first, and returns what they panicked with.
func (w *World) endProcs() (err error) {
	for {
		w.mu.Lock()
		if len(w.procs) == 0 {
			w.mu.Unlock()
			return err
		}
		p := w.procs[len(w.procs)-1]
		w.mu.Unlock()
		err = errors.Join(err, p.unwind())
	}
}

// unwind ends a parked coroutine.
func (p *Proc) unwind() (err error) {
	defer p.finish()
	defer func() { // what a coroutine does while it is ended must not keep Close from ending the others
		if r := recover(); r != nil {
			err, _ = r.(*PanicError) // nothing else comes out of the coroutine
		}
	}()
	p.end()
	return nil
}
