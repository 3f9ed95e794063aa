package hosts

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Report is how a request and response application fared.
type Report struct {
	Sent, Received int
	Latency        []time.Duration // of each answer, in the order of the requests answered
	Silence        time.Duration   // of several requests: the longest time without an answer, beginning and end included
	Err            error           // the first failure other than a missing answer
}

// Result says in one word how it went: ok when everything was answered.
func (r Report) Result() string { return resultOf(r.Err, r.Received == r.Sent) }

// resultOf is the word of scenario files for an error.
func resultOf(err error, complete bool) string {
	switch {
	case err == nil && complete:
		return "ok"
	case err == nil || errors.Is(err, ErrTimeout):
		return "timeout"
	case errors.Is(err, ErrRefused) || errors.Is(err, ErrDenied):
		return "refused"
	case errors.Is(err, ErrUnreachable):
		return "unreachable"
	}
	return "error"
}

// rounds are requests at an interval, each with its answer.
type rounds struct {
	app, peer         string // as the trace shows them
	count             int
	ahead             int // requests that may wait for their answers at one time; 0: 1
	interval, timeout time.Duration
	send              func(i int) error
	answer            func() (i int, ok bool, err error) // takes one of those that are there; an error ends the oldest request's wait
}

// unanswered stands for the latency of a request without an answer.
const unanswered time.Duration = -1

// pending is a request that waits for its answer.
type pending struct {
	request int
	sent    time.Duration
}

func (h *Host) run(p *sim.Proc, c rounds) (r Report) {
	var waiting []pending // oldest first
	latency := slices.Repeat([]time.Duration{unanswered}, c.count)
	heard := p.Now()
	over := func(k int, answered bool) {
		w := waiting[k]
		waiting = slices.Delete(waiting, k, k+1)
		if answered {
			r.Received++
			latency[w.request] = p.Now() - w.sent
			r.Silence, heard = max(r.Silence, p.Now()-heard), p.Now()
			return
		}
		h.record(trace.Application{App: c.app, Event: "timeout", Peer: c.peer, Detail: fmt.Sprintf("request %d", w.request+1)})
	}
	for next := p.Now(); r.Sent < c.count || len(waiting) > 0; {
		for len(waiting) > 0 {
			i, ok, err := c.answer()
			if err != nil && r.Err == nil {
				r.Err = err
			}
			if err != nil {
				over(0, false)
			} else if k := slices.IndexFunc(waiting, func(w pending) bool { return w.request == i }); ok && k >= 0 {
				over(k, true)
			} else if !ok {
				break
			}
		}
		for len(waiting) > 0 && waiting[0].sent+c.timeout <= p.Now() {
			over(0, false)
		}
		room := r.Sent < c.count && len(waiting) < max(c.ahead, 1)
		if room && next <= p.Now() {
			waiting = append(waiting, pending{r.Sent, p.Now()})
			next = p.Now() + c.interval
			r.Sent++
			if err := c.send(r.Sent - 1); err != nil && r.Err == nil {
				r.Err = err
			}
			continue
		}
		var err error
		switch {
		case room && (len(waiting) == 0 || next < waiting[0].sent+c.timeout):
			err = h.wait(p, next)
		case len(waiting) > 0:
			err = h.wait(p, waiting[0].sent+c.timeout)
		}
		if err == ErrRestarted {
			r.Err = err
			break
		}
	}
	r.Silence = max(r.Silence, p.Now()-heard)
	r.Latency = slices.DeleteFunc(latency, func(d time.Duration) bool { return d == unanswered })
	h.record(trace.Application{App: c.app, Event: "done", Peer: c.peer, Detail: fmt.Sprintf("%d of %d answered", r.Received, r.Sent)})
	return r
}

// wait parks the coroutine until it is woken: ErrTimeout once the deadline has
// passed, ErrRestarted when the host on which it ran is gone.
func (h *Host) wait(p *sim.Proc, deadline time.Duration) error {
	if p.Now() >= deadline {
		return ErrTimeout
	}
	boot := h.boots
	t := h.after(deadline-p.Now(), p.Wake)
	e := h.parked.PushBack(p)
	p.Park()
	h.parked.Remove(e)
	t.Stop()
	if h.boots != boot {
		return ErrRestarted
	}
	return nil
}
