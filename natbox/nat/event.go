package nat

import "time"

// Kind is what became of a mapping.
type Kind uint8

const (
	Made     Kind = iota
	Bound         // BySPI: the number of the other direction is known, or thought to be
	Expired       // nothing has refreshed it
	Closed        // by a TCP RST, with ResetEnds
	Evicted       // to make room
	Replaced      // by another inside host's
	Dropped       // by Reboot, by a change of the outside address, or because its first packet could not go on
	Moved         // to another outside address
	Refused       // none was made
)

var kindText = [...]string{"made", "bound", "expired", "closed", "evicted", "replaced", "dropped", "moved", "refused"}

func (k Kind) String() string { return kindText[k] }

// Event is told to Table.Trace.
type Event struct {
	Kind    Kind
	At      time.Duration // when it happened; of Expired, when the time had run out
	Mapping Mapping       // of Refused, without an outside endpoint
	Why     string        // of Refused
}

func (t *Table) tell(k Kind, i uint32, at time.Duration) {
	if t.Trace != nil {
		t.Trace(Event{Kind: k, At: at, Mapping: t.show(t.mappings.at(i))})
	}
}

func (t *Table) tellSPI(k Kind, s *spi, at time.Duration) {
	if t.Trace != nil {
		t.Trace(Event{Kind: k, At: at, Mapping: s.show()})
	}
}

func (t *Table) tellCookie(k Kind, c *cookie, at time.Duration) {
	if t.Trace != nil {
		t.Trace(Event{Kind: k, At: at, Mapping: c.show()})
	}
}

// refused counts and tells of a mapping that was not made.
func (t *Table) refused(m mapping, why reason) {
	t.counters.Refused++
	if t.Trace != nil {
		m.outAddr, m.outPort = 0, 0
		t.Trace(Event{Kind: Refused, At: t.now, Mapping: t.show(&m), Why: why.String()})
	}
}
