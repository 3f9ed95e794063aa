package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// How much of some tables a report lists; what is beyond is counted.
const (
	maxVerdicts     = 300
	maxApplications = 300
	maxDiscovered   = 300
	maxLogs         = 300
	maxNodes        = 300
	maxGot          = 50 // lines of what happened in a step
)

// page is what report.html shows.
type page struct {
	*result.Scenario
	Notices      []string
	Paragraphs   []string // of the story
	Figures      []figure
	Bad          []finding // failed or broken first, then unsupported
	Topology     drawing
	Hosts        []hostView
	MoreHosts    int
	Steps        []stepView
	Ladder       ladderView
	Verdicts     limited[verdictView]
	Logs         limited[logView]
	Applications limited[applicationView]
	Discovered   limited[discoveredView]
	SAs          saTable
	Packets      packetTable
	Artefacts    []result.Artefact
	Profile      bool
	Observers    []observerView
}

// figure is a number worth a glance.
type figure struct{ Value, Name string }

// finding is a check that did not pass, and where it stands.
type finding struct {
	result.Check
	Where  string // step 3: …
	Anchor string
}

// hostView is a node with the policies that it had.
type hostView struct {
	result.Node
	Peer     string // of a real peer: what it is
	Policies []policyView
}

type policyView struct {
	At      string
	Policy  string
	Filters []string

	Warnings []string
}

// stepView is a step as the report shows it.
type stepView struct {
	result.Step
	Took    string
	MoreGot int
}

// limited is the start of a list, and how many entries are missing.
type limited[T any] struct {
	List    []T
	Omitted int
}

func (l *limited[T]) add(v T, limit int) {
	if len(l.List) < limit {
		l.List = append(l.List, v)
	} else {
		l.Omitted++
	}
}

type verdictView struct {
	At, Node string
	trace.Verdict
}

type logView struct {
	At, Node string
	trace.EventLog
	Details []string
}

// details are the fields of an entry in one line each.
func details(fields []trace.Field) (lines []string) {
	for _, f := range fields {
		line := f.Name + ": " + f.Value
		for i, inner := range f.Fields {
			if i > 0 {
				line += ", "
			}
			line += inner.Name + " " + inner.Value
		}
		lines = append(lines, line)
	}
	return lines
}

// discoveredView is what a host found out about a NAT box.
type discoveredView struct {
	At, Node string
	trace.Discovered
}

type applicationView struct {
	At, Node string
	trace.Application
}

func newPage(ev *evidence) *page {
	w := readWire(ev)
	p := &page{
		Scenario:   ev.Scenario,
		Notices:    ev.notices,
		Paragraphs: paragraphs(ev.Story),
		Topology:   topology(ev.Segments, ev.Nodes),
		SAs:        pairSAs(ev.Scenario.SAs),
		Packets:    w.table,
		Profile:    ev.profile,
		Observers:  observerViews(ev.watched),
	}
	var hosts []string
	for _, n := range ev.Nodes {
		hosts = append(hosts, n.Name)
	}
	l := newLadder(ev.events, hosts, nodesByAddress(ev), w.data)
	l.endSteps(ev.Scenario.Steps)
	p.Ladder = newLadderView(l)
	for _, s := range ev.Scenario.Steps {
		v := stepView{Step: s, Took: span(s.End - s.Start)}
		v.Checks = nil
		for _, c := range s.Checks {
			v.Checks = append(v.Checks, tidy(c))
		}
		if v.MoreGot = max(len(s.Got)-maxGot, 0); v.MoreGot > 0 {
			v.Got = s.Got[:maxGot]
		}
		p.Steps = append(p.Steps, v)
	}
	p.Bad = findings(ev.Scenario)
	p.readEvents(ev)
	p.artefacts(ev)
	p.figures(ev)
	return p
}

// endSteps writes into a ladder when its steps ended.
func (l *ladder) endSteps(steps []result.Step) {
	ends := map[int]time.Duration{}
	for _, s := range steps {
		ends[s.Index] = s.End
	}
	for _, r := range l.rows {
		if r.step != nil {
			r.step.End, r.step.Ended = ends[r.step.Index]
		}
	}
}

