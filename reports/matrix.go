package reports

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
)

// MatrixOptions say how a matrix is shown.
type MatrixOptions struct {
	Slower float64 // by which factor a cell has to be slower than earlier to be called so; 0: 1.5
}

// Matrix writes dir/index.html, the heat map of a run of the interop matrix, and a page for each
// cell that has evidence. Against an earlier run, if it is not nil, it says what has changed.
func Matrix(dir string, m, against *result.Matrix, o MatrixOptions) error {
	v := newMatrixView(m, against, o)
	var errs []error
	for _, c := range m.Cells {
		if c.Dir == "" {
			continue
		}
		folder := filepath.Join(dir, filepath.FromSlash(c.Dir))
		if info, err := os.Stat(folder); !filepath.IsLocal(filepath.FromSlash(c.Dir)) || err != nil || !info.IsDir() {
			v.lost(c.ID)
			continue
		}
		errs = append(errs, write(filepath.Join(folder, indexFile), "matrix_cell.html", newMatrixCellPage(folder, m, c, v.Comparison.Of(c.ID))))
	}
	return errors.Join(append(errs, write(filepath.Join(dir, indexFile), "matrix.html", v))...)
}

// matrixKind is how pages call what a cell counts as, and a sign that does without colour.
type matrixKind struct {
	Class       result.Kind // it is the name of a class, too
	Words, Sign string
	Short       string // in a cell's width; empty: how long it took
}

var matrixKinds = map[result.Kind]matrixKind{
	result.KindPassed:      {result.KindPassed, "passed", "✓", ""},
	result.KindAccepted:    {result.KindAccepted, "failed as accepted", "≈", "accepted"},
	result.KindUnsupported: {result.KindUnsupported, "unsupported", "–", ""},
	result.KindNotRun:      {result.KindNotRun, "not run", "·", ""},
	result.KindUnexpected:  {result.KindUnexpected, "passed unexpectedly", "▲", "passes"},
	result.KindFailed:      {result.KindFailed, "failed", "✕", "failed"},
	result.KindBroken:      {result.KindBroken, "broken", "‼", "broken"},
}

// matrixView is what index.html of a matrix shows.
type matrixView struct {
	*result.Matrix
	Kinds       []matrixCount // that occurred, the worst first
	Bad         []*matrixCell // failed, broken, passed unexpectedly, not run
	Heads       []matrixHead
	Columns     []*matrixColumn
	Groups      []matrixGroup
	Accepted    []matrixAccepted
	Unsupported []matrixReason
	Times       []matrixTime
	Comparison  *Comparison // nil: against nothing
	Changes     []matrixChange
	SystemNames []string // that take a role
	cells       map[string]*matrixCell
}

// Verdict is the word for the whole run, and Tone the outcome whose colours it has: cells that cannot be done
// somewhere are as expected as those that pass.
func (v *matrixView) Verdict() string {
	if v.Tone() == result.Passed {
		return "as expected"
	}
	return string(v.Outcome)
}

// Tone is likewise.
func (v *matrixView) Tone() result.Outcome {
	if v.Outcome == result.Unsupported {
		return result.Passed
	}
	return v.Outcome
}

type matrixCount struct {
	matrixKind
	N int
}

// matrixHead spans the columns of a pair.
type matrixHead struct {
	Initiator, Responder string
	Columns              []*matrixColumn
}

// matrixColumn is initiator→responder@driver.
type matrixColumn struct {
	Index                        int
	Initiator, Responder, Driver string
	Kinds                        []matrixCount // in the order of the page's
	N                            int
	Rate                         string // of those that are not unsupported, how many passed
}

func (c *matrixColumn) String() string { return c.Initiator + "→" + c.Responder + "@" + c.Driver }

// matrixGroup are the cases with one first tag.
type matrixGroup struct {
	Name string
	Rows []*matrixRow
}

// matrixRow is a case, or a cell of its file.
type matrixRow struct {
	Name, Title string
	Tags        []string
	Cells       []*matrixCell // by column; nil: there is no such cell
}

type matrixCell struct {
	result.MatrixCell
	matrixKind
	Column *matrixColumn
	Link   string // its page, or where this page says why there is none
	Change *Change
}

// Name is the row of the cell.
func (c *matrixCell) Name() string { return scenarioName(c.MatrixCell) }

// Text is the whole name for people.
func (c *matrixCell) Text() string { return scenarioName(c.MatrixCell) + ":" + c.Column.String() }

func scenarioName(c result.MatrixCell) string {
	if c.Cell == "" {
		return c.Case
	}
	return c.Case + "/" + c.Cell
}

