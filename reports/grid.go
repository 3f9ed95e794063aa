package reports

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
)

// The files of a grid, beside the folders of its cells.
const gridFile = "grid.html"

// Grid writes dir/grid.html, the tables of a grid. dir is the folder in which the folders
// of its cells lie.
func Grid(dir string, g *result.Grid) error {
	return write(filepath.Join(dir, gridFile), "grid.html", newGridView(g))
}

// gridView is what grid.html shows.
type gridView struct {
	*result.Grid
	Verdict    result.Outcome // the worst of the cells
	Paragraphs []string
	Kinds      []gridKind // outcomes that occurred, in the order of their words
	Reasons    []gridReason
	Tables     []*gridTable
	Unexpected []*gridCell
}

// gridKind is an outcome and how many cells have it.
type gridKind struct {
	Outcome string
	Words   string
	Sign    string
	N       int
}

// gridReason is a class of cells, by their outcome and why it is expected.
type gridReason struct {
	gridKind
	Because string
	First   *gridCell
}

// gridTable is a table of a grid.
type gridTable struct {
	Caption string
	ID      string
	Heads   []string
	Lines   []gridLine
	Cells   []*gridCell // in the order of the file
	Kinds   []gridKind  // in the order of the page's
}

type gridLine struct {
	Head  string
	Cells []*gridCell // nil: the grid has no such cell
}

// gridCell is a cell of a table and its explanation below.
type gridCell struct {
	result.GridCell
	ID           string
	Row, Column  string
	Kind         gridKind
	Short        string // the outcome in a cell's width
	Note         string // below it
	Link         string // its report; empty: none was kept
	Explanation  string
	Because      string
	How          string // protection and port
	First        string // time to the first byte
	AsIsExpected bool
}

// gridWords are how pages call what was measured, and a sign that does without colour.
var gridWords = map[string][2]string{
	"works": {"works", "✓"}, "refused-by-initiator": {"refused by the initiator", "✕"}, "refused-by-responder": {"refused by the responder", "✕"},
	"no-answer": {"no answer", "?"}, "not-delivered": {"not delivered", "∅"}, "checksum-failure": {"checksum failure", "Σ"},
	"conflict": {"conflict", "⇄"}, "blocked": {"blocked", "■"}, result.Unmeasured: {"not measured", "!"},
}

// gridShort are the words in a cell where the whole ones are too long, and those below them.
var gridShort = map[string][2]string{
	"refused-by-initiator": {"refused", "by initiator"}, "refused-by-responder": {"refused", "by responder"}, "not-delivered": {"lost"}, "checksum-failure": {"checksum"},
}

// protectionWords are the words for what the wire shows.
var protectionWords = map[string]string{
	"esp": "ESP", "ah": "AH", "ah+esp": "AH and ESP", "esp-in-udp": "ESP in UDP", "clear": "in the clear", "mixed": "mixed", "nothing": "nothing sent",
}

func newGridView(g *result.Grid) *gridView {
	v := &gridView{Grid: g, Verdict: result.Passed, Paragraphs: paragraphs(g.Story)}
	tables := map[string]*gridTable{}
	reasons := map[[2]string]int{}
	for _, c := range g.Cells {
		v.Verdict = v.Verdict.Worse(c.Outcome)
		cell := newGridCell(g, c)
		t := tables[c.Table]
		if t == nil {
			t = &gridTable{Caption: c.Table, ID: fmt.Sprintf("table-%d", len(v.Tables)+1)}
			tables[c.Table] = t
			v.Tables = append(v.Tables, t)
		}
		t.add(cell)
		if !cell.AsIsExpected {
			v.Unexpected = append(v.Unexpected, cell)
		}
		key := [2]string{cell.Kind.Outcome, cell.Because}
		i, known := reasons[key]
		if !known {
			i = len(v.Reasons)
			reasons[key] = i
			v.Reasons = append(v.Reasons, gridReason{gridKind: cell.Kind, Because: cell.Because, First: cell})
		}
		v.Reasons[i].N++
	}
	v.Kinds = kindsOf(v.Tables)
	for _, t := range v.Tables {
		t.finish(v.Kinds)
	}
	place := func(outcome string) int {
		return slices.IndexFunc(v.Kinds, func(k gridKind) bool { return k.Outcome == outcome })
	}
	slices.SortStableFunc(v.Reasons, func(a, b gridReason) int {
		return cmp.Or(cmp.Compare(place(a.Outcome), place(b.Outcome)), -cmp.Compare(a.N, b.N))
	})
	return v
}

