package spec

import (
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a scenario. Line and Column count from 1 and are 0
// where the scenario was built in code or the mistake is the whole file's.
type Error struct {
	File    string `json:"file,omitempty"` // as given to Parse
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"` // $.steps[2].ping.to; indexes count from 0
	Message string `json:"message"`
	Excerpt string `json:"excerpt,omitempty"` // the line and the one before it, with a pointer below; no newline at its end
}

// Error is file:line:column: message, and the excerpt on the lines below. A
// mistake without a line has its path instead.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ":")
	}
	switch {
	case e.Line > 0:
		fmt.Fprintf(&b, "%d:%d: ", e.Line, e.Column)
	case e.Path != "" && e.Path != "$":
		b.WriteString(" " + e.Path + ": ")
	case e.File != "":
		b.WriteString(" ")
	}
	b.WriteString(e.Message)
	if e.Excerpt != "" {
		b.WriteString("\n" + e.Excerpt)
	}
	return strings.TrimPrefix(b.String(), " ")
}

// Errors are all mistakes of one scenario, in the order of the file.
type Errors []*Error

func (e Errors) Error() string {
	texts := make([]string, len(e))
	for i := range e {
		texts[i] = e[i].Error()
	}
	return strings.Join(texts, "\n")
}

// Unwrap gives errors.As and errors.Is each mistake.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i := range e {
		all[i] = e[i]
	}
	return all
}

// Mistakes are the mistakes that an error consists of; nil when it is another kind of error.
func Mistakes(err error) (all Errors) {
	switch x := err.(type) {
	case *Error:
		return Errors{x}
	case interface{ Unwrap() []error }:
		for _, e := range x.Unwrap() {
			all = append(all, Mistakes(e)...)
		}
	case interface{ Unwrap() error }:
		return Mistakes(x.Unwrap())
	}
	return all
}

// maxErrors bounds the mistakes reported for one file.
const maxErrors = 100

// sorted puts mistakes into the order of the file.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return e
}

// orNil is the mistakes as an error, nil for none.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e.sorted()
}
