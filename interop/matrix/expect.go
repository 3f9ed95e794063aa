package matrix

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
)

// Expectations are the accepted failures: cells that are known not to pass, each with its reason.
type Expectations struct {
	list  []result.MatrixExpectation
	globs []Glob
}

// noteForm is where a note may be: a file of the repository, an issue, or an address.
var noteForm = regexp.MustCompile(`^(docs/notes/[A-Za-z0-9._/-]+\.md(#[a-z0-9-]+)?|#[0-9]+|https://\S+)$`)

// ParseExpectations reads interop/expect.json.
func ParseExpectations(b []byte) (*Expectations, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var file result.MatrixExpectations
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("matrix: accepted failures: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("matrix: accepted failures: something follows the list")
	}
	e := &Expectations{list: file.Expect}
	for i, x := range file.Expect {
		bad := func(format string, args ...any) error {
			return fmt.Errorf("matrix: accepted failure %d (%s): %s", i+1, x.Cells, fmt.Sprintf(format, args...))
		}
		g, err := NewGlob(x.Cells)
		switch {
		case err != nil:
			return nil, bad("cells: %v", err)
		case x.Outcome != result.Failed && x.Outcome != result.Broken:
			return nil, bad("outcome: %q: want failed or broken; what cannot be done at all is unsupported, in cases.yaml", x.Outcome)
		case strings.TrimSpace(x.Reason) == "":
			return nil, bad("reason: say why it is accepted")
		case !noteForm.MatchString(x.Note):
			return nil, bad("note: %q: want docs/notes/NAME.md, #ISSUE or an address with https", x.Note)
		}
		e.globs = append(e.globs, g)
	}
	return e, nil
}

// Stale are those that no cell has. It is asked of the whole matrix: what is not run today is not stale.
func (e *Expectations) Stale(whole []Cell) (stale []result.MatrixExpectation) {
	if e == nil {
		return nil
	}
	for i, x := range e.list {
		used := false
		for _, c := range whole {
			used = used || c.Unsupported == "" && e.globs[i].Cell(c.CellID)
		}
		if !used {
			stale = append(stale, x)
		}
	}
	return stale
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