// paragraphs splits a text at empty lines.
func paragraphs(text string) []string {
	var out []string
	for _, p := range strings.Split(text, "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// tidy leaves a reason out that only repeats what was wanted and got.
func tidy(c result.Check) result.Check {
	if c.Reason == fmt.Sprintf("want %s, got %s", c.Want, c.Got) {
		c.Reason = ""
	}
	return c
}

// findings are all that did not pass, the worst first, else in the order of the scenario.
func findings(s *result.Scenario) []finding {
	var all []finding
	if s.Reason != "" && s.Outcome != result.Passed {
		all = append(all, finding{result.Check{Name: "the scenario", Outcome: s.Outcome, Reason: s.Reason}, "scenario", "top"})
	}
	for _, step := range s.Steps {
		where, anchor := fmt.Sprintf("step %d: %s", step.Index, step.Title), fmt.Sprintf("step-%d", step.Index)
		explained := result.Passed
		for _, c := range step.Checks {
			explained = explained.Worse(c.Outcome)
			all = append(all, finding{tidy(c), where, anchor})
		}
		if step.Outcome.Worse(explained) != explained {
			all = append(all, finding{result.Check{Name: step.Verb, Outcome: step.Outcome, Got: strings.Join(step.Got, "; "), Line: step.Line}, where, anchor})
		}
	}
	for _, c := range s.Invariants {
		all = append(all, finding{c, "invariant of the whole run", "invariants"})
	}
	var out []finding
	for _, o := range []result.Outcome{result.Broken, result.Failed, result.Unsupported} {
		for _, f := range all {
			if f.Outcome == o {
				out = append(out, f)
			}
		}
	}
	return out
}

// readEvents collects what the tables show of the trace.
func (p *page) readEvents(ev *evidence) {
	index, peers := map[string]int{}, map[string]string{}
	for _, r := range ev.Scenario.Peers {
		peers[r.Node] = about(r)
	}
	for _, n := range ev.Nodes {
		if len(p.Hosts) == maxNodes {
			p.MoreHosts++
			continue
		}
		index[n.Name] = len(p.Hosts)
		p.Hosts = append(p.Hosts, hostView{Node: n, Peer: peers[n.Name]})
	}
	for _, e := range ev.events {
		switch b := e.Body.(type) {
		case trace.PolicyAssigned:
			if i, ok := index[e.Node]; ok {
				h := &p.Hosts[i]
				h.Policies = append(h.Policies, policyView{clock(e.At), inForce(b), b.Filters, b.Warnings})
			}
		case trace.Verdict:
			p.Verdicts.add(verdictView{clock(e.At), e.Node, b}, maxVerdicts)
		case trace.EventLog:
			p.Logs.add(logView{clock(e.At), e.Node, b, details(b.Fields)}, maxLogs)
		case trace.Application:
			p.Applications.add(applicationView{clock(e.At), e.Node, b}, maxApplications)
		case trace.Discovered:
			p.Discovered.add(discoveredView{clock(e.At), e.Node, b}, maxDiscovered)
		}
	}
}

// artefacts links to the files of evidence, except the report itself.
func (p *page) artefacts(ev *evidence) {
	for _, a := range ev.Scenario.Artefacts {
		if a.Path != reportFile {
			p.Artefacts = append(p.Artefacts, a)
		}
	}
	p.Artefacts = append(p.Artefacts, result.Artefact{Name: "result", Path: resultFile})
}

// figures are the numbers under the title.
func (p *page) figures(ev *evidence) {
	checks, passed := 0, 0
	each := func(c result.Check) {
		checks++
		if c.Outcome == result.Passed {
			passed++
		}
	}
	for _, s := range ev.Scenario.Steps {
		for _, c := range s.Checks {
			each(c)
		}
	}
	for _, c := range ev.Invariants {
		each(c)
	}
	var messages, established int
	for _, e := range ev.events {
		switch b := e.Body.(type) {
		case trace.IKEMessage:
			if b.Sent {
				messages++
			}
		case trace.Negotiation:
			if b.State == "established" && b.Exchange == "quick mode" && b.Role == "initiator" {
				established++
			}
		}
	}
	add := func(value, name string) { p.Figures = append(p.Figures, figure{value, name}) }
	add(fmt.Sprintf("%d / %d", passed, checks), "checks passed")
	add(count(len(ev.Scenario.Steps)), "steps")
	add(span(ev.Virtual), timeOf(ev.Scenario))
	add(count(ev.Frames), "frames")
	add(count(messages), "IKE messages")
	add(count(established), "quick modes")
	add(count(p.SAs.Total), "SAs")
}

// timeOf names the clock by which a scenario went.
func timeOf(s *result.Scenario) string {
	if s.Clock == result.ClockWall {
		return "wall clock"
	}
	return "virtual time"
}

// about says what a real peer was.
func about(r result.Peer) string {
	var parts []string
	for _, part := range []string{r.Image, r.Driver, r.Daemon, r.Kernel} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	parts = append(parts, "ready in "+span(r.Ready.Round(time.Millisecond)))
	if r.Memory > 0 {
		parts = append(parts, size(int64(r.Memory)))
	}
	return strings.Join(parts, " · ")
}

// Ends is when the world ended.
func (p *page) Ends() time.Time { return p.Start.Add(p.Virtual) }

// inForce names the policies that are in force.
func inForce(b trace.PolicyAssigned) string {
	if b.Policy != "" && b.Persistent != "" {
		return b.Policy + " + " + b.Persistent
	}
	return b.Policy + b.Persistent
}
