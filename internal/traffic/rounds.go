package traffic

import (
	"slices"
	"time"
)

// Results of traffic, as scenario files have them.
const (
	OK          = "ok" // everything was answered
	Timeout     = "timeout"
	Refused     = "refused"
	Unreachable = "unreachable"
	Error       = "error"
)

// Rounds count requests at an interval, each with its answer. Who runs them gives
// the time, from any zero; the methods say what is to be done.
type Rounds struct {
	Count             int
	Ahead             int           // requests that may wait for their answers at one time; 0: 1
	Interval, Timeout time.Duration // from one request to the next; for each answer

	Sent, Received int

	next    time.Duration // when the next request is due
	waiting []pending     // oldest first
	latency []time.Duration
	silence time.Duration
	heard   time.Duration
}

// pending is a request that waits for its answer.
type pending struct {
	request int
	sent    time.Duration
}

// unanswered stands for the latency of a request without an answer.
const unanswered time.Duration = -1

// Start begins. The first request is due now.
func (r *Rounds) Start(now time.Duration) {
	r.next, r.heard = now, now
	r.latency = slices.Repeat([]time.Duration{unanswered}, max(r.Count, 0))
}

// Waiting reports whether a request waits for its answer.
func (r *Rounds) Waiting() bool { return len(r.waiting) > 0 }

// Done reports whether every request was sent, and has been answered or given up.
func (r *Rounds) Done() bool { return r.Sent >= r.Count && !r.Waiting() }

// Answered notes the answer to a request. One that nobody waits for, or no more, is not counted.
func (r *Rounds) Answered(request int, now time.Duration) {
	k := slices.IndexFunc(r.waiting, func(w pending) bool { return w.request == request })
	if k < 0 {
		return
	}
	w := r.waiting[k]
	r.waiting = slices.Delete(r.waiting, k, k+1)
	r.Received++
	r.latency[w.request] = now - w.sent
	r.silence, r.heard = max(r.silence, now-r.heard), now
}

// GiveUp ends the wait of the oldest request, and says which that was. One waits.
func (r *Rounds) GiveUp() (request int) {
	request = r.waiting[0].request
	r.waiting = slices.Delete(r.waiting, 0, 1)
	return request
}

// Expired reports whether the oldest request has waited for too long.
func (r *Rounds) Expired(now time.Duration) bool {
	return r.Waiting() && r.waiting[0].sent+r.Timeout <= now
}

// room reports whether another request may be sent before answers come.
func (r *Rounds) room() bool { return r.Sent < r.Count && len(r.waiting) < max(r.Ahead, 1) }

// Send gives the request that is to be sent now, if one is, and takes it for sent.
func (r *Rounds) Send(now time.Duration) (request int, ok bool) {
	if !r.room() || r.next > now {
		return 0, false
	}
	request = r.Sent
	r.waiting = append(r.waiting, pending{request, now})
	r.next = now + r.Interval
	r.Sent++
	return request, true
}

// Until is when something is to be done if no answer comes before. It is not Done.
func (r *Rounds) Until() time.Duration {
	if r.room() && (!r.Waiting() || r.next < r.waiting[0].sent+r.Timeout) {
		return r.next
	}
	return r.waiting[0].sent + r.Timeout
}

// Latency is that of each answer, in the order of the requests answered.
func (r *Rounds) Latency() []time.Duration {
	return slices.DeleteFunc(slices.Clone(r.latency), func(d time.Duration) bool { return d == unanswered })
}

// Silence is the longest time without an answer, beginning and end included.
func (r *Rounds) Silence(now time.Duration) time.Duration { return max(r.silence, now-r.heard) }
