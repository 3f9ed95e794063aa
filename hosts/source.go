package hosts

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Source is where a policy agent gets a policy that is kept on another computer. It
// goes before that of the local store, as the policy of a domain does.
type Source interface {
	// Fetch gets the policy that is assigned there; nil when none is, which is an
	// answer: the local policy holds then. An error means that the source could not be
	// asked, or that its answer is of no use. It is called from a coroutine of the host.
	Fetch(p *sim.Proc, h *Host) (*policy.Policy, error)

	// String names the source in the trace.
	String() string
}

// fetching is the dealings of a policy agent with its source: it asks when it starts,
// and at the polling interval of the policy in force. What it gets is in force from
// then on, and is kept in the cache; as long as the source cannot be asked the cached
// policy holds, from the agent's start on, and the agent tries again after a while. What
// holds while the first answer is under way is not published: the cached policy, or
// without one the local one.
type fetching struct {
	agent    *agent
	failures int // in a row
	busy     bool
	timer    *sim.Timer
}

// retry is how long an agent waits after the source has failed n times in a row before:
// (n+1)² minutes, 166 at most (MS-GPIPSEC, Section 3.2.6).
func retry(n int) time.Duration {
	const most = 166
	if n > most {
		n = most
	}
	return time.Duration(min((n+1)*(n+1), most)) * time.Minute
}

// fetch asks the source, unless the agent is asking already.
func (f *fetching) fetch() {
	h := f.agent.host
	source := h.config.Source
	if source == nil || f.busy || h.agent != f.agent || f.agent.fetching != f {
		return
	}
	f.stop()
	f.busy = true
	h.world.Go(h, "policy agent", func(p *sim.Proc) {
		fetched, err := source.Fetch(p, h)
		if h.off || h.agent != f.agent || f.agent.fetching != f {
			return // another agent has started meanwhile, or none
		}
		f.busy = false
		f.fetched(source, fetched, err)
	})
}

// fetched takes an answer of the source.
func (f *fetching) fetched(source Source, p *policy.Policy, err error) {
	a := f.agent
	if err == nil && p != nil {
		_, err = policy.CompileBoth(a.persistent, p, a.host.mine(), a.options)
	}
	event := trace.PolicyFetched{Source: source.String()}
	next := retry(f.failures)
	if err != nil {
		f.failures++
		event.Result, event.Detail = "failed", err.Error()
	} else {
		f.failures = 0
		f.keep(p)
		if event.Result = "none assigned"; p != nil {
			event.Result, event.Policy = "policy", p.Name
		}
	}
	from := a.assigned
	now := a.read()
	if now.policy != nil && now.from == Cache && err == nil {
		now.from = Remote
	}
	if err == nil {
		next = now.interval() // of the policy which is in force from now on
	}
	event.Changed, event.Next = !from.same(now), next
	a.host.record(event)
	if a.assigned.from = now.from; event.Changed {
		if err := a.apply(now, policyChanged); err != nil {
			a.host.record(trace.AgentState{State: agentPolled, Detail: err.Error()})
		}
	}
	f.timer = a.host.after(next, f.fetch)
}

// keep puts the answer of the source into the cache.
func (f *fetching) keep(p *policy.Policy) {
	s := f.agent.host.store
	if p == nil {
		s.drop(Cache)
		return
	}
	if !reflect.DeepEqual(s.Assigned(Cache), p) {
		s.drop(Cache)
		s.put(Cache, p)
		s.places[Cache].assigned = p.Name
	}
}

func (f *fetching) stop() {
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
}

// same reports whether the policies are equal, wherever they were read.
func (p assigned) same(o assigned) bool {
	return reflect.DeepEqual(p.policy, o.policy) && reflect.DeepEqual(p.persistent, o.persistent)
}

// interval is the polling interval of what is in force.
func (p assigned) interval() time.Duration {
	switch {
	case p.policy != nil:
		return p.policy.PollingInterval()
	case p.persistent != nil:
		return p.persistent.PollingInterval()
	}
	return policy.DefaultPolling
}

// errNoAnswer is an answer of a policy server that is none.
var errNoAnswer = errors.New("the policy server's answer cannot be read")

func answerError(err error) error { return fmt.Errorf("%w: %w", errNoAnswer, err) }
