// Package sim is the world that a scenario runs in: virtual time, one event
// loop, named random streams, and Ethernet segments whose every frame is
// captured and shown to observers.
//
// # The loop
//
// One World has one loop, on the goroutine that calls Run. Whatever happens is
// an event: a timer, a frame arriving at a port, a coroutine going on. Events
// run in the order of their time and, at one time, in the order in which they
// were scheduled. Time stands still while an event runs and jumps to the next
// one, so that eight quiet hours cost nothing. The same Config and the same
// calls give the same events, frames and bytes; worlds share nothing, so many
// may run side by side.
//
// # Owners
//
// An event may belong to an Owner, usually a host, whose Settle the loop calls
// after it. A netstack leaves TCP segments in a queue; Settle is where the host
// has them handled, and so that happens inside the event. An Owner may have
// goroutines do such work if it waits for them there: for their sake all methods
// of World, Port and Timer that schedule, send or record lock what they share.
// Nothing else may call them from another goroutine, or the order of events is no
// longer determined; the way in from outside is Inject.
//
// # What is left out
//
// Ethernet frames are not padded to Ethernet's minimum of 60 bytes and carry no checksum;
// VLAN tags are payload.
package sim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Config describes a World. The zero Config is an unnamed world of seed 0 that
// neither traces nor captures.
type Config struct {
	Name    string     // of the scenario; part of the key of every random stream
	Seed    uint64     // the other part
	Epoch   time.Time  // the date at the start, from 1970 on; zero: DefaultEpoch
	Trace   *trace.Log // nil: off
	Capture io.Writer  // receives a pcapng file, buffered until Close; nil: off

	// InstantLimit is how many events may run without virtual time moving on
	// before Run gives up: something then reschedules itself without delay.
	// 0: 10 million.
	InstantLimit int
}

// DefaultEpoch is the date at which a world starts unless told otherwise: the
// day Windows Server 2003 Service Pack 1 was released.
var DefaultEpoch = time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)

const defaultInstantLimit = 10_000_000

// Owner is what events belong to.
type Owner interface {
	// Settle is called on the loop after each event of the owner, and returns
	// when everything that the event left to be done is done. An
	// Owner with a String or Name method is named so in errors.
	Settle()
}

// World is one simulated network and its time.
type World struct {
	cfg    Config
	now    atomic.Int64  // nanoseconds since the start; only the loop moves it
	inject chan func()   // see Inject
	done   chan struct{} // closed by Close
	taps   serial[Frame]
	traces serial[trace.Event]

	mu       sync.Mutex // guards everything below, segments and ports included
	queue    queue
	free     []*event // to use again
	instant  int64    // the time of the last event
	count    int      // events at that instant
	running  bool
	started  bool // an event has run
	closed   bool
	closeErr error
	procs    []*Proc // that have not ended
	segments []*Segment
	frames   int
	observer []func(Frame)
	file     *bufio.Writer // nil: no capture
	capture  *pcapng.Writer
	err      error // the first error of the capture
}

// New makes a world at time zero, in which nothing is.
func New(c Config) (*World, error) {
	if c.Epoch.IsZero() {
		c.Epoch = DefaultEpoch
	}
	c.Epoch = c.Epoch.UTC()
	if c.Epoch.Unix() < 0 {
		return nil, fmt.Errorf("sim: epoch %s is before 1970", c.Epoch.Format(time.RFC3339))
	}
	if c.InstantLimit < 0 {
		return nil, fmt.Errorf("sim: limit of %d events at one instant is negative", c.InstantLimit)
	}
	if c.InstantLimit == 0 {
		c.InstantLimit = defaultInstantLimit
	}
	w := &World{
		cfg:    c,
		inject: make(chan func(), injectQueue),
		done:   make(chan struct{}),
	}
	if c.Capture != nil {
		w.file = bufio.NewWriterSize(c.Capture, 64<<10)
		var err error
		if w.capture, err = pcapng.NewWriter(w.file); err != nil {
			return nil, fmt.Errorf("sim: capture: %w", err)
		}
	}
	return w, nil
}

// Traced reports whether the world has a trace: without one nobody reads what Record is given.
func (w *World) Traced() bool { return w.cfg.Trace != nil }

