package sim

import (
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// Frame is one frame on a segment, as its sender put it there.
type Frame struct {
	Number  int           // in the capture, from 1
	At      time.Duration // when it was sent, since the start of the world
	Segment string
	Medium  Medium
	Node    string // the sender
	Data    []byte // from the Ethernet header on, or from the IP header where there is none; observers neither keep nor change it
	Comment string // the sender's, what was done to the frame, and which of several receivers did not get it
	Lost    string // why nobody got it; "" when somebody did
}

// Tap has f called with every later frame, when it is sent and before it arrives.
// Observers are called in the order of their registration, and each sees the frames
// in the order of their numbers: a frame that an observer sends is shown when all
// have seen the present one.
func (w *World) Tap(f func(Frame)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observer = append(w.observer, f)
}

// Watched reports whether there is a capture or an observer: without either nobody
// reads the comments of frames.
func (w *World) Watched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.capture != nil || len(w.observer) > 0
}

// Frames is how many frames have been sent so far.
func (w *World) Frames() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frames
}

// show hands a frame to the observers; w.mu is not held, since they may call back.
func (w *World) show(f Frame, observers []func(Frame)) {
	if len(observers) == 0 {
		return
	}
	w.taps.do(f, func(f Frame) {
		for _, observe := range observers {
			observe(f)
		}
	})
}

// writeLocked puts a frame into the capture. What the format cannot hold is cut.
func (w *World) writeLocked(p *Port, f *Frame) {
	if w.capture == nil || w.err != nil {
		return
	}
	data := f.Data[:min(len(f.Data), pcapng.MaxPacket)]
	w.err = w.capture.WritePacket(p.iface, w.Time(), data, cut(join(f.Comment, f.Lost), maxComment))
}

// maxComment is the length that an option of pcapng can have.
const maxComment = 65535

// cut shortens s to n bytes at most, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// join puts two remarks into one.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// serial passes values to a function one by one in the order in which they were
// given, also those that are given while the function runs: these wait for it, and
// do returns before they are passed. Its zero value is ready.
type serial[T any] struct {
	mu    sync.Mutex
	queue []work[T]
	busy  bool
}

type work[T any] struct {
	v T
	f func(T)
}

func (s *serial[T]) do(v T, f func(T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, work[T]{v, f})
	if s.busy {
		return
	}
	s.busy = true
	defer func() { s.busy, s.queue = false, s.queue[:0] }() // f may panic
	for i := 0; i < len(s.queue); i++ {
		next := s.queue[i]
		s.queue[i] = work[T]{}
		s.unlocked(next)
	}
}

// unlocked calls the function with s.mu released, and holds it again on any way out.
func (s *serial[T]) unlocked(w work[T]) {
	s.mu.Unlock()
	defer s.mu.Lock()
	w.f(w.v)
}
