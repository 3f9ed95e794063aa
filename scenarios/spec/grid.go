package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Grid says what of a file's cells is measured, and what is expected of each: the run
// shows it in tables of rows and columns.
type Grid struct {
	Rows    string `yaml:"rows"`    // the parameter of the rows; default: the first that varies
	Columns string `yaml:"columns"` // the parameter of the columns; default: the second
	Table   string `yaml:"table"`   // caption of the table that the cell stands in; default: the values of the other parameters that vary

	Step int `yaml:"step" jsonschema:"minimum=1"` // number of the step that is measured; default: the last one that sends traffic

	// Expect are classes of cells with what is expected of them. A cell belongs to the first
	// whose condition it meets.
	Expect []Measurement `yaml:"expect" jsonschema:"required,minItems=1"`
}

// Measurement is what is expected of a class of cells. Fields left out are not judged.
type Measurement struct {
	When       When           `yaml:"when"`                                                                                                                                                                            // which cells: the values of parameters, or of their fields; default: all
	Outcome    string         `yaml:"outcome" jsonschema:"required,enum=works,enum=refused-by-initiator,enum=refused-by-responder,enum=no-answer,enum=not-delivered,enum=checksum-failure,enum=conflict,enum=blocked"` // what comes of the traffic
	Protection string         `yaml:"protection" jsonschema:"enum=esp,enum=ah,enum=ah+esp,enum=esp-in-udp,enum=clear,enum=mixed,enum=nothing"`                                                                         // of the traffic, as the wire shows it at its sender
	Port       *int           `yaml:"ike-port" jsonschema:"minimum=0,maximum=65535"`                                                                                                                                   // to which the last message of IKE went that the initiator sent; 0: it sent none
	NAT        string         `yaml:"nat" jsonschema:"enum=none,enum=initiator,enum=responder,enum=both,enum=unknown"`                                                                                                 // behind which ends the initiator found a NAT; unknown: it did not get so far
	FirstByte  *DurationRange `yaml:"first-byte"`                                                                                                                                                                      // from the start of the step to the first byte of an answer
	Explained  string         `yaml:"explained"`                                                                                                                                                                       // a phrase that the explanation of the measurement contains
	Because    string         `yaml:"because" jsonschema:"required,minLength=1"`                                                                                                                                       // why, with the source
}

// When is a condition on the parameters of a cell, as it was decided when the cell was read.
// The zero value holds.
type When struct{ fails bool }

// The words of Measurement.Outcome and Measurement.NAT.
const (
	OutcomeWorks     = "works"                // the application at the far end got the bytes, and its answer came back
	OutcomeInitiator = "refused-by-initiator" // the initiator of IKE gave up of its own accord
	OutcomeResponder = "refused-by-responder" // the responder did
	OutcomeNoAnswer  = "no-answer"            // IKE got no answer
	OutcomeLost      = "not-delivered"        // packets got lost on their way, under SAs or in the clear
	OutcomeChecksum  = "checksum-failure"     // they arrived, and their TCP or UDP checksum was wrong
	OutcomeConflict  = "conflict"             // two computers behind one address could not be told apart
	OutcomeBlocked   = "blocked"              // the policy or a firewall of one of the two hosts stopped them

	NATNone      = "none"
	NATInitiator = "initiator"
	NATResponder = "responder"
	NATBoth      = "both"
	NATUnknown   = "unknown"
)

// GridOutcomes are the words of Measurement.Outcome, the good one first.
func GridOutcomes() []string {
	return []string{OutcomeWorks, OutcomeInitiator, OutcomeResponder, OutcomeNoAnswer, OutcomeLost, OutcomeChecksum, OutcomeConflict, OutcomeBlocked}
}

var placements = []string{NATNone, NATInitiator, NATResponder, NATBoth, NATUnknown}

// when decides a condition for the cell that is read.
func (d *decoder) when(n ast.Node, w *When, path, name string) {
	if d.lenient {
		d.failed[path] = true
		return
	}
	w.fails = !d.condition(n, path, name, d.axes).holds(d.cell)
}

// Entry is the index of the entry of Expect that the cell belongs to; -1: none.
func (g *Grid) Entry() int {
	return slices.IndexFunc(g.Expect, func(m Measurement) bool { return !m.When.fails })
}

// Axes are the parameters of rows and columns of a grid.
func (s *Scenario) Axes() (rows, columns string) {
	rows, columns = s.Grid.Rows, s.Grid.Columns
	for _, c := range s.Cell {
		switch {
		case rows == "" && c.Parameter != columns:
			rows = c.Parameter
		case columns == "" && c.Parameter != rows:
			columns = c.Parameter
		}
	}
	return rows, columns
}

