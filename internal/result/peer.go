package result

import "time"

// ClockWall is the word of Scenario.Clock for the clock of the machine.
const ClockWall = "wall"

// Peer is a real peer that took part in a scenario.
type Peer struct {
	Node     string            `json:"node"`
	Image    string            `json:"image"`
	Driver   string            `json:"driver"` // the kind of machine that it ran in
	Daemon   string            `json:"daemon"` // name and version, as it says itself
	Kernel   string            `json:"kernel"`
	Packages map[string]string `json:"packages,omitempty"` // versions
	Ready    time.Duration     `json:"ready_ns"`           // from its start until its daemon was ready
	Memory   uint64            `json:"memory,omitempty"`   // bytes that it took when it was ready; 0: unknown
	Dir      string            `json:"dir,omitempty"`      // of its files, relative to the evidence
}
