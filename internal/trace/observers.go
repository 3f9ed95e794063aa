package trace

import "time"

func init() {
	register[ObserverAlert]()
	register[ObserverESP]()
	register[ObserverFlow]()
}

// ObserverAlert says that an observer has found what it looks for, the first time in a flow.
type ObserverAlert struct {
	Observer string `json:"observer"`
	Pattern  string `json:"pattern"`
	Flow     string `json:"flow"`
	Under    string `json:"under,omitempty"` // what it read through: ah, esp-null, tunnel; of several, the outermost first
}

// ObserverESP says what an observer, which has no keys, takes a flow of ESP for.
type ObserverESP struct {
	Observer string `json:"observer"`
	Flow     string `json:"flow"`
	SPI      uint32 `json:"spi"`
	Verdict  string `json:"verdict"`       // encrypted, or null: without encryption
	ICV      int    `json:"icv,omitempty"` // of null: the length of the check value, in bytes
	IV       int    `json:"iv,omitempty"`  // and of the initialization vector
	Packets  uint64 `json:"packets"`       // after so many it knew
}

// ObserverFlow is a record of a flow that accounting has exported.
type ObserverFlow struct {
	Observer string        `json:"observer"`
	Flow     string        `json:"flow"`
	Packets  uint64        `json:"packets"`
	Bytes    uint64        `json:"bytes"`
	First    time.Duration `json:"first_ns"`
	Last     time.Duration `json:"last_ns"`
	End      string        `json:"end"` // inactive, active timeout, closed, cache full
}

// The names of the kinds, as trace.jsonl spells them.
func (ObserverAlert) Kind() string { return "observer.alert" }
func (ObserverESP) Kind() string   { return "observer.esp" }
func (ObserverFlow) Kind() string  { return "observer.flow" }
