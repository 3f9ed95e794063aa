package sim

import "context"

// injectQueue is how many functions may wait for the loop of RunWall.
const injectQueue = 1024

// RunWall runs events at the pace of the machine's clock, from the present
// virtual time on, and functions given to Inject as they come. It is for worlds
// with something real attached; their runs do not repeat. Virtual time is the
// wall's: while a late event runs, Now is later than the time it was meant for.
//
// RunWall ends when stop says so, which is asked first and after each event and
// injected function, and with ctx.Err() when ctx ends. It does not end for want of
// events: the outside may still inject some.
func (w *World) RunWall(ctx context.Context, stop func() bool) error {
	if err := w.enter("RunWall"); err != nil {
		return err
	}
	defer w.leave()
	clock := startWallClock(w.Now())
	defer clock.stop()
	for stop == nil || !stop() {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := clock.now()
		w.advance(now)
		select { // the outside comes first, or a busy world would shut it out
		case f := <-w.inject:
			f()
			continue
		default:
		}
		e, ok, err := w.next(now)
		if err != nil {
			return err
		}
		if ok {
			e.run()
			continue
		}
		select {
		case f := <-w.inject:
			w.advance(clock.now())
			f()
		case <-clock.at(w.nextTime()):
		case <-ctx.Done():
		}
	}
	return nil
}

// nextTime is when the first event is due.
func (w *World) nextTime() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.queue.first(); e != nil {
		return e.at
	}
	return forever
}

// Inject has f called on the loop of RunWall, from where it may send frames,
// schedule and wake; it belongs to no Owner, so what a host has to settle goes
// through After. Inject may be called from any goroutine but the loop's own, which
// uses After. When 1024 functions wait, Inject waits too, so that the outside is
// slowed down instead of filling memory; f of a closed world is dropped.
func (w *World) Inject(f func()) {
	select {
	case w.inject <- f:
	case <-w.done:
	}
}
