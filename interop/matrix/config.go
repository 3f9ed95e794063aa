package matrix

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// ConfigFile says, beside the case files, what they are for. A folder needs none.
const ConfigFile = "cases.yaml"

// DefaultLimit is how long a cell may take where cases.yaml names no limit.
const DefaultLimit = 60 * time.Second

// config is cases.yaml.
type config struct {
	Limit   time.Duration        `yaml:"limit"`   // of a cell of any case
	Pairs   []Pair               `yaml:"pairs"`   // of all cases; none: the lab with itself and with strongSwan and libreswan, both ways
	Without []without            `yaml:"without"` // of all cases
	Cases   map[string]caseEntry `yaml:"cases"`   // by file, without .yaml
}

// caseEntry is what cases.yaml says of one file.
type caseEntry struct {
	Tags    []string      `yaml:"tags"` // the first one is its group in the report
	Limit   time.Duration `yaml:"limit"`
	CI      share         `yaml:"ci"`    // what every change must pass: true, or patterns of cells
	Pairs   []Pair        `yaml:"pairs"` // beside those of all cases
	Only    []Pair        `yaml:"only"`  // in place of those of all cases
	Without []without     `yaml:"without"`
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

// share is all cells of a case, none, or those that are named by a pattern.
type share []Glob

// UnmarshalYAML reads true, false or a list of patterns.
func (s *share) UnmarshalYAML(unmarshal func(any) error) error {
	var all bool
	if unmarshal(&all) == nil {
		*s = nil
		if all {
			*s = share{mustGlob("*")}
		}
		return nil
	}
	return unmarshal((*[]Glob)(s))
}

func mustGlob(text string) Glob {
	g, err := NewGlob(text)
	if err != nil {
		panic(err) // the pattern is in this package
	}
	return g
}

// readConfig reads cases.yaml of a folder, if it has one.
func readConfig(fsys fs.FS) (c config, err error) {
	b, err := fs.ReadFile(fsys, ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	} else if err != nil {
		return c, fmt.Errorf("matrix: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(b, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("matrix: %s: %w", ConfigFile, err)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("matrix: %s: %w", ConfigFile, err)
	}
	return c, nil
}

func (c *config) check() error {
	if c.Limit < 0 {
		return fmt.Errorf("limit: %s is no time limit", c.Limit)
	}
	if p, ok := twice(c.Pairs); ok {
		return fmt.Errorf("pairs: %s is there twice", p)
	}
	if err := checkWithout("without", c.Without); err != nil {
		return err
	}
	for _, name := range sortedKeys(c.Cases) {
		e := c.Cases[name]
		switch {
		case e.Limit < 0:
			return fmt.Errorf("%s: limit: %s is no time limit", name, e.Limit)
		case len(e.Pairs) > 0 && len(e.Only) > 0:
			return fmt.Errorf("%s: pairs are beside those of all cases, only is in place of them: want one of the two", name)
		}
		if p, ok := twice(e.Only); ok {
			return fmt.Errorf("%s: only: %s is there twice", name, p)
		}
		for _, tag := range e.Tags {
			if tag == "" || strings.ContainsAny(tag, " ,\t\n") {
				return fmt.Errorf("%s: tag %q: want one word", name, tag)
			}
		}
		if err := checkWithout(name+": without", e.Without); err != nil {
			return err
		}
		if i := slices.IndexFunc(e.Without, func(w without) bool { return len(w.Cases) > 0 }); i >= 0 {
			return fmt.Errorf("%s: without %d: cases: only the list of all cases has that key", name, i+1)
		}
	}
	return nil
}

// twice finds a pair that a list has twice.
func twice(pairs []Pair) (p Pair, ok bool) {
	for i, p := range pairs {
		if slices.Contains(pairs[:i], p) {
			return p, true
		}
	}
	return p, false
}

func checkWithout(where string, all []without) error {
	for i, w := range all {
		where := fmt.Sprintf("%s %d", where, i+1)
		if strings.TrimSpace(w.Reason) == "" {
			return fmt.Errorf("%s: say with reason why the cells are left out", where)
		}
		if len(w.Roles) > 0 && len(w.Systems) == 0 {
			return fmt.Errorf("%s: roles are those of systems, and there is no list of systems", where)
		}
		for _, s := range w.Systems {
			if !slices.Contains(Systems(), s) {
				return fmt.Errorf("%s: systems: %q is none of %s", where, s, join(Systems()))
			}
		}
		for _, d := range w.Drivers {
			if !slices.Contains(Drivers(), d) {
				return fmt.Errorf("%s: drivers: %q is none of %s", where, d, join(Drivers()))
			}
		}
		for _, r := range w.Roles {
			if r != roleInitiator && r != roleResponder {
				return fmt.Errorf("%s: roles: %q is none of %s, %s", where, r, roleInitiator, roleResponder)
			}
		}
	}
	return nil
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
