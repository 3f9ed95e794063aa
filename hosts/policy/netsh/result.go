package netsh

import (
	"fmt"
	"strings"
)

// Outcome is what became of a line.
type Outcome uint8

// The outcomes of lines.
const (
	Blank   Outcome = iota + 1 // an empty line, or a comment
	Done                       // it did what it says
	Noted                      // it is understood and has no effect here, or less than it says
	Refused                    // it did nothing
)

// String is the outcome in a word.
func (o Outcome) String() string {
	switch o {
	case Blank:
		return "blank"
	case Done:
		return "done"
	case Noted:
		return "noted"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Line is what became of one logical line of a script.
type Line struct {
	File    string // as given to Run, or the file that the script includes
	First   int    // its physical lines, from 1
	Last    int
	Line    int    // where it begins, or where the mistake is
	Column  int    // in characters from 1
	Text    string // the line without the space around it
	Command string // its command in full, once it is known: "ipsec static add filter"
	Outcome Outcome
	Reason  string // of lines that are noted or refused
}

func (l Line) place() place { return place{l.Line, l.Column} }

// String is file:line:column: command: reason.
func (l Line) String() string {
	s := fmt.Sprintf("%s:%d:%d: ", l.File, l.Line, l.Column)
	if l.Command != "" {
		s += l.Command + ": "
	}
	return s + l.Reason
}

// Result is what became of a script: each logical line, in order; the lines of
// included files stand behind the line that includes them.
type Result struct{ Lines []Line }

// Refused are the lines that did nothing.
func (r *Result) Refused() []Line { return r.of(Refused) }

// Notes are the lines that had no effect, or less than they say.
func (r *Result) Notes() []Line { return r.of(Noted) }

func (r *Result) of(o Outcome) (all []Line) {
	for _, l := range r.Lines {
		if l.Outcome == o {
			all = append(all, l)
		}
	}
	return all
}

// Err is nil when no line was refused, and else says which were.
func (r *Result) Err() error {
	refused := r.Refused()
	if len(refused) == 0 {
		return nil
	}
	texts := make([]string, len(refused))
	for i, l := range refused {
		texts[i] = l.String()
	}
	return fmt.Errorf("netsh: %s", strings.Join(texts, "\n"))
}

// refusal is why a line is refused, and where.
type refusal struct {
	at     place
	reason string
}

func (r *refusal) Error() string { return r.reason }

func refuse(at place, format string, args ...any) error {
	return &refusal{at, fmt.Sprintf(format, args...)}
}
