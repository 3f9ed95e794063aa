package matrix

import (
	"fmt"
	"regexp"
	"strings"
)

// CellID says which cell is meant, and stays the same from run to run.
type CellID struct {
	Case string // the scenario file, without .yaml
	Cell string // of a file with parameters; else empty
	Pair
	Driver Driver
}

// Scenario is the name of the scenario: file, or file/cell.
func (id CellID) Scenario() string {
	if id.Cell == "" {
		return id.Case
	}
	return id.Case + "/" + id.Cell
}

// String is the text for people: case/cell:initiator→responder@driver.
func (id CellID) String() string {
	return fmt.Sprintf("%s:%s@%s", id.Scenario(), id.Pair, id.Driver)
}

// Name is the text for machines, in ASCII and fit for the name of a folder on any system and in
// an address: case,cell@initiator-to-responder@driver. Names of scenario files and their cells
// have neither commas nor @.
func (id CellID) Name() string {
	return fmt.Sprintf("%s@%s-to-%s@%s", strings.ReplaceAll(id.Scenario(), "/", ","), id.Initiator, id.Responder, id.Driver)
}

var cellName = regexp.MustCompile(`^([a-z0-9][a-z0-9_-]*)(?:,([a-z0-9][a-z0-9._-]*))?@([a-z0-9.-]+?)-to-([a-z0-9.-]+)@([a-z]+)$`)

// ParseName reads what Name writes.
func ParseName(name string) (id CellID, err error) {
	m := cellName.FindStringSubmatch(name)
	if m == nil {
		return id, fmt.Errorf("matrix: %q is no cell: want case,cell@initiator-to-responder@driver", name)
	}
	return CellID{Case: m[1], Cell: m[2], Pair: Pair{System(m[3]), System(m[4])}, Driver: Driver(m[5])}, nil
}
