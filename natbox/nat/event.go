package nat

import "time"

// Kind is what became of a mapping.
type Kind uint8

const (
	Made Kind = iota
	Expired
	Evicted // to make room
	Refused // none was made
	Dropped // by Reboot or a change of the outside address
	Moved   // to another outside address
)

var kindText = [...]string{"made", "expired", "evicted", "refused", "dropped", "moved"}

func (k Kind) String() string { return kindText[k] }

// Event is told to Table.Trace.
type Event struct {
	Kind    Kind
	At      time.Duration // when it happened: the time that ran out, for Expired
	Mapping Mapping       // of Refused: what would have become of it, without an outside endpoint
	Why     string        // of Refused
}

func (t *Table) tell(k Kind, i uint32, at time.Duration, why string) {
	if t.Trace != nil {
		t.Trace(Event{Kind: k, At: at, Mapping: t.show(i), Why: why})
	}
}
