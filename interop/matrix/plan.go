package matrix

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Cell is one cell of the matrix.
type Cell struct {
	CellID
	Title       string
	Tags        []string
	CI          bool          // of the share that every change must pass
	Limit       time.Duration // how long it may take from when its peers are ready
	Unsupported string        // why it is not run, as cases.yaml says; empty: it is run

	// Where the scenario is read from. It has a cell of the name CellID.Cell where that is not empty.
	FS   fs.FS
	File string
	Hash string // of the file
}

// Load are all cells of all cases of a folder, by file, by cell and by column.
func Load(fsys fs.FS) ([]Cell, error) {
	c, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("matrix: %w", err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return file == ConfigFile })
	slices.Sort(files)
	if len(files) == 0 {
		return nil, errors.New("matrix: there are no cases: no scenario file (*.yaml) is in the folder")
	}
	var all []Cell
	for _, file := range files {
		cells, err := c.cells(fsys, file)
		if err != nil {
			return nil, err
		}
		all = append(all, cells...)
	}
	return all, c.checkAgainst(all)
}

// cells are those of one file.
func (c config) cells(fsys fs.FS, file string) (all []Cell, err error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("matrix: %w", err)
	}
	found, err := spec.ParseAllFS(fsys, file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	hash := hex.EncodeToString(sum[:16])
	name := strings.TrimSuffix(path.Base(file), ".yaml")
	entry := c.Cases[name]
	for _, s := range found {
		for _, role := range []string{roleInitiator, roleResponder} {
			if _, ok := s.Nodes[role]; !ok {
				return nil, s.Errorf("$.nodes", "a case has a host that is called %s", role)
			}
		}
		_, cell, _ := strings.Cut(s.Name, "/")
		for _, pair := range c.pairs(entry) {
			for _, driver := range pair.drivers() {
				id := CellID{Case: name, Cell: cell, Pair: pair, Driver: driver}
				all = append(all, Cell{
					CellID: id, Title: s.Title, Tags: entry.Tags, Limit: c.limitOf(entry),
					CI: slices.ContainsFunc(entry.CI, func(g Glob) bool { return g.Cell(id) }), Unsupported: c.leftOut(entry, id),
					FS: fsys, File: file, Hash: hash,
				})
			}
		}
	}
	return all, nil
}

// pairs are the columns of a case.
func (c config) pairs(e caseEntry) []Pair {
	if len(e.Only) > 0 {
		return e.Only
	}
	pairs := c.Pairs
	if len(pairs) == 0 {
		pairs = defaultPairs()
	}
	for _, p := range e.Pairs {
		if !slices.Contains(pairs, p) {
			pairs = append(slices.Clip(pairs), p)
		}
	}
	return pairs
}

// leftOut is why a cell is left out; empty: it is not.
func (c config) leftOut(e caseEntry, id CellID) string {
	for _, w := range slices.Concat(e.Without, c.Without) {
		if w.means(id) {
			return w.Reason
		}
	}
	return ""
}

// Filter selects cells. A list that is empty selects all.
type Filter struct {
	Cases     []Glob // patterns of file, file/cell, or of the whole name of a cell
	Initiator []System
	Responder []System
	Drivers   []Driver
	Tags      []string
	CI        bool // only the share that every change must pass
}

// Select are the cells that the filter lets through.
func (f Filter) Select(all []Cell) (some []Cell) {
	for _, c := range all {
		named := len(f.Cases) == 0 || slices.ContainsFunc(f.Cases, func(g Glob) bool {
			return g.Match(c.Case) || g.Match(c.Scenario()) || g.Cell(c.CellID)
		})
		if named && has(f.Initiator, c.Initiator) && has(f.Responder, c.Responder) && has(f.Drivers, c.Driver) && (c.CI || !f.CI) &&
			(len(f.Tags) == 0 || slices.ContainsFunc(f.Tags, func(tag string) bool { return slices.Contains(c.Tags, tag) })) {
			some = append(some, c)
		}
	}
	return some
}

func has[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// Tags are the tags of the cells, in alphabetical order.
func Tags(cells []Cell) []string {
	all := map[string]bool{}
	for _, c := range cells {
		for _, tag := range c.Tags {
			all[tag] = true
		}
	}
	return sortedKeys(all)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
