package scenarios

import (
	"context"
	"fmt"
	"regexp"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// command runs a shell command in a real peer.
func (s *stepRun) command(p *sim.Proc, v *spec.Run) {
	r := s.lab.peerNamed(v.On)
	var out PeerOutput
	var err error
	s.lab.outside(p, func(ctx context.Context) { out, err = r.peer.Run(ctx, v.Command, v.Patience()) })
	if err != nil {
		s.broken = err
		return
	}
	s.printed = &out
	words := fmt.Sprintf("exit status %d", out.Code)
	if out.TimedOut {
		words = fmt.Sprintf("killed after %s", v.Patience())
	}
	s.got = append(s.got, words, out.Text())
}

// printed judges what a command has printed, and how it ended.
func (j *judgement) printed(want *spec.Expect) {
	out := j.step.printed
	if out == nil {
		return
	}
	if want.Exit != nil {
		got := fmt.Sprint(out.Code)
		if out.TimedOut {
			got = "killed at the end of its time"
		}
		j.equal("exit", "exit status", fmt.Sprint(*want.Exit), got)
	}
	part := "the output"
	if out.LeftOut > 0 {
		part = fmt.Sprintf("the last %d bytes of the output (%d before them were not kept)", len(out.Output), out.LeftOut)
	}
	for i, word := range want.Output {
		matches, err := regexp.MatchString(word, out.Text()) // spec has checked it
		j.add(err == nil && matches, fmt.Sprintf("output[%d]", i), "output", word, out.Text(), "nothing in "+part+" matches "+word)
	}
}

// inside notes an expectation about the inner state of a real peer, which only virtual hosts show.
func (j *judgement) inside(field, name, want, node string) bool {
	real := j.in().spec.Nodes[node].Real()
	if real {
		j.unknown(field, name+" at "+node, want, node+" is a real peer, and does not show it")
	}
	return real
}

// unheard notes an expectation about IKE between two real peers, of whose negotiations nobody tells.
func (j *judgement) unheard() bool {
	from, to := j.step.ends()
	real := j.step.lab.peerNamed(from.name) != nil && j.step.lab.peerNamed(to.name) != nil
	if real {
		j.unknown("ike", "IKE", "as expected", "unsupported: both ends are real peers, and nobody has the keys of their IKE")
	}
	return real
}

// unknown notes an expectation about what nobody here can see.
func (j *judgement) unknown(field, name, want, reason string) {
	j.checks = append(j.checks, result.Check{
		Name: name + ": " + want, Outcome: result.Unsupported, Want: want, Reason: reason, Line: j.in().spec.Line(j.path + "." + field),
	})
}
