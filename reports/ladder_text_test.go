package reports

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// Widths of a ladder in text, in characters.
const (
	textTime = 16 // the column of times
	textLane = 50 // from the middle of a column to the middle of the next
	textCell = 46 // the longest line of a note
)

// Ladder writes the message ladder of a trace as text, one column per host in
// the order in which they appear: steps, IKE messages, changes of negotiations
// and SAs, drops, and protected traffic in runs. Repetitions are folded and
// counted, as in the HTML report: what tests hold against files that people can read.
func Ladder(w io.Writer, events []trace.Event) error {
	t := texter{Writer: bufio.NewWriter(w), ladder: newLadder(events, nil, nil, innerFrames(events))}
	t.heads()
	t.lines(t.rows)
	if t.omitted > 0 {
		fmt.Fprintf(t, "… %s not drawn\n", plural(t.omitted, "more row"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("reports: writing a ladder: %w", err)
	}
	return nil
}

type texter struct {
	*bufio.Writer
	*ladder
}

// middle is where the line of a column stands.
func (t *texter) middle(column int) int { return textTime + textLane/2 + column*textLane }

// line is the empty ladder as runes, to be written upon.
func (t *texter) line(at string) []rune {
	s := []rune(strings.Repeat(" ", textTime+len(t.columns)*textLane))
	copy(s, []rune(fmt.Sprintf("%*s", textTime-2, at)))
	for c := range t.columns {
		s[t.middle(c)] = '|'
	}
	return s
}

func (t *texter) print(s []rune) { fmt.Fprintln(t, strings.TrimRight(string(s), " ")) }

// centre writes a text around a position.
func centre(s []rune, middle int, text string) {
	n := utf8.RuneCountInString(text)
	start := max(middle-n/2, textTime)
	for i, r := range []rune(text) {
		if start+i < len(s) {
			s[start+i] = r
		}
	}
}

func (t *texter) heads() {
	s := []rune(strings.Repeat(" ", textTime+len(t.columns)*textLane))
	for c, name := range t.columns {
		centre(s, t.middle(c), plain(short(name, textCell)))
	}
	t.print(s)
}

func (t *texter) lines(rows []row) {
	for _, r := range rows {
		at := clock(r.at)
		switch {
		case r.step != nil:
			verdict := r.step.Verdict
			if verdict == "" {
				verdict = "never judged"
			}
			fmt.Fprintf(t, "%*s  == step %d, %s: %s [%s]\n", textTime-2, at, r.step.Index, plain(r.step.Verb), plain(r.step.Title), plain(verdict))
			if r.step.Why != "" {
				fmt.Fprintf(t, "%*s     %s\n", textTime-2, "", plain(r.step.Why))
			}
		case r.message != nil:
			m := r.message
			label := m.name()
			if c := m.contents(); c != "" {
				label += ": " + c
			}
			if m.Retransmit > 0 {
				label += fmt.Sprintf(" (again, %d)", m.Retransmit)
			}
			t.arrow(at, m.from, m.to, label, m.lost, false)
			for _, n := range m.notes {
				t.note("", note{column: m.to, text: n})
			}
		case r.traffic != nil:
			d := r.traffic
			label := fmt.Sprintf("%s, %s, %s", d.class, plural(d.frames+d.back, "frame"), size(d.bytes+d.backByte))
			t.arrow(at, d.from, d.to, label, false, d.back > 0)
		case r.fold != nil:
			if r.fold.times > 0 {
				fmt.Fprintf(t, "%*s  %s\n", textTime-2, at, r.fold.title(r))
				continue
			}
			// What is merely long is not repeated elsewhere: only repetitions stay hidden in text.
			t.lines(r.fold.rows)
			if r.fold.omitted > 0 {
				fmt.Fprintf(t, "… %s not drawn\n", plural(r.fold.omitted, "more row"))
			}
		default:
			for _, n := range r.notes {
				t.note(at, n)
				at = ""
			}
		}
	}
}

// note writes a note under its column, in as many lines as it takes; bad ones with their details.
func (t *texter) note(at string, n note) {
	text := plain(n.text)
	if n.kind == noteBad && n.detail != "" {
		text += " / " + plain(strings.ReplaceAll(n.detail, "\n", " / "))
	}
	for i, line := range wrap("["+text+"]", textCell) {
		if i > 0 {
			at = ""
		}
		s := t.line(at)
		if n.column < 0 {
			centre(s, textTime+utf8.RuneCountInString(line)/2, line)
		} else {
			centre(s, t.middle(n.column), line)
		}
		t.print(s)
	}
}

// wrap breaks a text into lines of at most width characters, at spaces where it can.
func wrap(text string, width int) []string {
	var out []string
	for r := []rune(text); ; {
		if len(r) <= width {
			return append(out, string(r))
		}
		end := width
		for end > width/2 && r[end] != ' ' {
			end--
		}
		if r[end] != ' ' {
			end = width
		}
		out = append(out, string(r[:end]))
		for r = r[end:]; len(r) > 1 && r[0] == ' '; {
			r = r[1:]
		}
	}
}

func (t *texter) arrow(at string, from, to int, label string, lost, both bool) {
	s := t.line(at)
	left, right := t.middle(min(from, to)), t.middle(max(from, to))
	if left == right {
		centre(s, left, "("+short(plain(label), textCell-2)+")")
		t.print(s)
		return
	}
	for i := left + 1; i < right; i++ {
		s[i] = '-'
	}
	if from < to || both {
		s[right-1] = '>'
	}
	if from > to || both {
		s[left+1] = '<'
	}
	centre(s, (left+right)/2, " "+short(plain(label), right-left-10)+" ")
	if lost {
		if from < to {
			s[right-1] = 'x'
		} else {
			s[left+1] = 'x'
		}
	}
	t.print(s)
}

// plain keeps a text on its line and terminals from obeying it.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// innerFrames makes data traffic of a trace alone, for a ladder without a capture.
func innerFrames(events []trace.Event) []dataFrame {
	var out []dataFrame
	for _, e := range events {
		in, ok := e.Body.(trace.Inner)
		if !ok {
			continue
		}
		d := decodeInner(in.Data)
		if d.src == "" {
			continue
		}
		out = append(out, dataFrame{at: e.At, from: d.src, to: d.dst, class: in.Protocol + " (" + d.proto + ")", length: in.Length})
	}
	return out
}
