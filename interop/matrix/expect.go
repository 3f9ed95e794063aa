package matrix

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Expectations are the accepted failures: cells that are known not to pass, each with its reason.
type Expectations struct {
	list  []result.MatrixExpectation
	globs []Glob
}

// noteForm is where a note may be: a file of the repository, an issue, or an address.
var noteForm = regexp.MustCompile(`^(docs/notes/[A-Za-z0-9._/-]+\.md(#[a-z0-9-]+)?|#[0-9]+|https://\S+)$`)

// ParseExpectations reads a list such as interop/expect.json, which messages call name. An entry
// that means no cell of the whole matrix is a mistake, and so is one whose note is a file that is not
// there; nil: nobody looks. The error, when there is one, is a [spec.Errors] with all mistakes.
func ParseExpectations(name string, src []byte, whole []Cell, there func(file string) bool) (*Expectations, error) {
	var file result.MatrixExpectations
	doc, err := spec.ReadJSON(name, "list of accepted failures", src, &file)
	if err != nil {
		return nil, err
	}
	e := &Expectations{list: file.Expect}
	for i, x := range file.Expect {
		fail := func(key, format string, args ...any) {
			doc.Fail(spec.Path("expect", i, key), key+": "+format, args...)
		}
		g, err := NewGlob(x.Cells)
		e.globs = append(e.globs, g)
		if err != nil {
			fail("cells", "%v, got %q", err, x.Cells)
		} else if why := idle(g, whole); why != "" {
			fail("cells", "%s", why)
		}
		if x.Outcome != result.Failed && x.Outcome != result.Broken {
			fail("outcome", "want failed or broken, got %q; what cannot be done at all is unsupported, in cases.yaml", x.Outcome)
		}
		if strings.TrimSpace(x.Reason) == "" {
			fail("reason", "say why it is accepted")
		}
		file, _, _ := strings.Cut(x.Note, "#")
		switch {
		case !noteForm.MatchString(x.Note):
			fail("note", "want docs/notes/NAME.md, #ISSUE or an address with https, got %q", x.Note)
		case there != nil && strings.HasPrefix(file, "docs/") && !there(file):
			fail("note", "there is no file %s", file)
		}
	}
	return e, doc.Err()
}

// idle says why no cell can be accepted by a pattern; empty: one can.
func idle(g Glob, whole []Cell) (why string) {
	why = fmt.Sprintf("no cell of the matrix is called %s: take it out if the cells are gone", g)
	for _, c := range whole {
		if g.Cell(c.CellID) {
			if c.Unsupported == "" {
				return ""
			}
			why = fmt.Sprintf("%s means cells that are left out: %s", g, c.Unsupported)
		}
	}
	return why
}

// Judge says what a cell counts as, and by which accepted failure.
func (e *Expectations) Judge(id CellID, o result.Outcome, reason string) (result.Kind, *result.MatrixExpectation) {
	kind := map[result.Outcome]result.Kind{
		result.Passed: result.KindPassed, result.Unsupported: result.KindUnsupported, result.Failed: result.KindFailed, result.Broken: result.KindBroken,
	}[o]
	if kind == "" {
		return result.KindNotRun, nil
	}
	if e == nil || kind == result.KindUnsupported {
		return kind, nil
	}
	for i, x := range e.list {
		switch {
		case !e.globs[i].Cell(id):
		case kind == result.KindPassed:
			return result.KindUnexpected, &e.list[i]
		case x.Outcome == o && strings.Contains(reason, x.Saying):
			return result.KindAccepted, &e.list[i]
		}
	}
	return kind, nil
}
