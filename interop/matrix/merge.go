package matrix

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
)

// Merged are runs of shards, or of one matrix that was run in parts, put together.
type Merged struct {
	Matrix *result.Matrix
	cells  []merged
}

// Merge puts runs together. The cells are in the order of whole, and those that it has not behind them.
// A cell that two runs came to another outcome of is broken: nothing is known of it.
func Merge(dirs []string, whole []Cell, expect *Expectations) (*Merged, error) {
	if len(dirs) == 0 {
		return nil, errors.New("matrix: there is nothing to merge")
	}
	g := merger{expect: expect, cells: map[string]merged{}}
	for _, dir := range dirs {
		m, err := ReadFolder(dir)
		if err != nil {
			return nil, fmt.Errorf("matrix: %s: %w", dir, err)
		}
		if err := g.add(dir, m); err != nil {
			return nil, err
		}
	}
	place := map[string]int{}
	for i, c := range whole {
		place[c.Name()] = i
	}
	behind := func(id string) int {
		if i, ok := place[id]; ok {
			return i
		}
		return len(whole)
	}
	ids := slices.SortedFunc(maps.Keys(g.cells), func(a, b string) int {
		return cmp.Or(cmp.Compare(behind(a), behind(b)), cmp.Compare(a, b))
	})
	all := &Merged{Matrix: g.m}
	m := g.m
	m.Shards, m.Cells = left(m.Shards), []result.MatrixCell{}
	m.Interrupted = len(m.Shards) > 0
	for _, id := range ids {
		c := g.cells[id]
		all.cells = append(all.cells, c)
		m.Cells = append(m.Cells, c.MatrixCell)
		m.Interrupted = m.Interrupted || c.Kind == result.KindNotRun
	}
	m.Count()
	return all, nil
}

// Write copies the evidence of the cells into the folder, and writes its matrix.json.
func (m *Merged) Write(folder *Folder) error {
	for _, c := range m.cells {
		if c.Dir == "" {
			continue
		}
		if err := copyCell(folder, c); err != nil {
			return fmt.Errorf("matrix: the evidence of %s: %w", c.ID, err)
		}
	}
	return folder.Save(m.Matrix)
}

// merged is a cell, and the folder of the run that has it.
type merged struct {
	result.MatrixCell
	from string
}

type merger struct {
	m      *result.Matrix
	first  string // folder
	expect *Expectations
	cells  map[string]merged
}

func (g *merger) add(dir string, m *result.Matrix) error {
	if g.m == nil {
		g.m, g.first = m, dir
	} else {
		if m.Version != g.m.Version {
			return fmt.Errorf("matrix: %s is of version %s and %s of version %s: results of different programs make no matrix", g.first, g.m.Version, dir, m.Version)
		}
		if (len(m.Shards) == 0) != (len(g.m.Shards) == 0) {
			g.m.Shards = nil // one of them was asked for all
		} else {
			g.m.Shards = append(g.m.Shards, m.Shards...)
		}
		if m.Started.Before(g.m.Started) {
			g.m.Started = m.Started
		}
		g.m.Wall = max(g.m.Wall, m.Wall)
		g.m.Drivers = union(g.m.Drivers, m.Drivers, func(a, b result.MatrixDriver) int {
			return cmp.Compare(slices.Index(Drivers(), Driver(a.Name)), slices.Index(Drivers(), Driver(b.Name)))
		})
		g.m.Systems = union(heard(g.m.Systems, m.Systems), heard(m.Systems, g.m.Systems), func(a, b result.MatrixSystem) int {
			return cmp.Or(cmp.Compare(slices.Index(Drivers(), Driver(a.Driver)), slices.Index(Drivers(), Driver(b.Driver))),
				cmp.Compare(slices.Index(Systems(), System(a.Name)), slices.Index(Systems(), System(b.Name))))
		})
	}
	for _, c := range m.Cells {
		id, err := ParseName(c.ID)
		if err != nil || c.Dir != "" && c.Dir != CellsDir+"/"+c.ID {
			return fmt.Errorf("matrix: %s: cell %q in folder %q is none of a run", dir, c.ID, c.Dir)
		}
		c.Kind, c.Expected = g.expect.Judge(id, c.Outcome, c.Reason)
		g.cell(merged{c, dir})
	}
	return nil
}

func (g *merger) cell(c merged) {
	other, twice := g.cells[c.ID]
	switch {
	case !twice || other.Kind == result.KindNotRun:
		g.cells[c.ID] = c
	case c.Kind == result.KindNotRun || c.Outcome == other.Outcome:
	default:
		words := fmt.Sprintf("two runs differ: %s in %s, %s in %s", other.Outcome, other.from, c.Outcome, c.from)
		if c.Outcome.Compare(other.Outcome) > 0 {
			other = c
		}
		other.Kind, other.Outcome, other.Expected, other.Reason = result.KindBroken, result.Broken, nil, strings.TrimSuffix(words+"; "+other.Reason, "; ")
		g.cells[c.ID] = other
	}
}

// heard are the systems, each with what it said of itself in the other run if it said nothing in this one.
func heard(systems, others []result.MatrixSystem) []result.MatrixSystem {
	all := slices.Clone(systems)
	for i, s := range all {
		for _, o := range others {
			if said := o.Says; s.Says == "" {
				if o.Says = ""; o == s {
					all[i].Says = said
				}
			}
		}
	}
	return all
}

// union are the entries of both lists, each once and in order.
func union[T comparable](a, b []T, order func(a, b T) int) []T {
	all := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	slices.SortStableFunc(all, order)
	return all
}

// left are the shards, or none if they are all of them.
func left(shards []string) []string {
	if len(shards) == 0 {
		return nil
	}
	have, of := map[int]bool{}, 0
	for _, text := range shards {
		var s Shard
		if s.UnmarshalText([]byte(text)) != nil || of != 0 && s.Of != of {
			return shards
		}
		have[s.Index], of = true, s.Of
	}
	if len(have) == of {
		return nil
	}
	slices.Sort(shards)
	return slices.Compact(shards)
}

// copyCell copies the evidence of a cell, and writes its cell.json as it is now.
func copyCell(folder *Folder, c merged) error {
	from := filepath.Join(c.from, CellsDir, c.ID)
	part, err := folder.begin(c.ID)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(part, rel)
		switch {
		case rel == ".":
			return nil
		case d.IsDir():
			return os.Mkdir(to, 0o755)
		case !d.Type().IsRegular():
			return nil // no evidence is a link or a device
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o644)
	})
	if err != nil {
		return err
	}
	return folder.finish(&c.MatrixCell)
}