// Label is what stands in the heat map beside the sign.
func (c *matrixCell) Label() string {
	if c.Short == "" && c.Outcome == result.Passed && c.Wall > 0 {
		return fmt.Sprintf("%.1f", c.Wall.Seconds())
	}
	return c.Short
}

// Says is what a screen reader and a pointer say of the cell.
func (c *matrixCell) Says() string {
	text := c.Text() + ": " + c.Words
	if c.Reason != "" {
		text += ": " + short(c.Reason, 300)
	}
	if c.Wall > 0 {
		text += ", " + span(threeDigits(c.Wall))
	}
	if c.Change != nil {
		text += "; " + c.Change.Word
	}
	return text
}

// matrixAccepted is an accepted failure with the cells that it is about.
type matrixAccepted struct {
	result.MatrixExpectation
	NoteLink string
	Cells    []*matrixCell
}

// matrixReason are the cells that are unsupported for one reason.
type matrixReason struct {
	ID, Reason string
	Cells      []*matrixCell
}

// matrixTime is how long things take under one driver.
type matrixTime struct {
	Driver      string
	N           int
	Wall, Ready matrixSpread
	Memory      string // of the largest peer
}

type matrixSpread struct{ Median, Most string }

type matrixChange struct {
	Change
	*matrixCell
}

func newMatrixView(m, against *result.Matrix, o MatrixOptions) *matrixView {
	v := &matrixView{Matrix: m, cells: map[string]*matrixCell{}}
	if against != nil {
		v.Comparison = CompareMatrices(m, against, o)
	}
	kinds := result.Kinds()
	slices.Reverse(kinds)
	for _, k := range kinds {
		if n := m.Totals[k]; n > 0 {
			v.Kinds = append(v.Kinds, matrixCount{matrixKinds[k], n})
		}
	}
	v.place()
	v.reasons()
	v.columns()
	v.times()
	if v.Comparison != nil {
		for _, c := range v.Comparison.Changes {
			v.Changes = append(v.Changes, matrixChange{c, v.cells[c.Cell.ID]})
		}
	}
	return v
}

// place puts the cells into rows and columns.
func (v *matrixView) place() {
	columns := map[string]*matrixColumn{}
	for _, c := range v.Cells {
		col := &matrixColumn{Initiator: c.Initiator, Responder: c.Responder, Driver: c.Driver}
		if columns[col.String()] == nil {
			columns[col.String()] = col
			v.Columns = append(v.Columns, col)
		}
		for _, s := range []string{c.Initiator, c.Responder} {
			if !slices.Contains(v.SystemNames, s) {
				v.SystemNames = append(v.SystemNames, s)
			}
		}
	}
	slices.SortStableFunc(v.Columns, func(a, b *matrixColumn) int { // columns of a pair stand together
		first := func(c *matrixColumn) int {
			return slices.IndexFunc(v.Columns, func(o *matrixColumn) bool { return o.Initiator == c.Initiator && o.Responder == c.Responder })
		}
		return cmp.Compare(first(a), first(b))
	})
	for i, col := range v.Columns {
		col.Index = i
		if n := len(v.Heads); n > 0 && v.Heads[n-1].Initiator == col.Initiator && v.Heads[n-1].Responder == col.Responder {
			v.Heads[n-1].Columns = append(v.Heads[n-1].Columns, col)
		} else {
			v.Heads = append(v.Heads, matrixHead{col.Initiator, col.Responder, []*matrixColumn{col}})
		}
	}
	rows := map[string]*matrixRow{}
	for _, c := range v.Cells {
		col := columns[c.Initiator+"→"+c.Responder+"@"+c.Driver]
		cell := &matrixCell{MatrixCell: c, matrixKind: matrixKinds[c.Kind], Column: col, Change: v.Comparison.Of(c.ID)}
		if c.Dir != "" {
			cell.Link = path.Join(c.Dir, indexFile)
		}
		v.cells[c.ID] = cell
		name := scenarioName(c)
		row := rows[name]
		if row == nil {
			row = &matrixRow{Name: name, Title: c.Title, Tags: c.Tags, Cells: make([]*matrixCell, len(v.Columns))}
			rows[name] = row
			group := "other"
			if len(c.Tags) > 0 {
				group = c.Tags[0]
			}
			i := slices.IndexFunc(v.Groups, func(g matrixGroup) bool { return g.Name == group })
			if i < 0 {
				i = len(v.Groups)
				v.Groups = append(v.Groups, matrixGroup{Name: group})
			}
			v.Groups[i].Rows = append(v.Groups[i].Rows, row)
		}
		row.Cells[col.Index] = cell
	}
}

