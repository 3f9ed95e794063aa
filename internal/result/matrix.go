package result

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"time"
)

// The JSON Schemas of a Matrix and of its accepted failures, by their published addresses.
const (
	MatrixSchema = "https://raw.githubusercontent.com/ipseclab/ipseclab/main/docs/schema/matrix.schema.json"
	ExpectSchema = "https://raw.githubusercontent.com/ipseclab/ipseclab/main/docs/schema/expect.schema.json"
)

// Kind is what a cell of the interop matrix counts as: its outcome, held against what
// is expected of it.
type Kind string

// The kinds, least bad first.
const (
	KindPassed      Kind = "passed"
	KindAccepted    Kind = "accepted"        // it ended as interop/expect.json says, with a reason
	KindUnsupported Kind = "unsupported"     // cannot be done there, with a reason
	KindNotRun      Kind = "not-run"         // nothing is known of it
	KindUnexpected  Kind = "unexpected-pass" // passed, though interop/expect.json says that it does not
	KindFailed      Kind = "failed"
	KindBroken      Kind = "broken" // the lab, the driver or the peer did not come to a verdict
)

// Kinds are all kinds, least bad first.
func Kinds() []Kind {
	return []Kind{KindPassed, KindAccepted, KindUnsupported, KindNotRun, KindUnexpected, KindFailed, KindBroken}
}

// Outcome is the verdict on a run that has cells of the kind.
func (k Kind) Outcome() Outcome {
	switch k {
	case KindBroken, KindNotRun:
		return Broken
	case KindFailed, KindUnexpected:
		return Failed
	case KindUnsupported:
		return Unsupported
	}
	return Passed
}

// Matrix is the result of a run of the interop matrix, as matrix.json has it; its times are
// of the wall clock.
type Matrix struct {
	Schema      string         `json:"$schema,omitempty"`
	Version     string         `json:"version"` // of the program
	GoVersion   string         `json:"go_version"`
	Started     time.Time      `json:"started"`
	Wall        time.Duration  `json:"wall_ns"`          // merged: of the longest of the runs
	Shards      []string       `json:"shards,omitempty"` // of which the cells are, as 2/3; none: all were asked for
	Interrupted bool           `json:"interrupted,omitempty"`
	Outcome     Outcome        `json:"outcome"` // broken where cells are missing: nothing is known of them
	Totals      map[Kind]int   `json:"totals"`
	Drivers     []MatrixDriver `json:"drivers"`
	Systems     []MatrixSystem `json:"systems"`
	Cells       []MatrixCell   `json:"cells"` // by case in the order of the files, then by column
}

// MatrixDriver is a way to run real peers.
type MatrixDriver struct {
	Name    string `json:"name"`              // virtual, uml, container, namespace
	Version string `json:"version,omitempty"` // of what it works with
	Reason  string `json:"reason,omitempty"`  // why it cannot be used here; empty: it can
}

// MatrixSystem is what took a role, under one driver.
type MatrixSystem struct {
	Name    string `json:"name"` // lab, or the name of an image
	Driver  string `json:"driver"`
	Version string `json:"version,omitempty"` // of the daemon, as its package has it
	Image   string `json:"image,omitempty"`   // hash of its root filesystem
	Says    string `json:"says,omitempty"`    // of itself, when it runs
	Probe   string `json:"probe,omitempty"`   // why its word is not trusted: it did not call an impossible case unsupported
}

// MatrixCell is one cell: a case between two systems, under one driver.
type MatrixCell struct {
	ID        string             `json:"id"`             // ASCII, and the name of its folder
	Case      string             `json:"case"`           // the scenario file
	Cell      string             `json:"cell,omitempty"` // of a file with parameters
	Title     string             `json:"title"`
	Tags      []string           `json:"tags,omitempty"`
	Initiator string             `json:"initiator"`
	Responder string             `json:"responder"`
	Driver    string             `json:"driver"`
	Kind      Kind               `json:"kind"`
	Outcome   Outcome            `json:"outcome,omitempty"` // what came of it; empty: it was not run
	Reason    string             `json:"reason,omitempty"`  // the first thing that was not passed
	Expected  *MatrixExpectation `json:"expected,omitempty"`
	Inputs    MatrixInputs       `json:"inputs"`
	Wall      time.Duration      `json:"wall_ns"`
	Ready     time.Duration      `json:"ready_ns,omitempty"`     // until the last of its peers could be used
	Memory    uint64             `json:"memory_bytes,omitempty"` // of the largest of its peers
	Dir       string             `json:"dir,omitempty"`          // of its evidence, relative to matrix.json; empty: there is none
}

// MatrixInputs are what a result rests on. A cell that has one of the same inputs need not be run again.
type MatrixInputs struct {
	Case    string            `json:"case"`             // hash of the scenario file
	Program string            `json:"program"`          // version
	Images  map[string]string `json:"images,omitempty"` // hashes by system
}

// Equal reports whether both are the same.
func (m MatrixInputs) Equal(o MatrixInputs) bool {
	return m.Case == o.Case && m.Program == o.Program && maps.Equal(m.Images, o.Images)
}

// MatrixExpectation is an accepted failure: cells that are known not to pass, and why.
type MatrixExpectation struct {
	Cells   string  `json:"cells" yaml:"cells"`             // a pattern of their names: * stands for any text, ? for a character, {a,b} for one of several
	Outcome Outcome `json:"outcome" yaml:"outcome"`         // failed or broken
	Saying  string  `json:"saying,omitempty" yaml:"saying"` // text that the reason of the cell has; another failure is not accepted
	Reason  string  `json:"reason" yaml:"reason"`           // in a sentence
	Note    string  `json:"note" yaml:"note"`               // where it is explained: a file below docs/notes, an issue, or an address
}

// MatrixExpectations is the file of accepted failures, interop/expect.json.
type MatrixExpectations struct {
	Schema string              `json:"$schema,omitempty" yaml:"$schema"`
	Expect []MatrixExpectation `json:"expect" yaml:"expect"`
}

// Count fills in the totals and the outcome from the cells.
func (m *Matrix) Count() {
	m.Totals, m.Outcome = map[Kind]int{}, Passed
	for _, c := range m.Cells {
		m.Totals[c.Kind]++
		m.Outcome = m.Outcome.Worse(c.Kind.Outcome())
	}
	if m.Interrupted {
		m.Outcome = Broken
	}
}

// ReadMatrix restores a matrix from its matrix.json. Fields that this version does not know
// are ignored; a kind of which it knows nothing is an error.
func ReadMatrix(r io.Reader) (*Matrix, error) {
	limited := &io.LimitedReader{R: r, N: Limit + 1}
	var m Matrix
	if err := json.NewDecoder(limited).Decode(&m); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("result: a matrix of more than %d bytes", Limit)
		}
		return nil, fmt.Errorf("result: matrix: %w", err)
	}
	if m.Schema != MatrixSchema {
		return nil, fmt.Errorf("result: this is no matrix of ipseclab: $schema is %q", m.Schema)
	}
	known := map[Kind]bool{}
	for _, k := range Kinds() {
		known[k] = true
	}
	for _, c := range m.Cells {
		if !known[c.Kind] || c.Outcome != "" && !c.Outcome.Known() {
			return nil, fmt.Errorf("result: cell %q has the unknown kind %q or outcome %q", c.ID, c.Kind, c.Outcome)
		}
	}
	return &m, nil
}
