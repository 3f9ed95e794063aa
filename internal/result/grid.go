package result

import (
	"cmp"
	"strings"
	"time"
)

// GridSchema is the JSON Schema of a Grid, by its published address.
const GridSchema = "https://raw.githubusercontent.com/ipseclab/ipseclab/main/docs/schema/grid.schema.json"

// Measured is what a cell of a grid has shown. The outcome is read off what applications got
// and the wire; the rest of the words too, but for the NAT, which is what the initiator found.
type Measured struct {
	Step        int           `json:"step"`       // from 1
	Outcome     string        `json:"outcome"`    // works, refused-by-initiator …: what came of the traffic
	Protection  string        `json:"protection"` // of the traffic, at its sender: esp, esp-in-udp, clear, nothing …
	Port        int           `json:"ike_port"`   // to which the last message of IKE went that the initiator sent; 0: it sent none
	NAT         string        `json:"nat"`        // behind which ends the initiator found one: none, initiator, responder, both, unknown
	FirstByte   time.Duration `json:"first_byte_ns,omitempty"`
	Explanation string        `json:"explanation"` // in sentences, from the trace and the wire
	Because     string        `json:"because"`     // why something is expected, and where that stands
}

// Place is where a cell stands in the tables of its grid.
type Place struct {
	Rows    string `json:"rows"`    // the parameter of the rows
	Columns string `json:"columns"` // and of the columns
	Table   string `json:"table"`   // caption of the table
}

// Grid is a file's cells in tables, as grid.json has it.
type Grid struct {
	Schema      string         `json:"$schema,omitempty"`
	Name        string         `json:"name"` // of the file
	Title       string         `json:"title"`
	Story       string         `json:"story,omitempty"`
	Claims      []string       `json:"claims,omitempty"`
	File        string         `json:"file,omitempty"`
	Seed        uint64         `json:"seed"`
	Rows        string         `json:"rows"`
	Columns     string         `json:"columns"`
	Interrupted bool           `json:"interrupted,omitempty"` // some cells were not run
	Totals      map[string]int `json:"totals"`                // cells by what was measured; unmeasured: the lab broke
	Cells       []GridCell     `json:"cells"`
}

// GridCell is a cell of a grid.
type GridCell struct {
	Name     string        `json:"name"` // without the file
	Cell     []Setting     `json:"cell"`
	Table    string        `json:"table"`
	Outcome  Outcome       `json:"outcome"`          // passed: as expected
	Reason   string        `json:"reason,omitempty"` // why not
	Measured *Measured     `json:"measured,omitempty"`
	Clock    string        `json:"clock,omitempty"` // as of Scenario
	Virtual  time.Duration `json:"virtual_ns"`      // likewise
	Frames   int           `json:"frames"`
	Dir      string        `json:"dir,omitempty"` // of its evidence, relative to the results folder; empty: none was kept
}

// Unmeasured is the entry of Grid.Totals for cells of which nothing is known.
const Unmeasured = "unmeasured"

// Grids are the grids of a run with more than one cell, by the entries of the run and the
// results of its scenarios.
func Grids(run *Run, scenarios []*Scenario) (all []*Grid) {
	entries := map[string]Entry{}
	for _, e := range run.Scenarios {
		entries[e.Name] = e
	}
	files := map[string][]*Scenario{}
	var order []string
	for _, s := range scenarios {
		file, _, ok := strings.Cut(s.Name, "/")
		if !ok {
			continue
		}
		if files[file] == nil {
			order = append(order, file)
		}
		files[file] = append(files[file], s)
	}
	for _, file := range order {
		cells := files[file]
		first := cells[0]
		if len(cells) < 2 || first.Grid == nil {
			continue
		}
		g := &Grid{
			Schema: GridSchema, Name: file, Story: first.Story, Claims: first.Claims, File: first.File, Seed: first.Seed,
			Rows: first.Grid.Rows, Columns: first.Grid.Columns, Totals: map[string]int{}, Interrupted: run.Interrupted,
		}
		var titles []string
		for _, s := range cells {
			titles = append(titles, s.Title)
			_, name, _ := strings.Cut(s.Name, "/")
			e := entries[s.Name]
			g.Cells = append(g.Cells, GridCell{
				Name: name, Cell: s.Cell, Table: s.Grid.Table, Outcome: s.Outcome, Reason: e.Reason, Measured: s.Measured, Clock: s.Clock, Virtual: s.Virtual, Frames: s.Frames, Dir: e.Dir,
			})
			if s.Measured == nil {
				g.Totals[Unmeasured]++
			} else {
				g.Totals[s.Measured.Outcome]++
			}
		}
		g.Title = cmp.Or(CommonTitle(titles), file)
		all = append(all, g)
	}
	return all
}

// MeasuredOutcomes are the words of Measured.Outcome, the good one first.
func MeasuredOutcomes() []string {
	return []string{"works", "refused-by-initiator", "refused-by-responder", "no-answer", "not-delivered", "checksum-failure", "conflict", "blocked"}
}