// GridTable is the caption of the table in which the cell stands.
func (s *Scenario) GridTable() string {
	if s.Grid.Table != "" {
		return s.Grid.Table
	}
	rows, columns := s.Axes()
	var others []string
	for _, c := range s.Cell {
		if c.Parameter != rows && c.Parameter != columns {
			others = append(others, c.Parameter+" "+c.Value)
		}
	}
	return strings.Join(others, ", ")
}

// Measured is the index of the step that a grid measures; -1: there is none.
func (s *Scenario) Measured() int {
	if s.Grid.Step > 0 {
		return s.Grid.Step - 1
	}
	for i, step := range slices.Backward(s.Steps) {
		if _, _, ok := step.Ends(); ok {
			return i
		}
	}
	return -1
}

func (c *checker) grid(path string, g *Grid) {
	s := c.s
	if len(s.Cell) < 2 {
		if !c.unknown("$.parameters") && !c.unknown("$.matrix") {
			c.at(path, "grid: two parameters must vary, one for the rows and one for the columns")
		}
		return
	}
	var names []string
	for _, v := range s.Cell {
		names = append(names, v.Parameter)
	}
	for _, axis := range []struct{ key, name string }{{"rows", g.Rows}, {"columns", g.Columns}} {
		if axis.name != "" && !slices.Contains(names, axis.name) {
			c.at(child(path, axis.key), "%s: no parameter that varies is called %q%s", axis.key, shorten(axis.name), Suggest(axis.name, names))
		}
	}
	if g.Rows != "" && g.Rows == g.Columns {
		c.at(child(path, "columns"), "columns: %s has the rows already", shorten(g.Columns))
	}
	c.measuredStep(path, g)
	if len(g.Expect) == 0 {
		c.missing(path, "expect", "grid: nothing is expected: a grid that cannot fail shows nothing")
	}
	for i := range g.Expect {
		c.measurement(item(child(path, "expect"), i), &g.Expect[i])
	}
	if len(g.Expect) > 0 && g.Entry() < 0 {
		c.at(child(path, "expect"), "expect: no entry is for the cell: the last one may do without when")
	}
}

func (c *checker) measuredStep(path string, g *Grid) {
	switch i := c.s.Measured(); {
	case i < 0:
		if !c.unknown("$.steps") {
			c.at(path, "grid: no step sends traffic: there is nothing to measure")
		}
	case i >= len(c.s.Steps):
		c.at(child(path, "step"), "step: there are %d steps, and none of number %d", len(c.s.Steps), g.Step)
	default:
		switch s := &c.s.Steps[i]; {
		case s.Ping != nil, s.Connect != nil, s.Transfer != nil, s.UDP != nil:
		case g.Step == 0:
			c.at(path, "grid: the last step that sends traffic is %s, of which nothing is measured: name a ping, connect, transfer or udp by its number, as step", s.Verb())
		default:
			c.at(child(path, "step"), "step: of %s nothing is measured: name a ping, connect, transfer or udp", or(s.Verb(), "that step"))
		}
	}
}

func (c *checker) measurement(path string, m *Measurement) {
	word := func(key, word string, known []string) {
		if word != "" && !slices.Contains(known, word) {
			c.at(child(path, key), "%s: want %s, got %q%s", key, strings.Join(known, ", "), shorten(word), Suggest(word, known))
		}
	}
	if m.Outcome == "" {
		c.missing(path, "outcome", "expect: there is no outcome: %s", strings.Join(GridOutcomes(), ", "))
	}
	word("outcome", m.Outcome, GridOutcomes())
	word("nat", m.NAT, placements)
	c.protection(child(path, "protection"), m.Protection)
	if m.Port != nil {
		c.between(path, "ike-port", *m.Port, 0, 65535)
	}
	if m.Because == "" {
		c.missing(path, "because", "expect: there is no because: say why it is expected, and where that stands")
	}
	if m.FirstByte != nil && m.Outcome != OutcomeWorks {
		c.at(child(path, "first-byte"), "first-byte: nothing comes back where the outcome is %s", m.Outcome)
	}
}

// unusedEntries are the entries of a grid to which no cell belongs.
func unusedEntries(all []*Scenario) error {
	first := all[0]
	if first.Grid == nil {
		return nil
	}
	used := make([]bool, len(first.Grid.Expect))
	for _, s := range all {
		used[s.Grid.Entry()] = true
	}
	var errs Errors
	for i, u := range used {
		if path := item("$.grid.expect", i); !u {
			errs = append(errs, first.src.error(first.src.at(path), path, fmt.Sprintf("expect[%d]: no cell belongs to this entry: none meets its condition, or those before it take them all", i)))
		}
	}
	return errs.orNil()
}
