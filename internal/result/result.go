// Package result is what a run leaves behind for machines: the outcome of every
// check, step and scenario, and where the evidence is. scenarios fills it,
// reports and other tools read it. A Scenario holds virtual times only and is
// the same bytes for the same seed; wall times live in Run.
package result

import "time"

// Outcome is the verdict of a check, a step or a scenario.
type Outcome string

// The outcomes, least bad first.
const (
	Passed      Outcome = "passed"
	Unsupported Outcome = "unsupported" // cannot be done here, with a reason
	Failed      Outcome = "failed"      // an expectation or the wire oracle said no
	Broken      Outcome = "broken"      // the lab itself failed; nothing is known about the scenario
)

var order = map[Outcome]int{Passed: 0, Unsupported: 1, Failed: 2, Broken: 3}

// Worse is the worse of the two outcomes. The zero Outcome counts as passed.
func (o Outcome) Worse(p Outcome) Outcome {
	if order[p] > order[o] {
		return p
	}
	if o == "" {
		return Passed
	}
	return o
}

// The JSON Schemas of a Scenario and a Run, by their published addresses.
const (
	ScenarioSchema = "https://raw.githubusercontent.com/ipseclab/ipseclab/main/docs/schema/result.schema.json"
	RunSchema      = "https://raw.githubusercontent.com/ipseclab/ipseclab/main/docs/schema/results.schema.json"
)

// Check is one expectation and what was seen instead or indeed.
type Check struct {
	Name    string  `json:"name"` // the expectation in words: "wire: esp"
	Outcome Outcome `json:"outcome"`
	Want    string  `json:"want,omitempty"`
	Got     string  `json:"got,omitempty"`
	Reason  string  `json:"reason,omitempty"` // why it failed, is unsupported or broke
	Line    int     `json:"line,omitempty"`   // in the scenario file; 0 when built in code
}

// Step is one step of a scenario.
type Step struct {
	Index   int           `json:"index"` // from 1
	Verb    string        `json:"verb"`
	Title   string        `json:"title"` // the step in words
	Line    int           `json:"line,omitempty"`
	Start   time.Duration `json:"start_ns"` // virtual, since the start of the world
	End     time.Duration `json:"end_ns"`
	Outcome Outcome       `json:"outcome"`
	Got     []string      `json:"got,omitempty"` // what happened, in words
	Checks  []Check       `json:"checks,omitempty"`
}

// Node is a node of the network as drawn.
type Node struct {
	Name string `json:"name"`
	Type string `json:"type"` // host, router, attacker, peer
	OS   string `json:"os,omitempty"`
	NAT  string `json:"nat,omitempty"` // of a NAT box: the name of the one whose behaviour it has

	// Unconfirmed are the values of the profile of its operating system that the lab acts on and
	// no source confirms.
	Unconfirmed []string `json:"unconfirmed,omitempty"`

	Policy     string      `json:"policy,omitempty"` // assigned at the start
	Interfaces []Interface `json:"interfaces"`
}

// Interface joins a node to a segment.
type Interface struct {
	Segment string   `json:"segment"`
	Address string   `json:"address"`        // with prefix length; an attacker has none
	Also    []string `json:"also,omitempty"` // its other addresses
	MAC     string   `json:"mac,omitempty"`  // of an Ethernet interface
	MTU     int      `json:"mtu"`
}

// Segment is a broadcast domain or a point-to-point line as drawn.
type Segment struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind,omitempty"`   // "point-to-point"; empty: Ethernet
	Subnet  string        `json:"subnet,omitempty"` // several are joined by ", "
	MTU     int           `json:"mtu"`
	Latency time.Duration `json:"latency_ns"`
	Loss    float64       `json:"loss,omitempty"`
}

// SA is one IPsec security association that existed during the run.
type SA struct {
	Node      string         `json:"node"`
	Direction string         `json:"direction"`
	Protocol  string         `json:"protocol"`
	SPI       uint32         `json:"spi"`
	PeerSPI   uint32         `json:"peer_spi"`
	Src       string         `json:"src"`
	Dst       string         `json:"dst"`
	Mode      string         `json:"mode"`
	Cipher    string         `json:"cipher,omitempty"`
	Auth      string         `json:"auth,omitempty"`
	ESN       bool           `json:"esn,omitempty"`      // extended sequence numbers
	SrcPort   uint16         `json:"src_port,omitempty"` // of ESP in UDP, at the end
	DstPort   uint16         `json:"dst_port,omitempty"`
	Selector  string         `json:"selector"`
	Rule      string         `json:"rule"`
	Seconds   int64          `json:"seconds,omitempty"`
	Kilobytes uint64         `json:"kilobytes,omitempty"`
	Initiator bool           `json:"initiator"`
	Added     time.Duration  `json:"added_ns"`
	Removed   *time.Duration `json:"removed_ns,omitempty"` // nil: still there at the end
	Reason    string         `json:"reason,omitempty"`     // why it was removed
	Packets   uint64         `json:"packets"`
	Bytes     uint64         `json:"bytes"`
}

