package result

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Observer is what an observer, or the queue of a router, noted until a moment of the run.
type Observer struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`              // inspect, classify, account, probe, queue
	Node    string `json:"node,omitempty"`    // a router
	Segment string `json:"segment,omitempty"` // of a queue: to which it leads

	Counts   []Count  `json:"counts"`             // by kind of packet, or class
	Services []Count  `json:"services,omitempty"` // of a probe: of TCP and UDP by the port of the service
	Dropped  []Count  `json:"dropped,omitempty"`  // of a queue, by class
	Queues   []Count  `json:"queues,omitempty"`   // of a queue: those of classes and flows that packets went through
	Reading  *Reading `json:"reading,omitempty"`  // of an inspector
	Records  []Flow   `json:"records,omitempty"`  // of accounting
}

// Count is traffic of one kind.
type Count struct {
	Name    string `json:"name"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"` // of the IP packets, headers included
}

// Reading is what an inspector could read, and what it found.
type Reading struct {
	Read         Count   `json:"read"`
	Unsure       Count   `json:"unsure"` // ESP of which it does not know yet whether it is encrypted
	Opaque       Count   `json:"opaque"`
	Alerts       []Alert `json:"alerts"`
	ESPNull      uint64  `json:"esp_null"` // flows of ESP without encryption
	ESPEncrypted uint64  `json:"esp_encrypted"`
}

// Alert is how often a pattern was found.
type Alert struct {
	Pattern string `json:"pattern"`
	Found   uint64 `json:"found"`
}

// Flow is a record of accounting.
type Flow struct {
	Protocol        string        `json:"protocol"`
	Source          string        `json:"source"`
	Destination     string        `json:"destination"`
	SourcePort      uint16        `json:"source_port,omitempty"`
	DestinationPort uint16        `json:"destination_port,omitempty"`
	Packets         uint64        `json:"packets"`
	Bytes           uint64        `json:"bytes"`
	First           time.Duration `json:"first_ns"`
	Last            time.Duration `json:"last_ns"`
	End             string        `json:"end,omitempty"` // why it ended; empty: it has not
}

// ReadObservers restores observers from their observers.json.
func ReadObservers(r io.Reader) (all []Observer, err error) {
	limited := &io.LimitedReader{R: r, N: Limit + 1}
	if err = json.NewDecoder(limited).Decode(&all); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("result: longer than %d bytes", Limit)
		}
		return nil, fmt.Errorf("result: %w", err)
	}
	return all, nil
}
