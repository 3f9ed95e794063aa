package matrix

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// ConfigFile says, beside the case files, what they are for. A folder needs none.
const ConfigFile = "cases.yaml"

// DefaultLimit is how long a cell may take, from when its peers are ready, where cases.yaml names no limit.
const DefaultLimit = 60 * time.Second

// config is cases.yaml.
type config struct {
	Limit   *spec.Duration       `yaml:"limit"`   // of a cell of any case
	Pairs   []Pair               `yaml:"pairs"`   // of all cases; none: the lab with itself and with strongSwan and libreswan, both ways
	Without []without            `yaml:"without"` // of all cases
	Cases   map[string]caseEntry `yaml:"cases"`   // by file, without .yaml

	doc *spec.Document // nil: the folder has none
}

// caseEntry is what cases.yaml says of one file.
type caseEntry struct {
	Tags    []string       `yaml:"tags"` // the first one is its group in the report
	Limit   *spec.Duration `yaml:"limit"`
	CI      []Glob         `yaml:"ci"`    // cells that every change must pass
	Pairs   []Pair         `yaml:"pairs"` // beside those of all cases
	Only    []Pair         `yaml:"only"`  // in place of those of all cases
	Without []without      `yaml:"without"`
}

// without leaves cells out: those that all of its lists mean. A list that is not there means all.
// They are unsupported, and this is why.
type without struct {
	Cases   []Glob   `yaml:"cases"`   // files
	Cells   []Glob   `yaml:"cells"`   // of a file with parameters
	Systems []System `yaml:"systems"` // that take one of the roles
	Roles   []string `yaml:"roles"`   // which the systems take: initiator, responder
	Pairs   []Pair   `yaml:"pairs"`
	Drivers []Driver `yaml:"drivers"`
	Reason  string   `yaml:"reason"`
}

// readConfig reads cases.yaml of a folder, if it has one.
func readConfig(fsys fs.FS) (c config, err error) {
	b, err := fs.ReadFile(fsys, ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	} else if err != nil {
		return c, fmt.Errorf("matrix: %w", err)
	}
	if c.doc, err = spec.ReadYAML(ConfigFile, "list of cases", b, &c); err != nil {
		return c, err
	}
	c.check()
	return c, c.doc.Err()
}

// limitOf is how long a cell of the case may take.
func (c *config) limitOf(e caseEntry) time.Duration {
	for _, d := range []*spec.Duration{e.Limit, c.Limit} {
		if d != nil {
			return d.Span()
		}
	}
	return DefaultLimit
}

// check finds what is wrong whatever cases there are.
func (c *config) check() {
	c.checkLimit(c.Limit, "limit")
	c.checkPairs(c.Pairs, "pairs")
	c.checkWithout(c.Without, "without")
	for _, name := range sortedKeys(c.Cases) {
		e := c.Cases[name]
		c.checkLimit(e.Limit, "cases", name, "limit")
		if len(e.Pairs) > 0 && len(e.Only) > 0 {
			c.doc.Fail(spec.Path("cases", name, "only"), "pairs are beside those of all cases, only is in place of them: want one of the two")
		}
		c.checkPairs(e.Pairs, "cases", name, "pairs")
		c.checkPairs(e.Only, "cases", name, "only")
		for i, tag := range e.Tags {
			if tag == "" || strings.ContainsAny(tag, " ,\t\n") {
				c.doc.Fail(spec.Path("cases", name, "tags", i), "tags[%d]: want one word, got %q", i, tag)
			}
		}
		c.checkWithout(e.Without, "cases", name, "without")
		for i, w := range e.Without {
			if len(w.Cases) > 0 {
				c.doc.Fail(spec.Path("cases", name, "without", i, "cases"), "cases: only the list of all cases has that key")
			}
		}
	}
}

func (c *config) checkLimit(d *spec.Duration, at ...any) {
	if d != nil && *d == 0 {
		c.doc.Fail(spec.Path(at...), "limit: within no time no cell ends")
	}
}

// checkPairs finds pairs that a list has twice.
func (c *config) checkPairs(pairs []Pair, at ...any) {
	for i, p := range pairs {
		if slices.Contains(pairs[:i], p) {
			c.doc.Fail(spec.Path(append(at, i)...), "%s is there twice", p)
		}
	}
}