// Record adds an event at the present time to the world's trace. An observer of
// the trace may record in turn: its event follows the one that it observes. A
// closed world records nothing.
func (w *World) Record(node string, b trace.Body) {
	w.mu.Lock()
	off := w.cfg.Trace == nil || w.closed
	w.mu.Unlock()
	if off {
		return
	}
	w.traces.do(trace.Event{At: w.Now(), Node: node, Body: b}, func(e trace.Event) {
		w.cfg.Trace.Record(e.At, e.Node, e.Body)
	})
}

// checkContext is how many events pass between two looks at the context.
const checkContext = 64

// Run runs events in order until stop says so, no event is left, or the next one
// lies after until; in the last two cases time moves on to until. until is a
// time since the start of the world; 0 is no bound. stop, if not nil, is asked
// before the first event and after each.
//
// Run returns ctx.Err() when ctx ends, after whole events only; a later Run goes
// on from there. A panic in an event surfaces here.
func (w *World) Run(ctx context.Context, until time.Duration, stop func() bool) error {
	if err := w.enter("Run"); err != nil {
		return err
	}
	defer w.leave()
	if stop != nil && stop() {
		return nil
	}
	limit := int64(until)
	if until <= 0 {
		limit = forever
	}
	for n := 0; ; n++ {
		if n%checkContext == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e, ok, err := w.next(limit)
		if err != nil {
			return err
		}
		if !ok {
			if until > 0 {
				w.advance(limit)
			}
			return nil
		}
		w.advance(e.at)
		e.run()
		if stop != nil && stop() {
			return nil
		}
	}
}

// enter makes the caller the loop.
func (w *World) enter(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return fmt.Errorf("sim: %s of a closed world", what)
	case w.running:
		return fmt.Errorf("sim: %s while the world is running: call it from outside of events", what)
	}
	w.running = true
	return nil
}

func (w *World) leave() {
	w.mu.Lock()
	w.running = false
	w.mu.Unlock()
}

// next takes the first event out of the queue unless it lies after limit. The
// event is a copy: what the world can use again, it has.
func (w *World) next(limit int64) (event, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.queue.first()
	if first == nil || first.at > limit {
		return event{}, false, nil
	}
	if first.at != w.instant {
		w.instant, w.count = first.at, 0
	}
	if w.count >= w.cfg.InstantLimit {
		return event{}, false, fmt.Errorf(
			"sim: %d events at %s without time moving on, the next one %s: something reschedules itself without delay; find it or raise Config.InstantLimit",
			w.count, time.Duration(w.instant), describe(first))
	}
	w.count++
	w.started = true
	w.queue.remove(first)
	e := *first
	if e.once {
		*first = event{once: true}
		w.free = append(w.free, first)
	}
	return e, true, nil
}

// advance moves time forward to t, never back.
func (w *World) advance(t int64) {
	if t > w.now.Load() {
		w.now.Store(t)
	}
}

// describe names an event for an error.
func describe(e *event) string {
	what := "a timer or coroutine"
	if e.port != nil {
		what = "a frame for " + e.port.name
	}
	switch o := e.owner.(type) {
	case nil:
		return what + " of no owner"
	case fmt.Stringer:
		return what + " of " + o.String()
	case interface{ Name() string }:
		return what + " of " + o.Name()
	default:
		return fmt.Sprintf("%s of a %T", what, o)
	}
}

// Close ends all coroutines, drops all events and flushes the capture. It returns
// the first error met in writing capture or trace, or what went wrong in ending
// a coroutine. It is not called from inside an event. A second Close returns
// what the first did.
func (w *World) Close() error {
	w.mu.Lock()
	if w.running {
		w.mu.Unlock()
		return errors.New("sim: Close while the world is running: call it from outside of events")
	}
	if w.closed {
		defer w.mu.Unlock()
		return w.closeErr
	}
	w.closed = true
	w.queue.clear()
	w.free = nil
	close(w.done)
	w.mu.Unlock()

	ended := w.endProcs()

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		if err := w.file.Flush(); w.err == nil {
			w.err = err
		}
	}
	switch {
	case w.err != nil:
		w.closeErr = fmt.Errorf("sim: capture: %w", w.err)
	case w.cfg.Trace.Err() != nil:
		w.closeErr = fmt.Errorf("sim: trace: %w", w.cfg.Trace.Err())
	default:
		w.closeErr = ended
	}
	return w.closeErr
}
