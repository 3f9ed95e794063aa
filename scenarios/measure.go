package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// measure says what came of the step that the grid of the scenario measures, and holds it
// against what is expected.
func (l *lab) measure(s *stepRun) (*result.Measured, []result.Check) {
	q := newInquiry(s)
	m := &result.Measured{
		Step: s.index + 1, Protection: q.protection(), Port: q.port(), NAT: q.nat(),
	}
	if r := s.report; r != nil && len(r.Latency) > 0 {
		m.FirstByte = r.Latency[0]
	}
	m.Outcome, m.Explanation = q.answer()
	i := l.spec.Grid.Entry()
	want := &l.spec.Grid.Expect[i]
	m.Because = want.Because
	j := &judgement{lab: l, path: fmt.Sprintf("$.grid.expect[%d]", i)}
	j.measured(want, m)
	return m, j.checks
}

// wrongSums are how many wrong checksums each host has found since it had found those before,
// if the step is the one that the scenario's grid measures.
func (s *stepRun) wrongSums(before map[string]uint64) map[string]uint64 {
	if s.lab.spec.Grid == nil || s.index != s.lab.spec.Measured() {
		return nil
	}
	now := map[string]uint64{}
	for _, name := range slices.Sorted(maps.Keys(s.lab.hosts)) {
		now[name] = s.lab.hosts[name].ChecksumErrors() - before[name]
	}
	return now
}

// measured judges a cell of a grid.
func (j *judgement) measured(want *spec.Measurement, m *result.Measured) {
	reason := func(want, got string) string {
		return fmt.Sprintf("want %s, since %s; got %s: %s", want, m.Because, got, m.Explanation)
	}
	j.add(want.Outcome == m.Outcome, "outcome", "grid: outcome", want.Outcome, m.Outcome, reason(want.Outcome, m.Outcome))
	if want.Protection != "" {
		j.add(want.Protection == m.Protection, "protection", "grid: protection", want.Protection, m.Protection, reason(want.Protection, m.Protection))
	}
	if want.Port != nil {
		w, got := fmt.Sprint(*want.Port), fmt.Sprint(m.Port)
		j.add(w == got, "ike-port", "grid: port of IKE", w, got, reason("port "+w, "port "+got))
	}
	if want.NAT != "" {
		j.add(want.NAT == m.NAT, "nat", "grid: NAT found", want.NAT, m.NAT, reason("NAT "+want.NAT, m.NAT))
	}
	if want.FirstByte != nil {
		got := cmp.Or(durationWord(m.FirstByte), "no answer")
		j.add(m.FirstByte > 0 && want.FirstByte.Contains(m.FirstByte), "first-byte", "grid: time to the first byte", want.FirstByte.String(), got, "")
	}
	if want.Explained != "" {
		j.add(strings.Contains(m.Explanation, want.Explained), "explained", "grid: explanation", want.Explained, m.Explanation, "")
	}
}

