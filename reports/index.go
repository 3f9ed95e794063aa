package reports

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
)

// indexView is what index.html shows.
type indexView struct {
	*result.Run
	Entries []indexEntry
	Totals  []total
	Virtual time.Duration // of those that did not go by the wall clock
	InWall  int           // how many did
	Average result.Average
}

// indexEntry is a row: a scenario, or all cells of a file.
type indexEntry struct {
	result.Entry
	Link  string // empty: a file with cells, or one without evidence
	Cells *cellTable
	Grid  int // how many cells the page that is linked to has
}

// reportOf is the report of a scenario; empty: it was not kept.
func reportOf(e result.Entry) string {
	if e.Dir == "" {
		return ""
	}
	return path.Join(e.Dir, reportFile)
}

type total struct {
	Outcome result.Outcome
	N       int
}

// cellTable shows the cells of a file: a grid when two parameters vary, else
// one row. Columns are labels of the last parameter.
type cellTable struct {
	N       int
	Rows    string // the parameter of the rows; empty with one row
	Columns string // the parameters of the columns
	Heads   []string
	Lines   []cellLine
}

type cellLine struct {
	Head  string
	Cells []*cellView // nil: no such cell in the run
}

type cellView struct {
	Name    string
	Outcome result.Outcome
	Link    string
}

func newIndex(run *result.Run) *indexView {
	v := &indexView{Run: run, Average: run.Average()}
	totals := map[result.Outcome]int{}
	files := map[string][]result.Entry{} // cells by file
	grids := map[string]string{}         // pages of grids by file
	for _, g := range run.Grids {
		grids[g.Name] = path.Join(g.Dir, gridFile)
	}
	var all []indexEntry
	for _, e := range run.Scenarios {
		if e.Clock == result.ClockWall {
			v.InWall++
		} else {
			v.Virtual += e.Virtual
		}
		totals[e.Outcome]++
		file, _, isCell := strings.Cut(e.Name, "/")
		if !isCell {
			all = append(all, indexEntry{Entry: e, Link: reportOf(e)})
			continue
		}
		if files[file] == nil {
			all = append(all, indexEntry{Entry: result.Entry{Name: file}})
		}
		files[file] = append(files[file], e)
	}
	for i := range all {
		name := all[i].Name
		cells := files[name]
		switch {
		case cells == nil: // one scenario
		case grids[name] != "":
			all[i] = indexEntry{Entry: together(name, cells), Link: grids[name], Grid: len(cells)}
		default:
			all[i] = indexEntry{Entry: together(name, cells), Cells: newCellTable(cells)}
		}
	}
	for _, o := range []result.Outcome{result.Broken, result.Failed, result.Unsupported, result.Passed} {
		for _, e := range all {
			if e.Outcome == o {
				v.Entries = append(v.Entries, e)
			}
		}
		v.Totals = append(v.Totals, total{o, totals[o]})
	}
	return v
}

// together is the line of a file: the worst outcome of its cells, and their sums.
func together(file string, cells []result.Entry) result.Entry {
	sum := result.Entry{Name: file, Claims: cells[0].Claims, Seed: cells[0].Seed, Long: cells[0].Long, Clock: result.ClockWall}
	bad := 0
	var titles []string
	for _, c := range cells {
		titles = append(titles, c.Title)
		if c.Clock != result.ClockWall {
			sum.Clock = ""
			sum.Virtual += c.Virtual
		}
		sum.Wall += c.Wall
		sum.Frames += c.Frames
		if c.Outcome != result.Passed {
			bad++
		}
		if worse := sum.Outcome.Worse(c.Outcome); worse != sum.Outcome {
			sum.Outcome, sum.Reason = worse, c.Reason
			if c.Reason != "" {
				sum.Reason = strings.TrimPrefix(c.Name, file+"/") + ": " + c.Reason
			}
		}
	}
	sum.Title = cmp.Or(result.CommonTitle(titles), file)
	if bad > 1 {
		sum.Reason = strings.TrimSpace(fmt.Sprintf("%s … and %s did not pass", sum.Reason, plural(bad-1, "other cell")))
	}
	return sum
}

func newCellTable(cells []result.Entry) *cellTable {
	t := &cellTable{N: len(cells)}
	var names []string
	for _, s := range cells[0].Cell {
		names = append(names, s.Parameter)
	}
	grid := len(names) == 2
	t.Columns = strings.Join(names, ", ")
	if grid {
		t.Rows, t.Columns = names[0], names[1]
	}
	lines := map[string]int{}
	for _, c := range cells {
		_, cell, _ := strings.Cut(c.Name, "/")
		row, column := "", cell
		if grid && len(c.Cell) == 2 {
			row, column = c.Cell[0].Value, c.Cell[1].Value
		}
		k := slices.Index(t.Heads, column)
		if k < 0 {
			k = len(t.Heads)
			t.Heads = append(t.Heads, column)
		}
		i, ok := lines[row]
		if !ok {
			i = len(t.Lines)
			lines[row] = i
			t.Lines = append(t.Lines, cellLine{Head: row})
		}
		line := &t.Lines[i]
		for len(line.Cells) <= k {
			line.Cells = append(line.Cells, nil)
		}
		line.Cells[k] = &cellView{cell, c.Outcome, reportOf(c)}
	}
	for i := range t.Lines {
		for len(t.Lines[i].Cells) < len(t.Heads) {
			t.Lines[i].Cells = append(t.Lines[i].Cells, nil)
		}
	}
	return t
}