// Artefact is a file of evidence, its path relative to the scenario's folder.
type Artefact struct {
	Name string `json:"name"` // "capture", "trace", "report", "wireshark profile"
	Path string `json:"path"`
}

// Setting is the value that a parameter of a scenario file has in a cell.
type Setting struct {
	Parameter string `json:"parameter"`
	Value     string `json:"value"` // its label
}

// Scenario is the result of one scenario.
type Scenario struct {
	Schema     string        `json:"$schema,omitempty"`
	Name       string        `json:"name"`           // of a cell: file/cell
	Cell       []Setting     `json:"cell,omitempty"` // the parameters that vary, in the order of the cell's name
	Long       bool          `json:"long,omitempty"` // reported apart from the others' budget of wall time
	Title      string        `json:"title"`
	Story      string        `json:"story,omitempty"`
	Claims     []string      `json:"claims,omitempty"`
	File       string        `json:"file,omitempty"`
	Seed       uint64        `json:"seed"`
	Start      time.Time     `json:"start"`           // the epoch of the world
	Clock      string        `json:"clock,omitempty"` // "wall": real peers took part, and times are the machine's; empty: virtual
	Peers      []Peer        `json:"peers,omitempty"` // those
	Outcome    Outcome       `json:"outcome"`
	Reason     string        `json:"reason,omitempty"` // of a broken or unsupported scenario
	Virtual    time.Duration `json:"virtual_ns"`       // how long the world lived, by the clock that it went by
	Frames     int           `json:"frames"`
	Segments   []Segment     `json:"segments"`
	Nodes      []Node        `json:"nodes"`
	Steps      []Step        `json:"steps"`
	Invariants []Check       `json:"invariants,omitempty"` // the wire oracle's among them
	SAs        []SA          `json:"sas,omitempty"`
	Artefacts  []Artefact    `json:"artefacts,omitempty"`
	Grid       *Place        `json:"grid,omitempty"`     // of a cell of a grid
	Measured   *Measured     `json:"measured,omitempty"` // likewise
}

// Run is the result of a whole run; its times are of the wall clock.
type Run struct {
	Schema      string          `json:"$schema,omitempty"`
	Version     string          `json:"version"`
	GoVersion   string          `json:"go_version"`
	Started     time.Time       `json:"started"`
	Wall        time.Duration   `json:"wall_ns"`
	Interrupted bool            `json:"interrupted,omitempty"` // some scenarios were not run, or not to their end
	Outcome     Outcome         `json:"outcome"`               // broken when interrupted: of the rest nothing is known
	Totals      map[Outcome]int `json:"totals"`
	Scenarios   []Entry         `json:"scenarios"`
	Grids       []GridEntry     `json:"grids,omitempty"`
}

// GridEntry is a grid in the index of a run.
type GridEntry struct {
	Name string `json:"name"` // of the file
	Dir  string `json:"dir"`  // with grid.html and grid.json, relative to the results folder

	Totals map[string]int `json:"totals"` // cells by what was measured
}

// Entry is a scenario in the index of a run.
type Entry struct {
	Name    string        `json:"name"`
	Cell    []Setting     `json:"cell,omitempty"`
	Long    bool          `json:"long,omitempty"`
	Title   string        `json:"title"`
	Claims  []string      `json:"claims,omitempty"`
	Outcome Outcome       `json:"outcome"`
	Reason  string        `json:"reason,omitempty"` // the first thing that was not passed
	Seed    uint64        `json:"seed"`
	Clock   string        `json:"clock,omitempty"` // as of Scenario
	Virtual time.Duration `json:"virtual_ns"`      // likewise
	Wall    time.Duration `json:"wall_ns"`
	Frames  int           `json:"frames"`
	Dir     string        `json:"dir,omitempty"` // relative to the results folder; empty: no evidence was kept
}

// Average is how much wall time the scenarios of a run took on average, those
// marked as long apart. Scenarios that run side by side share the processors.
type Average struct {
	Scenarios, LongScenarios int
	Each, LongEach           time.Duration
}

// Average counts the scenarios of the run.
func (r *Run) Average() (a Average) {
	for _, e := range r.Scenarios {
		if e.Long {
			a.LongScenarios++
			a.LongEach += e.Wall
		} else {
			a.Scenarios++
			a.Each += e.Wall
		}
	}
	a.Each /= time.Duration(max(a.Scenarios, 1))
	a.LongEach /= time.Duration(max(a.LongScenarios, 1))
	return a
}
