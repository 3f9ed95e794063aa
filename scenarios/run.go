package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// Options of a run.
type Options struct {
	Seed     uint64   // 0: the file's
	Dir      string   // folder for the evidence, made if it is absent; "": none is written
	Reporter Reporter // called when the evidence is written; nil: none

	Peers PeerDriver // starts real peers; nil: scenarios with some are unsupported

	// Ready is called when the world is made, with all its keys and certificates, and all real peers are
	// ready: before the first step. It is not called where that does not come about. nil: nobody asks.
	Ready func()

	// Until has the world of a scenario with real peers go on until it returns, whatever is left of
	// the steps then. It is called apart from the world, when all peers are ready. nil: the end of the steps.
	Until func(ctx context.Context)
	Idle  bool // with Until: no step is performed

	// Faults break hosts on purpose, by name, to prove that a fault is noticed.
	Faults map[string]hosts.Faults
}

// Reporter makes a report of an evidence folder.
type Reporter interface {
	Report(dir string) error
}

// Result and its parts, for suites outside this module.
type (
	Result  = result.Scenario
	Outcome = result.Outcome
)

// The outcomes of package result.
const (
	Passed      = result.Passed
	Failed      = result.Failed
	Unsupported = result.Unsupported
	Broken      = result.Broken
)

// lingering is how long the world goes on after the last step, so that what is
// on its way arrives: the ends of connections, the last messages of IKE.
const lingering = time.Second

// lingeringReal is the same by the wall clock, where somebody waits for it.
const lingeringReal = 300 * time.Millisecond

// longest is how long a scenario may take in virtual time, which holds 292 years.
const longest = 100 * 365 * 24 * time.Hour

// Run runs a scenario. Failed expectations are in the result; an error means
// that the scenario is wrong (*spec.Error), that the lab or the evidence folder
// broke, or that ctx ended.
func Run(ctx context.Context, s *spec.Scenario, o Options) (*Result, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	if o.Until != nil && len(s.Peers()) == 0 {
		return nil, fmt.Errorf("scenarios: %s has no real peers: its world ends with its steps", s.Name)
	}
	s = dated(s, o.Peers)
	ev, err := newEvidence(o)
	if err != nil {
		return nil, err
	}
	defer ev.abandon()
	l, err := build(s, o, ev.trace(), ev.capture())
	if err != nil {
		return nil, err
	}
	r, err := l.supported(ctx, beyond(s, o.Peers))
	if err = errors.Join(err, l.close()); err != nil {
		return nil, fmt.Errorf("scenarios: %s: %w", s.Name, err)
	}
	if err := ev.finish(l, r); err != nil {
		return nil, fmt.Errorf("scenarios: %s: %w", s.Name, err)
	}
	return r, nil
}

// supported runs the scenario unless real peers cannot do what it asks, which is told beforehand or by their driver.
func (l *lab) supported(ctx context.Context, why string) (r *Result, err error) {
	if why == "" {
		err = l.startPeers(ctx)
		if err == nil {
			if l.ready != nil {
				l.ready()
			}
			r, err = l.run(ctx)
		}
		err = errors.Join(err, l.stopPeers(ctx))
		if err == nil || !errors.Is(err, ErrUnsupported) {
			return r, err
		}
		why = err.Error()
	}
	r = l.judge(nil)
	r.Outcome, r.Reason = Unsupported, why
	return r, nil
}

// goOn has the world go on until all is over: by the clock of the machine where something real is attached.
func (l *lab) goOn(ctx context.Context, over func() bool) error {
	if l.real() {
		return l.world.RunWall(ctx, over)
	}
	return l.world.Run(ctx, longest, over)
}

// run performs the steps and judges them.
func (l *lab) run(ctx context.Context) (*Result, error) {
	if l.until != nil {
		return l.attend(ctx)
	}
	steps, over := l.direct()
	err := l.goOn(ctx, over)
	if err != nil {
		return nil, cutShort(ctx, steps, err)
	}
	if !over() {
		return nil, errEndless
	}
	return l.judge(steps), nil
}

// cutShort adds to the error of a run whose ctx has ended which step was under way.
func cutShort(ctx context.Context, steps []*stepRun, err error) error {
	if ctx.Err() == nil {
		return err
	}
	for _, s := range steps {
		if s.begun && !s.ended {
			return fmt.Errorf("step %d, %s, had not ended: %w", s.index+1, s.spec.Words(), context.Cause(ctx))
		}
	}
	return context.Cause(ctx)
}

// attend has the world go on until who attends it goes, and judges what was done of the steps.
func (l *lab) attend(ctx context.Context) (*Result, error) {
	var steps []*stepRun
	if !l.idle {
		steps, _ = l.direct()
	}
	gone := false
	l.peers.driver.Go(func() {
		l.until(ctx)
		l.world.Inject(func() { gone = true })
	})
	if err := l.goOn(ctx, func() bool { return gone }); err != nil {
		return nil, err
	}
	return l.judge(steps), nil
}

var errEndless = fmt.Errorf("the last step has not ended after %d years of virtual time: shorten waits, intervals or timeouts", longest/(365*24*time.Hour))

// direct has the steps performed when the world runs; over reports that all is.
func (l *lab) direct() (steps []*stepRun, over func() bool) {
	steps = make([]*stepRun, len(l.spec.Steps))
	for i := range l.spec.Steps {
		steps[i] = newStepRun(l, i)
	}
	running, last := 0, false
	director := l.world.Go(nil, "steps", func(p *sim.Proc) {
		for _, s := range steps {
			if at := s.spec.At.Span(); at > p.Now() {
				p.Sleep(at - p.Now())
			}
			running++
			s.start(func() { running--; p.Wake() })
			for !s.spec.Background && !s.ended {
				p.Park()
			}
			if slices.ContainsFunc(steps, (*stepRun).beyondPeers) {
				break // what follows rests on it, and says nothing of anybody
			}
		}
		for running > 0 {
			p.Park()
		}
		if l.real() {
			p.Sleep(lingeringReal)
		} else {
			p.Sleep(lingering)
		}
		last = true
	})
	return steps, func() bool { return last && director.Done() }
}
