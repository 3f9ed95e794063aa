package ike

import "time"

// Retransmit is the schedule of one unanswered message. The zero value is at
// rest. Copies follow the message at the gaps of the schedule; the last copy
// is given as much time as the gap before it, and then the schedule ends. With
// Windows2003Retransmit that is seven messages in 63 s and the end after 95 s.
type Retransmit struct {
	gaps   []time.Duration
	copies int
	at     time.Time
	on     bool
}

// Due is what a schedule demands.
type Due uint8

// What Advance demands.
const (
	DueNothing Due = iota
	DueCopy        // send the message again
	DueEnd         // nobody answers
)

// Start begins a schedule: the message has just been sent.
func (r *Retransmit) Start(now time.Time, gaps []time.Duration) {
	*r = Retransmit{gaps: gaps, at: now.Add(gaps[0]), on: true}
}

// Wait begins one without copies, which ends when the schedule would.
func (r *Retransmit) Wait(now time.Time, gaps []time.Duration) {
	*r = Retransmit{gaps: gaps, copies: len(gaps), at: now.Add(Span(gaps)), on: true}
}

// Stop ends it: the answer has come.
func (r *Retransmit) Stop() { r.on = false }

// Running reports whether an answer is awaited.
func (r *Retransmit) Running() bool { return r.on }

// Copies is how many copies have been due.
func (r *Retransmit) Copies() int { return r.copies }

// Deadline is when Advance has something to say.
func (r *Retransmit) Deadline() (time.Time, bool) { return r.at, r.on }

// Advance says what has come due by now, one thing at a time. Times follow from
// the schedule, not from when Advance was called.
func (r *Retransmit) Advance(now time.Time) Due {
	if !r.on || now.Before(r.at) {
		return DueNothing
	}
	if r.copies == len(r.gaps) {
		r.on = false
		return DueEnd
	}
	r.copies++
	r.at = r.at.Add(r.gaps[min(r.copies, len(r.gaps)-1)])
	return DueCopy
}

// Linger is how long after the end of an exchange copies of a message on the
// schedule can still come, if both sides follow the same one.
func Linger(gaps []time.Duration) time.Duration {
	d := gaps[0] // for the way
	for _, g := range gaps {
		d += g
	}
	return d
}

// Span is the time from a first sending to the end of the schedule.
func Span(gaps []time.Duration) time.Duration { return Linger(gaps) - gaps[0] + gaps[len(gaps)-1] }