func (c *config) checkWithout(list []without, at ...any) {
	for i, w := range list {
		path := func(more ...any) string { return spec.Path(slices.Concat(at, []any{i}, more)...) }
		if strings.TrimSpace(w.Reason) == "" {
			c.doc.Fail(path("reason"), "say with reason why the cells are left out")
		}
		if len(w.Roles) > 0 && len(w.Systems) == 0 {
			c.doc.Fail(path("roles"), "roles are those of systems, and there is no list of systems")
		}
		for j, s := range w.Systems {
			if !slices.Contains(Systems(), s) {
				c.doc.Fail(path("systems", j), "systems[%d]: %q is none of %s", j, s, join(Systems()))
			}
		}
		for j, d := range w.Drivers {
			if !slices.Contains(Drivers(), d) {
				c.doc.Fail(path("drivers", j), "drivers[%d]: %q is none of %s", j, d, join(Drivers()))
			}
		}
		for j, r := range w.Roles {
			if r != roleInitiator && r != roleResponder {
				c.doc.Fail(path("roles", j), "roles[%d]: %q is none of %s, %s", j, r, roleInitiator, roleResponder)
			}
		}
	}
}

// checkAgainst finds what means none of the cells: they are all cells of all cases.
func (c *config) checkAgainst(all []Cell) error {
	if c.doc == nil {
		return nil
	}
	of := map[string][]Cell{}
	for _, x := range all {
		of[x.Case] = append(of[x.Case], x)
	}
	c.checkMeaning(c.Without, all, "without")
	for _, name := range sortedKeys(c.Cases) {
		cells, ok := of[name]
		if !ok {
			c.doc.Fail(spec.Path("cases", name), "there is no case file %s.yaml%s", name, spec.Suggest(name, sortedKeys(of)))
			continue
		}
		e := c.Cases[name]
		c.checkMeaning(e.Without, cells, "cases", name, "without")
		for i, g := range e.CI {
			at := spec.Path("cases", name, "ci", i)
			meant := slices.DeleteFunc(slices.Clone(cells), func(x Cell) bool { return !g.Cell(x.CellID) })
			switch {
			case len(meant) == 0:
				c.doc.Fail(at, "ci[%d]: %s means no cell of %s; the first one is %s", i, g, name, cells[0])
			case !slices.ContainsFunc(meant, func(x Cell) bool { return x.Unsupported == "" }):
				c.doc.Fail(at, "ci[%d]: %s means cells that are left out: %s", i, g, meant[0].Unsupported)
			}
		}
	}
	return c.doc.Err()
}

// checkMeaning finds conditions that mean none of the cells, and patterns in them that do not.
func (c *config) checkMeaning(list []without, cells []Cell, at ...any) {
	for i, w := range list {
		path := func(more ...any) string { return spec.Path(slices.Concat(at, []any{i}, more)...) }
		idle := func(part without) bool {
			return !slices.ContainsFunc(cells, func(x Cell) bool { return part.means(x.CellID) })
		}
		told := false
		for j, g := range w.Cases {
			if idle(without{Cases: []Glob{g}}) {
				c.doc.Fail(path("cases", j), "cases[%d]: no case is called %s", j, g)
				told = true
			}
		}
		for j, g := range w.Cells {
			if idle(without{Cases: w.Cases, Cells: []Glob{g}}) && !told {
				c.doc.Fail(path("cells", j), "cells[%d]: no case that is meant has a cell %s", j, g)
				told = true
			}
		}
		if !told && idle(w) {
			c.doc.Fail(path(), "no cell has all of this: it leaves nothing out")
		}
	}
}

// means reports whether the cell is left out.
func (w without) means(id CellID) bool {
	any := func(globs []Glob, text string) bool {
		return len(globs) == 0 || slices.ContainsFunc(globs, func(g Glob) bool { return g.Match(text) })
	}
	takes := func(role string, s System) bool {
		return slices.Contains(w.Systems, s) && (len(w.Roles) == 0 || slices.Contains(w.Roles, role))
	}
	return any(w.Cases, id.Case) && any(w.Cells, id.Cell) &&
		(len(w.Systems) == 0 || takes(roleInitiator, id.Initiator) || takes(roleResponder, id.Responder)) &&
		(len(w.Pairs) == 0 || slices.Contains(w.Pairs, id.Pair)) &&
		(len(w.Drivers) == 0 || slices.Contains(w.Drivers, id.Driver))
}
