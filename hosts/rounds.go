package hosts

import (
	"errors"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/traffic"
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
		return traffic.OK
	case err == nil || errors.Is(err, ErrTimeout):
		return traffic.Timeout
	case errors.Is(err, ErrRefused) || errors.Is(err, ErrDenied):
		return traffic.Refused
	case errors.Is(err, ErrUnreachable):
		return traffic.Unreachable
	}
	return traffic.Error
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

func (h *Host) run(p *sim.Proc, c rounds) (r Report) {
	t := traffic.Rounds{Count: c.count, Ahead: c.ahead, Interval: c.interval, Timeout: c.timeout}
	giveUp := func() {
		h.record(trace.Application{App: c.app, Event: "timeout", Peer: c.peer, Detail: fmt.Sprintf("request %d", t.GiveUp()+1)})
	}
	for t.Start(p.Now()); !t.Done(); {
		for t.Waiting() {
			i, ok, err := c.answer()
			if err != nil && r.Err == nil {
				r.Err = err
			}
			if err != nil {
				giveUp()
			} else if ok {
				t.Answered(i, p.Now())
			} else {
				break
			}
		}
		for t.Expired(p.Now()) {
			giveUp()
		}
		if i, ok := t.Send(p.Now()); ok {
			if err := c.send(i); err != nil && r.Err == nil {
				r.Err = err
			}
			continue
		}
		if t.Done() {
			break
		}
		if h.wait(p, t.Until()) == ErrRestarted {
			r.Err = ErrRestarted
			break
		}
	}
	r.Sent, r.Received = t.Sent, t.Received
	r.Silence, r.Latency = t.Silence(p.Now()), t.Latency()
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
