package reports

import (
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// ladder is a message sequence chart: one column per host, rows in the order in
// which things happened.
type ladder struct {
	columns []string
	rows    []row
	omitted int // rows beyond ladderRows, which are not in rows at any depth
}

// row is one line of a ladder; exactly one of its pointers or slices is set.
type row struct {
	at      time.Duration
	step    *stepMark
	message *message
	notes   []note // at one time, on one or more columns
	traffic *traffic
	fold    *fold
}

// stepMark is where a step of the scenario begins.
type stepMark struct {
	trace.Step
	Verdict string // "" when it was never judged
	Why     string // of a failure
	Ended   bool   // End is known: a trace alone tells when a step was judged, not when it ended
	End     time.Duration
}

// message is one IKE message, sent and received.
type message struct {
	trace.IKEMessage               // as the sender knew it, or the receiver when no sender is known
	from, to         int           // columns
	received         time.Duration // when it arrived
	lost             bool          // nobody received it
	notes            []string      // what either side said about it
	words            words         // about what it decides
}

// noteKind is what a note tells; it chooses the colour.
type noteKind string

// The kinds of notes.
const (
	noteGood   noteKind = "good"   // established
	noteBad    noteKind = "bad"    // failed, dropped, violated
	noteSA     noteKind = "sa"     // an SA came
	noteGone   noteKind = "gone"   // an SA or a negotiation ended
	notePolicy noteKind = "policy" // policy and driver
	noteWorld  noteKind = "world"  // links and other circumstances
)

// note is a change of state on one host.
type note struct {
	column int // -1: of no host
	kind   noteKind
	text   string
	detail string
	same   string // what makes two notes alike, without SPIs and other passing values
	sa     *trace.SAAdded
}

// traffic is a run of frames of one kind between two hosts.
type traffic struct {
	from, to       int // of the first frame
	class          string
	frames, bytes  int // from → to
	back, backByte int // to → from
	last           time.Duration
}

// fold stands for rows that are not shown at once.
type fold struct {
	times   int // repetitions of the rows above; 0: simply many rows
	of      int // how many rows above are repeated
	rows    []row
	total   int    // rows that it stands for
	kinds   string // what they show, in words
	omitted int    // of these, not in rows at any depth
	until   time.Duration
}

// builder makes a ladder of events.
type builder struct {
	ladder
	column  map[string]int
	address map[string]int // of a column
}

// newLadder draws the events in the order of time. hosts fixes the first columns, in
// that order; the others follow as they appear, and columns that nothing happened
// on are left out. addresses maps the hosts' addresses to their names. The
// frames are data traffic to show between the events.
func newLadder(events []trace.Event, hosts []string, addresses map[string]string, frames []dataFrame) *ladder {
	b := &builder{column: map[string]int{}, address: map[string]int{}}
	for _, h := range hosts {
		b.of(h)
	}
	for _, e := range events {
		b.learn(e)
	}
	for a, node := range addresses {
		if c, ok := b.column[node]; ok {
			b.address[a] = c
		}
	}
	b.build(events, frames)
	b.dropUnused()
	b.rows = foldRepeats(mergeRows(b.rows))
	b.limit()
	return &b.ladder
}

// of is the column of a host, made if it is new; -1 for the world itself.
func (b *builder) of(node string) int {
	if node == "" {
		return -1
	}
	c, ok := b.column[node]
	if !ok {
		c = len(b.columns)
		b.column[node] = c
		b.columns = append(b.columns, node)
	}
	return c
}

// learn notes which addresses the host of an event has.
func (b *builder) learn(e trace.Event) {
	if e.Node == "" {
		return
	}
	switch m := e.Body.(type) {
	case trace.IKEMessage:
		b.address[host(m.Local)] = b.of(e.Node)
	case trace.SAAdded:
		if m.Mode != "transport" {
			return
		}
		if m.Direction == "outbound" {
			b.address[m.Src] = b.of(e.Node)
		} else {
			b.address[m.Dst] = b.of(e.Node)
		}
	}
}

// at is the column of an address, which becomes a column itself when no host has it.
func (b *builder) at(address string) int {
	address = host(address)
	if c, ok := b.address[address]; ok {
		return c
	}
	if address == "" {
		return b.of("unknown address")
	}
	c := b.of(address)
	b.address[address] = c
	return c
}

// host is an address without its port.
func host(address string) string {
	if strings.Count(address, ":") == 1 {
		address, _, _ = strings.Cut(address, ":")
	} else if end := strings.Index(address, "]"); end > 0 && address[0] == '[' {
		address = address[1:end]
	}
	return address
}

func (b *builder) build(events []trace.Event, frames []dataFrame) {
	pairs, accounts := pairMessages(events), accountsOf(events)
	steps := stepMarks(events)
	for i, e := range events {
		for len(frames) > 0 && frames[0].at < e.At {
			b.frame(frames[0])
			frames = frames[1:]
		}
		switch body := e.Body.(type) {
		case trace.Step:
			if mark := steps[i]; mark != nil {
				b.rows = append(b.rows, row{at: e.At, step: mark})
			}
		case trace.IKEMessage:
			b.message(e, body, pairs[i], accounts[exchangeKey{body.CookieI.String(), body.Exchange, body.MessageID}])
		default:
			if n, ok := b.note(e); ok {
				b.rows = append(b.rows, row{at: e.At, notes: []note{n}})
			}
		}
	}
	for _, f := range frames {
		b.frame(f)
	}
}

// stepMarks finds the start of each step, by the index of its event, and what became of it.
func stepMarks(events []trace.Event) map[int]*stepMark {
	marks := map[int]*stepMark{}
	open := map[int]*stepMark{}
	for i, e := range events {
		s, ok := e.Body.(trace.Step)
		if !ok {
			continue
		}
		if s.State == "started" {
			m := &stepMark{Step: s}
			marks[i], open[s.Index] = m, m
			continue
		}
		if m := open[s.Index]; m != nil {
			m.Verdict, m.Why = s.State, s.Failure
			delete(open, s.Index)
		}
	}
	return marks
}

func (b *builder) message(e trace.Event, m trace.IKEMessage, p pairing, a *account) {
	r := row{at: e.At, message: &message{IKEMessage: m, received: p.at}}
	own := b.of(e.Node)
	if own < 0 {
		own = b.at(m.Local)
	}
	switch {
	case m.Sent:
		r.message.from, r.message.to = own, b.at(m.Remote)
		r.message.lost = !p.found
		if to := b.of(p.node); p.found && to >= 0 {
			r.message.to = to // a NAT may hide who that is
		}
	case p.found:
		return // shown where it was sent
	default:
		r.message.from, r.message.to = b.at(m.Remote), own
		r.message.received = e.At
	}
	r.message.words = a.wordsAt(r.message)
	for _, n := range []string{m.Note, p.note} {
		if n != "" && !slices.Contains(r.message.notes, n) {
			r.message.notes = append(r.message.notes, n)
		}
	}
	b.rows = append(b.rows, r)
}

// frame adds a frame to the run of its kind since the last other row.
func (b *builder) frame(f dataFrame) {
	from, to := b.at(f.from), b.at(f.to)
	if f.node != "" {
		from = b.of(f.node)
	}
	for i := len(b.rows) - 1; i >= 0 && b.rows[i].traffic != nil; i-- {
		t := b.rows[i].traffic
		if t.class != f.class {
			continue
		}
		switch {
		case t.from == from && t.to == to:
			t.frames, t.bytes = t.frames+1, t.bytes+f.length
		case t.from == to && t.to == from:
			t.back, t.backByte = t.back+1, t.backByte+f.length
		default:
			continue
		}
		t.last = f.at
		return
	}
	b.rows = append(b.rows, row{at: f.at, traffic: &traffic{
		from: from, to: to, class: f.class, frames: 1, bytes: f.length, last: f.at,
	}})
}

// dropUnused takes out the columns that no row uses.
func (b *builder) dropUnused() {
	used := make([]bool, len(b.columns))
	mark := func(c int) {
		if c >= 0 {
			used[c] = true
		}
	}
	for _, r := range b.rows {
		for _, n := range r.notes {
			mark(n.column)
		}
		if r.message != nil {
			mark(r.message.from)
			mark(r.message.to)
		}
		if r.traffic != nil {
			mark(r.traffic.from)
			mark(r.traffic.to)
		}
	}
	to := make([]int, len(used))
	kept := b.columns[:0]
	for c, name := range b.columns {
		if to[c] = -1; used[c] {
			to[c] = len(kept)
			kept = append(kept, name)
		}
	}
	b.columns = kept
	for i := range b.rows {
		r := &b.rows[i]
		for k := range r.notes {
			if c := &r.notes[k].column; *c >= 0 {
				*c = to[*c]
			}
		}
		if r.message != nil {
			r.message.from, r.message.to = to[r.message.from], to[r.message.to]
		}
		if r.traffic != nil {
			r.traffic.from, r.traffic.to = to[r.traffic.from], to[r.traffic.to]
		}
	}
}
