package reports

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// Limits of the decoded messages in a report.
const (
	maxDecoded    = 400 // messages whose payloads are shown
	maxFields     = 400 // of one message
	maxFieldDepth = 12
)

// ladderView is a ladder ready for the template. A row is a grid of two cells
// per column, so that arrows run between the middles of columns.
type ladderView struct {
	Columns []string
	Rows    []rungView
	Omitted int
}

// rungView is one row.
type rungView struct {
	Kind string // step, message, notes, traffic, fold
	At   string

	Step *stepMark

	From, To int    // grid lines of an arrow, From < To
	Arrow    string // right, left, both, self
	Class    string
	Label    string
	Sub      string
	Tags     []tag
	Details  []detail
	Fields   []trace.Field
	Decoded  string // why there are no fields
	Decision *decisionView
	Proof    *proofView

	Notes []noteView

	Fold *foldView
}

type tag struct{ Class, Text string }

type detail struct{ Name, Value string }

type noteView struct {
	From, To int
	Class    string
	Text     string
	Detail   []string
}

type foldView struct {
	Title   string
	Rows    []rungView
	Omitted int
}

func newLadderView(l *ladder) ladderView {
	v := viewer{ladder: l}
	return ladderView{Columns: l.columns, Rows: v.rungs(l.rows), Omitted: l.omitted}
}

type viewer struct {
	*ladder
	decoded int
}

func (v *viewer) rungs(rows []row) []rungView {
	var out []rungView
	for _, r := range rows {
		rung := rungView{At: clock(r.at)}
		switch {
		case r.step != nil:
			rung.Kind, rung.Step = "step", r.step
		case r.message != nil:
			v.message(&rung, r)
		case r.traffic != nil:
			rung.traffic(r.traffic)
		case r.fold != nil:
			rung.Kind = "fold"
			rung.Fold = &foldView{Title: r.fold.title(r), Rows: v.rungs(r.fold.rows), Omitted: r.fold.omitted}
		default:
			rung.Kind = "notes"
			for _, n := range r.notes {
				rung.Notes = append(rung.Notes, newNoteView(n))
			}
		}
		out = append(out, rung)
	}
	return out
}

// title says what a fold hides.
func (f *fold) title(r row) string {
	when := fmt.Sprintf("%s – %s", clock(r.at), clock(f.until))
	if f.times > 0 {
		above := "the row above"
		if f.of > 1 {
			above = fmt.Sprintf("the %d rows above", f.of)
		}
		return fmt.Sprintf("… %s of %s (%s: %s)", plural(f.times, "more repetition"), above, when, f.kinds)
	}
	return fmt.Sprintf("… %s (%s: %s)", plural(f.total, "more row"), when, f.kinds)
}

// arrow sets the grid lines of an arrow between two columns.
func (r *rungView) arrow(from, to int) {
	middle := func(c int) int { return 2*c + 2 }
	switch {
	case from < to:
		r.From, r.To, r.Arrow = middle(from), middle(to), "right"
	case from > to:
		r.From, r.To, r.Arrow = middle(to), middle(from), "left"
	default:
		r.From, r.To, r.Arrow = 2*from+1, 2*from+3, "self"
	}
}

func (v *viewer) message(r *rungView, in row) {
	m := in.message
	r.Kind, r.Class = "message", "ike"
	r.arrow(m.from, m.to)
	r.Label, r.Sub = m.name(), m.contents()
	add := func(class, text string) { r.Tags = append(r.Tags, tag{class, text}) }
	if m.Encrypted {
		add("enc", "encrypted")
	}
	if m.Retransmit > 0 {
		add("warn", fmt.Sprintf("retransmission %d", m.Retransmit))
	}
	if m.lost {
		add("bad", "not received")
		r.Class += " lost"
	}
	for _, n := range m.notes {
		add("note", n)
	}
	if t := m.words.Tag; t.Text != "" {
		r.Tags = append(r.Tags, t)
	}
	line := func(name, value string) { r.Details = append(r.Details, detail{name, value}) }
	from, to := m.Local, m.Remote
	if !m.Sent {
		from, to = to, from
	}
	line("from", from)
	line("to", to)
	line("cookies", m.CookieI.String()+" "+m.CookieR.String())
	line("message id", fmt.Sprintf("0x%08x", m.MessageID))
	line("length", fmt.Sprintf("%d bytes", m.Length))
	if m.Sent && !m.lost {
		line("received after", span(m.received-in.at))
	}
	switch {
	case len(m.Payloads) == 0:
		r.Decoded = "no payloads were decoded"
	case v.decoded >= maxDecoded:
		r.Decoded = fmt.Sprintf("payloads of messages after the first %d are in trace.jsonl", maxDecoded)
	default:
		v.decoded++
		r.Decision, r.Proof = m.words.Decision, m.words.Proof
		left := maxFields
		r.Fields = trim(m.Payloads, maxFieldDepth, &left)
		if left == 0 {
			r.Decoded = "… more fields are in trace.jsonl"
		}
	}
}

// trim copies a field tree within limits, and says so where it cuts.
func trim(fields []trace.Field, depth int, left *int) []trace.Field {
	var out []trace.Field
	for i, f := range fields {
		if *left == 0 || depth == 0 {
			return append(out, trace.Field{Name: fmt.Sprintf("… %s", plural(len(fields)-i, "more field"))})
		}
		*left--
		f.Fields = trim(f.Fields, depth-1, left)
		out = append(out, f)
	}
	return out
}

func (r *rungView) traffic(t *traffic) {
	r.Kind, r.Class = "traffic", "data"
	if strings.HasPrefix(t.class, classClear) {
		r.Class += " clear"
	} else {
		r.Class += " protected"
	}
	r.arrow(t.from, t.to)
	if t.back > 0 && r.Arrow != "self" {
		r.Arrow = "both"
	}
	r.Label = t.class + ": " + plural(t.frames+t.back, "frame")
	r.Sub = size(t.bytes + t.backByte)
	if t.back > 0 {
		first, second := t.frames, t.back
		if t.from > t.to {
			first, second = second, first
		}
		r.Sub = fmt.Sprintf("%s → · ← %s, %s", count(first), count(second), r.Sub)
	}
	if t.frames+t.back > 1 {
		r.Sub += ", until " + clock(t.last)
	}
}

func newNoteView(n note) noteView {
	v := noteView{From: 1, To: -1, Class: string(n.kind), Text: n.text}
	if n.column >= 0 {
		v.From, v.To = 2*n.column+1, 2*n.column+3
	}
	if n.detail != "" {
		v.Detail = strings.Split(n.detail, "\n")
	}
	return v
}