// kindsOf counts the outcomes of tables.
func kindsOf(tables []*gridTable) (all []gridKind) {
	for _, outcome := range append(result.MeasuredOutcomes(), result.Unmeasured) {
		n := 0
		for _, t := range tables {
			for _, c := range t.Cells {
				if c.Kind.Outcome == outcome {
					n++
				}
			}
		}
		if n > 0 {
			k := kindOf(outcome)
			k.N = n
			all = append(all, k)
		}
	}
	return all
}

func kindOf(outcome string) gridKind {
	words, known := gridWords[outcome]
	if !known { // of a later version
		words = [2]string{outcome, "·"}
	}
	return gridKind{Outcome: outcome, Words: words[0], Sign: words[1]}
}

func newGridCell(g *result.Grid, c result.GridCell) *gridCell {
	cell := &gridCell{GridCell: c, ID: "cell-" + c.Name, AsIsExpected: c.Outcome == result.Passed, Kind: kindOf(result.Unmeasured)}
	for _, s := range c.Cell {
		switch s.Parameter {
		case g.Rows:
			cell.Row = s.Value
		case g.Columns:
			cell.Column = s.Value
		}
	}
	if c.Dir != "" {
		cell.Link = path.Join(path.Base(c.Dir), reportFile)
	}
	m := c.Measured
	if m == nil {
		cell.Explanation = cmp.Or(c.Reason, "The lab broke.")
		cell.Short = cell.Kind.Words
		return cell
	}
	cell.Kind, cell.Explanation, cell.Because = kindOf(m.Outcome), m.Explanation, m.Because
	cell.How = cmp.Or(protectionWords[m.Protection], m.Protection)
	if m.Port != 0 {
		cell.How += fmt.Sprintf(", IKE to port %d", m.Port)
	}
	cell.Short = cmp.Or(gridShort[m.Outcome][0], cell.Kind.Words)
	if m.FirstByte > 0 {
		cell.First = span(m.FirstByte)
	}
	if m.Outcome == "works" {
		cell.Short = strings.TrimPrefix(cmp.Or(protectionWords[m.Protection], m.Protection), "in the ")
		if m.FirstByte > 0 {
			cell.Note = span(threeDigits(m.FirstByte))
		}
	} else if cell.Note = gridShort[m.Outcome][1]; cell.Note == "" && m.Port != 0 {
		cell.Note = fmt.Sprintf("port %d", m.Port)
	}
	return cell
}

// threeDigits rounds a length of time, for where there is little room.
func threeDigits(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}

func (t *gridTable) add(c *gridCell) {
	t.Cells = append(t.Cells, c)
	if !slices.Contains(t.Heads, c.Column) {
		t.Heads = append(t.Heads, c.Column)
	}
	if !slices.ContainsFunc(t.Lines, func(l gridLine) bool { return l.Head == c.Row }) {
		t.Lines = append(t.Lines, gridLine{Head: c.Row})
	}
}

// finish puts the cells in their places and counts them as the page does.
func (t *gridTable) finish(kinds []gridKind) {
	for i := range t.Lines {
		line := &t.Lines[i]
		line.Cells = make([]*gridCell, len(t.Heads))
		for _, c := range t.Cells {
			if c.Row == line.Head {
				line.Cells[slices.Index(t.Heads, c.Column)] = c
			}
		}
	}
	own := kindsOf([]*gridTable{t})
	for _, k := range kinds {
		k.N = 0
		if i := slices.IndexFunc(own, func(o gridKind) bool { return o.Outcome == k.Outcome }); i >= 0 {
			k.N = own[i].N
		}
		t.Kinds = append(t.Kinds, k)
	}
}

// Words are what a screen reader says of the cell.
func (c *gridCell) Words() string {
	text := fmt.Sprintf("%s to %s: %s", c.Row, c.Column, c.Kind.Words)
	if c.How != "" {
		text += ", " + c.How
	}
	if c.First != "" {
		text += ", first byte after " + c.First
	}
	if !c.AsIsExpected {
		text += ", not as expected"
	}
	return text
}
