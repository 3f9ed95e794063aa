package hosts

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Report is how a request and response application fared.
type Report struct {
	Sent, Received int
	Latency        []time.Duration // of each answer, in the order of the requests answered
	Err            error           // the first failure other than a missing answer
}

// Result says in one word how it went: ok when everything was answered.
func (r Report) Result() string { return resultOf(r.Err, r.Received == r.Sent) }

// resultOf is the word of scenario files for an error.
func resultOf(err error, complete bool) string {
	switch err {
	case nil:
		if complete {
			return "ok"
		}
		return "timeout"
	case ErrRefused:
		return "refused"
	case ErrUnreachable:
		return "unreachable"
	case ErrTimeout:
		return "timeout"
	}
	return "error"
}

// rounds are requests at an interval, each with its answer.
type rounds struct {
	app, peer         string // as the trace shows them
	count             int
	interval, timeout time.Duration
	send              func(i int) error
	answer            func(i int) (ok bool, err error) // looks without waiting; an error ends the round
}

func (h *Host) run(p *sim.Proc, c rounds) (r Report) {
	for i := range c.count {
		start := p.Now()
		r.Sent++
		if err := c.send(i); err != nil && r.Err == nil {
			r.Err = err
		}
		ok, err := h.await(p, start+c.timeout, func() (bool, error) { return c.answer(i) })
		if err != nil && r.Err == nil {
			r.Err = err
		}
		if ok {
			r.Received++
			r.Latency = append(r.Latency, p.Now()-start)
		} else {
			h.record(trace.Application{App: c.app, Event: "timeout", Peer: c.peer, Detail: fmt.Sprintf("request %d", i+1)})
		}
		if i+1 < c.count {
			p.Sleep(start + c.interval - p.Now())
		}
	}
	h.record(trace.Application{App: c.app, Event: "done", Peer: c.peer, Detail: fmt.Sprintf("%d of %d answered", r.Received, r.Sent)})
	return r
}

// await parks the coroutine until look says yes or fails; false once the deadline has passed.
func (h *Host) await(p *sim.Proc, deadline time.Duration, look func() (bool, error)) (bool, error) {
	for {
		if ok, err := look(); ok || err != nil {
			return ok, err
		}
		if !h.wait(p, deadline) {
			return false, nil
		}
	}
}

// wait parks the coroutine until it is woken; false once the deadline has passed.
func (h *Host) wait(p *sim.Proc, deadline time.Duration) bool {
	if p.Now() >= deadline {
		return false
	}
	t := h.after(deadline-p.Now(), p.Wake)
	p.Park()
	t.Stop()
	return true
}