func durationWord(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// inquiry is the search for what came of a step, and why.
type inquiry struct {
	*stepRun
	from   string          // the node that started the traffic
	events []trace.Event   // of the step
	first  int             // index of the first frame of the step among all seen
	ends   int             // of the first one behind it
	talk   map[string]bool // the initiator's cookies of the negotiations that from took part in
}

func newInquiry(s *stepRun) *inquiry {
	from, _, _ := s.spec.Ends()
	name, _ := s.lab.nodeOf(from, from, s.begin.at, s.end.at)
	q := &inquiry{
		stepRun: s, from: name, events: s.lab.log.Events()[s.begin.events:s.end.events],
		first: s.begin.frames, ends: s.end.frames, talk: map[string]bool{},
	}
	for _, e := range q.events {
		switch b := e.Body.(type) {
		case trace.Negotiation:
			if e.Node == q.from {
				q.talk[b.CookieI.String()] = true
			}
		case trace.IKEMessage:
			if e.Node == q.from {
				q.talk[b.CookieI.String()] = true
			}
		}
	}
	return q
}

// protection is the word for what the wire showed of the traffic where from is.
func (q *inquiry) protection() string {
	from, to := q.stepRun.ends()
	proto, port := q.protocol()
	return q.lab.wire.tally(q.begin, q.end, from, to, proto, port).protection()
}

// port is where the last message of IKE went that from sent.
func (q *inquiry) port() int {
	for _, s := range slices.Backward(q.lab.wire.seen[q.first:q.ends]) {
		if s.node == q.from && s.isIKE() {
			return int(s.dstPort)
		}
	}
	return 0
}

// nat is behind which ends from found a NAT.
func (q *inquiry) nat() string { return cmp.Or(q.traversal().Found, spec.NATUnknown) }

// traversal is what the last phase 1 of from, during the step or before it, says of NATs.
func (q *inquiry) traversal() trace.NATTraversal {
	for _, e := range slices.Backward(q.lab.log.Events()[:q.end.events]) {
		if n, ok := e.Body.(trace.Negotiation); ok && e.Node == q.from && n.NAT.Found != "" {
			return n.NAT
		}
	}
	return trace.NATTraversal{}
}

// sends is the first frame of the traffic that from put on the wire.
func (q *inquiry) sends() (i int, ok bool) {
	proto, port := q.protocol()
	for i := q.first; i < q.ends; i++ {
		s := &q.lab.wire.seen[i]
		if s.node != q.from || !s.first || s.keying() {
			continue
		}
		if s.protected() || s.proto == proto && s.dst == q.to && (port == 0 || s.dstPort == port) {
			return i, true
		}
	}
	return 0, false
}

// failure is a negotiation that came to nothing, as one side has it.
type failure struct {
	node    string
	n       trace.Negotiation
	byPeer  bool // the other side found the fault
	silence bool // it got no answer
}

// failures are those of negotiations between from and others, in order.
func (q *inquiry) failures() (all []failure) {
	peer := false
	for _, e := range q.events {
		switch b := e.Body.(type) {
		case trace.EventLog: // written just before the negotiation's own event
			if b.FailurePoint != "" {
				peer = b.FailurePoint == "Peer"
			}
		case trace.Negotiation:
			if b.State != "failed" || !q.talk[b.CookieI.String()] {
				continue
			}
			code := ike.Code(b.Code)
			all = append(all, failure{e.Node, b, peer, code == ike.CodeNoResponse || code == ike.CodeTimedOut})
		}
	}
	return all
}

// answer is the outcome and its explanation.
func (q *inquiry) answer() (outcome, explanation string) {
	if q.report.Result() == spec.ResultOK {
		return spec.OutcomeWorks, q.whyItWorks()
	}
	failed := q.failures()
	for _, f := range failed { // who found a fault knows more than who heard nothing
		switch {
		case f.silence:
		case f.byPeer && f.node == q.from:
			return spec.OutcomeResponder, fmt.Sprintf("The peer refused the %s of %s: %s.%s", f.n.Exchange, q.from, f.n.Reason, q.onTheWay())
		case f.node == q.from:
			return spec.OutcomeInitiator, fmt.Sprintf("%s gave up its %s: %s.%s", q.from, f.n.Exchange, f.n.Reason, q.onTheWay())
		case !f.byPeer:
			return outcomeOf(f.n.Reason, spec.OutcomeResponder), fmt.Sprintf("%s refused the %s of %s: %s.%s", f.node, f.n.Exchange, q.from, f.n.Reason, q.onTheWay())
		}
	}
	if i, ok := q.sends(); ok {
		return q.whyItWasLost(i)
	}
	if why, ok := q.whyNoAnswer(); ok {
		return spec.OutcomeNoAnswer, why
	}
	if why := q.stopped(q.from, 0); why != "" {
		return spec.OutcomeBlocked, fmt.Sprintf("%s sent nothing: %s.", q.from, why)
	}
	return spec.OutcomeLost, fmt.Sprintf("%s sent nothing: %s.", q.from, describe(*q.report))
}

// whyItWorks names the mechanism.
func (q *inquiry) whyItWorks() string {
	i, ok := q.sends()
	if !ok {
		return "Answers came, and no frame of the traffic was seen."
	}
	t, s := q.lab.trail(i), &q.lab.wire.seen[i]
	var how string
	switch port := q.port(); {
	case !s.protected():
		how = "It goes in the clear: " + q.clearBecause() + "."
	case s.protection() == spec.WireUDP:
		how = fmt.Sprintf("Both speak %s: IKE is on port %d, and ESP in UDP beside it.", q.traversal().Dialect, port)
	case port == 0:
		how = fmt.Sprintf("It goes as %s, whose SAs were there before.", howSent(s.protection()))
	default:
		how = fmt.Sprintf("IKE is on port %d, and %s goes as it is.", port, howSent(s.protection()))
	}
	return how + translated(t)
}

// translated is a sentence about what became of the addresses of a datagram; empty: nothing.
func translated(t trail) string {
	made := t.translations()
	if len(made) == 0 {
		return ""
	}
	return " On the way " + strings.Join(made, "; ") + "."
}

// onTheWay is the same of the first message of IKE.
func (q *inquiry) onTheWay() string {
	i := q.sightingOf(func(s *sighting) bool { return s.node == q.from && s.isIKE() })
	if i < 0 {
		return ""
	}
	return translated(q.lab.trail(i))
}

// howSent are the words of an explanation for what the wire shows.
func howSent(protection string) string {
	switch protection {
	case spec.WireClear:
		return "in the clear"
	case spec.WireUDP:
		return "ESP in UDP"
	}
	return strings.ToUpper(protection)
}

// clearBecause is what the sender's policy says of traffic in the clear.
func (q *inquiry) clearBecause() string {
	for _, e := range slices.Backward(q.lab.log.Events()[:q.end.events]) {
		v, ok := e.Body.(trace.Verdict)
		if ok && e.Node == q.from && v.Direction == "outbound" && v.Outcome == "passed" && q.request().is(v.Packet) {
			if v.Rule == "" {
				return "no rule of " + q.from + " is for it"
			}
			return fmt.Sprintf("so says %s of %s (%s)", v.Rule, q.from, v.Action)
		}
	}
	return q.from + " has no policy"
}

// whyNoAnswer finds the message of IKE that was never answered, and where it or its answer ended.
func (q *inquiry) whyNoAnswer() (string, bool) {
	var message trace.IKEMessage
	copies, at := 0, time.Duration(0)
	var heard *trace.IKEMessage // what came back to it and was of no use
	for _, e := range q.events {
		m, ok := e.Body.(trace.IKEMessage)
		switch {
		case !ok || e.Node != q.from || m.Exchange == "informational":
		case m.Sent && m.Retransmit == 0:
			message, copies, at, heard = m, 1, e.At, nil
		case m.Sent:
			copies++
		default:
			heard = &m
		}
	}
	if copies == 0 {
		return "", false
	}
	i := q.sightingOf(func(s *sighting) bool { return s.node == q.from && s.isIKE() && s.at >= at })
	if i < 0 {
		return fmt.Sprintf("Message %d of %s never left %s.", message.Number, message.Exchange, q.from), true
	}
	t := q.lab.trail(i)
	text := fmt.Sprintf("Message %d of %s, sent %s to %s, got no answer: ", message.Number, message.Exchange, times(copies), message.Remote)
	switch {
	case !t.host || t.reason != "":
		return text + t.fate() + ".", true
	case heard != nil && heard.Note != "":
		return fmt.Sprintf("%s%s, and what came back was of no use: %s.", text, t.fate(), heard.Note), true
	}
	back := q.sightingOf(func(s *sighting) bool { return s.node == t.end && s.isIKE() && s.at >= t.last().at })
	if back < 0 {
		if note := q.said(t.end); note != "" {
			return fmt.Sprintf("%s%s, which %s.", text, t.fate(), note), true
		}
		return fmt.Sprintf("%s%s, which did not answer.", text, t.fate()), true
	}
	return fmt.Sprintf("%s%s; of the answer: %s.", text, t.fate(), q.lab.trail(back).fate()), true
}

// said is what a host says of a message of the negotiation that it left unanswered.
func (q *inquiry) said(host string) string {
	for _, e := range q.events {
		if m, ok := e.Body.(trace.IKEMessage); ok && e.Node == host && !m.Sent && m.Note != "" && q.talk[m.CookieI.String()] {
			if why, ok := strings.CutPrefix(m.Note, "ignored: "); ok {
				return "ignored it: " + why
			}
			return "did not answer: " + m.Note
		}
	}
	return ""
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// sightingOf is the first frame of the step that fits; -1: none.
func (q *inquiry) sightingOf(fits func(*sighting) bool) int {
	for i := q.first; i < q.ends; i++ {
		if s := &q.lab.wire.seen[i]; s.first && fits(s) {
			return i
		}
	}
	return -1
}

// whyItWasLost follows the first packet of the traffic, and the answer to it.
func (q *inquiry) whyItWasLost(i int) (outcome, explanation string) {
	s := &q.lab.wire.seen[i]
	t := q.lab.trail(i)
	text := fmt.Sprintf("The first packet, %s to %s: ", howSent(s.protection()), s.dst)
	if !t.host {
		return spec.OutcomeLost, text + t.fate() + "."
	}
	if why := q.stopped(t.end, t.last().at); why != "" {
		return spec.OutcomeBlocked, fmt.Sprintf("%sit reached %s, which dropped it: %s.", text, t.end, why)
	}
	back := q.sightingOf(func(s *sighting) bool { return s.node == t.end && !s.keying() && s.at >= t.last().at })
	switch {
	case q.sums[t.end] > 0:
		return spec.OutcomeChecksum, fmt.Sprintf("%s%s, where its checksum is wrong.", text, t.fate())
	case back < 0:
		return spec.OutcomeLost, fmt.Sprintf("%s%s, and nothing came of it: %s.", text, t.fate(), describe(*q.report))
	}
	r := q.lab.trail(back)
	if r.end == q.from {
		if q.sums[q.from] > 0 {
			return spec.OutcomeChecksum, fmt.Sprintf("%s%s; the answer came back to %s, where its checksum is wrong.", text, t.fate(), q.from)
		}
		if why := q.stopped(q.from, r.last().at); why != "" {
			return spec.OutcomeBlocked, fmt.Sprintf("%s%s; the answer came back to %s, which dropped it: %s.", text, t.fate(), q.from, why)
		}
	}
	return spec.OutcomeLost, fmt.Sprintf("%s%s; of the answer: %s (%s).", text, t.fate(), r.fate(), describe(*q.report))
}

// stopped is why a host dropped a packet of the traffic, from a time on; empty: it did not.
func (q *inquiry) stopped(host string, since time.Duration) string {
	for _, e := range q.events {
		if e.Node != host || e.At < since {
			continue
		}
		switch b := e.Body.(type) {
		case trace.PacketDropped:
			return strings.TrimSuffix(fmt.Sprintf("%s (%s)", b.Reason, b.Rule), " ()")
		case trace.Verdict:
			if b.Outcome == "dropped" {
				return fmt.Sprintf("%s (%s)", cmp.Or(b.Why, b.Action), cmp.Or(b.Rule, b.Action))
			}
		}
	}
	return ""
}

// outcomeOf is the outcome that the reason of a failed negotiation tells of.
func outcomeOf(reason, otherwise string) string {
	if strings.Contains(reason, "cannot be told apart") { // RFC 3948, Section 5
		return spec.OutcomeConflict
	}
	return otherwise
}