// reasons lists what needs an explanation: what is wrong, what is accepted and what is unsupported.
func (v *matrixView) reasons() {
	var accepted []result.MatrixExpectation
	by := map[result.MatrixExpectation][]*matrixCell{}
	unsupported := map[string]int{}
	for _, c := range v.Cells {
		cell := v.cells[c.ID]
		if c.Expected != nil {
			if by[*c.Expected] == nil {
				accepted = append(accepted, *c.Expected)
			}
			by[*c.Expected] = append(by[*c.Expected], cell)
		}
		switch c.Kind {
		case result.KindUnsupported:
			i, known := unsupported[c.Reason]
			if !known {
				i = len(v.Unsupported)
				unsupported[c.Reason] = i
				v.Unsupported = append(v.Unsupported, matrixReason{ID: fmt.Sprintf("unsupported-%d", i+1), Reason: c.Reason})
			}
			v.Unsupported[i].Cells = append(v.Unsupported[i].Cells, cell)
			cell.Link = cmp.Or(cell.Link, "#"+v.Unsupported[i].ID)
		case result.KindFailed, result.KindBroken, result.KindUnexpected, result.KindNotRun:
			v.Bad = append(v.Bad, cell)
			cell.Link = cmp.Or(cell.Link, "#cell-"+c.ID)
		}
	}
	slices.SortStableFunc(v.Bad, func(a, b *matrixCell) int { return cmp.Compare(v.rank(a.Kind), v.rank(b.Kind)) })
	slices.SortStableFunc(v.Unsupported, func(a, b matrixReason) int { return -cmp.Compare(len(a.Cells), len(b.Cells)) })
	for _, x := range accepted {
		v.Accepted = append(v.Accepted, matrixAccepted{x, noteLink(x.Note), by[x]})
	}
}

func (v *matrixView) rank(k result.Kind) int {
	return slices.IndexFunc(v.Kinds, func(c matrixCount) bool { return c.Class == k })
}

// lost marks a cell whose evidence is not there any more.
func (v *matrixView) lost(id string) {
	cell := v.cells[id]
	if cell.Link = "#matrix"; slices.Contains(v.Bad, cell) {
		cell.Link = "#cell-" + id
	}
}

// repository is where notes and issues are.
const repository = "https://github.com/ipseclab/ipseclab/"

// noteLink is the address of a note.
func noteLink(note string) string {
	switch {
	case strings.HasPrefix(note, "#"):
		return repository + "issues/" + note[1:]
	case strings.HasPrefix(note, "docs/"):
		return repository + "blob/main/" + note
	}
	return note
}

// columns counts the cells of each column.
func (v *matrixView) columns() {
	for _, col := range v.Columns {
		counts := map[result.Kind]int{}
		for _, c := range v.cells {
			if c.Column == col {
				counts[c.Kind]++
				col.N++
			}
		}
		for _, k := range v.Kinds {
			k.N = counts[k.Class]
			col.Kinds = append(col.Kinds, k)
		}
		if n := col.N - counts[result.KindUnsupported] - counts[result.KindNotRun]; n > 0 {
			col.Rate = fmt.Sprintf("%.1f %%", 100*float64(counts[result.KindPassed]+counts[result.KindUnexpected])/float64(n))
		}
	}
}

// times measures the drivers.
func (v *matrixView) times() {
	var drivers []string
	wall, ready, memory := map[string][]time.Duration{}, map[string][]time.Duration{}, map[string]uint64{}
	for _, c := range v.Cells {
		if c.Wall == 0 {
			continue
		}
		if wall[c.Driver] == nil {
			drivers = append(drivers, c.Driver)
		}
		wall[c.Driver] = append(wall[c.Driver], c.Wall)
		if c.Ready > 0 {
			ready[c.Driver] = append(ready[c.Driver], c.Ready)
		}
		memory[c.Driver] = max(memory[c.Driver], c.Memory)
	}
	for _, d := range drivers {
		t := matrixTime{Driver: d, N: len(wall[d]), Wall: spread(wall[d]), Ready: spread(ready[d])}
		if memory[d] > 0 {
			t.Memory = size(memory[d])
		}
		v.Times = append(v.Times, t)
	}
}

func spread(all []time.Duration) (s matrixSpread) {
	if len(all) == 0 {
		return s
	}
	slices.Sort(all)
	return matrixSpread{span(threeDigits(all[len(all)/2])), span(threeDigits(all[len(all)-1]))}
}
