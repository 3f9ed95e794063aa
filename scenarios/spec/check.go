package spec

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Check finds the mistakes that can be seen without running anything: names
// that nothing has, addresses that clash, values out of bounds, expectations
// that do not fit their step. Parse has done it already; it is for scenarios
// built in code. The error, when there is one, is an Errors.
func (s *Scenario) Check() error {
	c := checker{s: s}
	c.scenario()
	return c.result()
}

// checker collects mistakes. After Parse it knows which values could not be
// read, and says nothing about what follows from that.
type checker struct {
	s      *Scenario
	failed map[string]bool // see decoder
	flawed map[string]bool
	errs   Errors
}

func (c *checker) result() error {
	if len(c.errs) >= maxErrors {
		c.errs = c.errs.sorted()[:maxErrors]
	}
	return c.errs.orNil()
}

// unknown reports whether the value at the path could not be read.
func (c *checker) unknown(path string) bool {
	for ; path != ""; path = parent(path) {
		if c.failed[path] {
			return true
		}
	}
	return false
}

// full reports that more mistakes would not be shown, so that looking for them is a waste.
func (c *checker) full() bool { return len(c.errs) > maxErrors }

func (c *checker) add(p position, path, message string) {
	if c.full() || c.unknown(path) {
		return
	}
	e := c.s.src.error(p, path, message)
	if c.s.src == nil {
		e.File = c.s.Name
	}
	c.errs = append(c.errs, e)
}

// at reports a mistake in the value at a path.
func (c *checker) at(path, format string, args ...any) {
	c.add(c.s.src.locate(path), path, fmt.Sprintf(format, args...))
}

// key reports a mistake in the key of the entry at a path.
func (c *checker) key(path, format string, args ...any) {
	p := c.s.src.locate(path)
	if c.s.src != nil {
		p = or(c.s.src.keys[path], p)
	}
	c.add(p, path, fmt.Sprintf(format, args...))
}

// missing reports that the mapping at a path lacks a key, unless a key that
// nobody understood may have been meant for it.
func (c *checker) missing(path, key, format string, args ...any) {
	if c.flawed[path] || c.unknown(child(path, key)) {
		return
	}
	c.at(path, format, args...)
}

// names checks the keys of a mapping of names.
func (c *checker) names(path string, names []string) {
	for _, n := range names {
		if !validName.MatchString(n) {
			c.key(child(path, n), "%q is no name: use %s, at most 63", shorten(n), nameForm)
		}
	}
}

// defined checks that a name is among those that the mapping at home defines.
// A missing one is the caller's to report.
func (c *checker) defined(path, key, name, what, home string, known []string) bool {
	if slices.Contains(known, name) || name == "" {
		return name != ""
	}
	if !c.unknown(home) {
		c.at(child(path, key), "%s: no %s is called %q%s", key, what, shorten(name), Suggest(name, known))
	}
	return false
}

// between checks a number's bounds.
func (c *checker) between(path, key string, v, low, high int) {
	if v < low || v > high {
		c.at(child(path, key), "%s: %d is not from %d to %d", key, v, low, high)
	}
}

// span checks the bounds of a duration, which parsing has done for files.
func (c *checker) span(path, key string, d Duration) {
	if d < 0 || d.Span() > maxDuration {
		c.at(child(path, key), "%s: %s is not from 0s to %s", key, d, formatDuration(maxDuration))
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var validDNSLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

var claimID = regexp.MustCompile(`^C[0-9]{3}$`)

func (c *checker) scenario() {
	s := c.s
	if file, cell, ok := strings.Cut(s.Name, "/"); !validFileName.MatchString(file) || ok && !validCellName.MatchString(cell) {
		c.at("$", "the scenario's name %q is no name: use a-z, 0-9, _ and -, at most 64", shorten(s.Name))
	}
	if s.Title == "" {
		c.missing("$", "title", "the scenario has no title: say in one line what it shows")
	}
	seen := map[string]bool{}
	for i, id := range s.Claims {
		switch path := item("$.claims", i); {
		case !claimID.MatchString(id):
			c.at(path, "claims: %q is not the id of a claim, such as C001", shorten(id))
		case seen[id]:
			c.at(path, "claims: %s is there twice", id)
		}
		seen[id] = true
	}
	c.segments()
	c.nodes()
	c.observers()
	c.subnets()
	c.allNames()
	c.policies()
	c.pki()
	c.steps()
	for i := 0; i < len(s.Invariants) && !c.full(); i++ {
		c.invariant(item("$.invariants", i), &s.Invariants[i])
	}
	if s.Grid != nil {
		c.grid("$.grid", s.Grid)
	}
}
