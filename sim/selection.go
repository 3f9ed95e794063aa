package sim

import (
	"fmt"
	"time"
)

// Direction is a way of a link.
type Direction uint8

// The directions.
const (
	BothWays Direction = iota
	Up                 // from the node to the segment
	Down               // from the segment to the node
)

func (d Direction) String() string {
	switch d {
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return "both ways"
}

// Selection selects frames of a way by what is in them, when they are sent and
// their number. All its conditions must hold; a zero one always does.
type Selection struct {
	Filter    Filter
	Direction Direction // on a link; segments have none

	// First and Last bound which of the frames that the other conditions select are
	// meant, counted from 1 since the selection was set. 0: from the first on; to the last.
	First, Last int

	// Since and Until bound the time at which the frame is sent, from the start of
	// the world: Since <= sent < Until. An Until of 0 is no bound.
	Since, Until time.Duration
}

// Selects reports whether all conditions but the number hold of a frame sent now.
func (s *Selection) Selects(m Medium, d Direction, now time.Duration, frame []byte) bool {
	return (s.Direction == BothWays || s.Direction == d) &&
		now >= s.Since && (s.Until == 0 || now < s.Until) && s.Filter.matches(m, frame)
}

// Counts reports whether the frame with that number, among those that Selects says yes to, is meant.
func (s *Selection) Counts(n int) bool { return n >= s.First && (s.Last == 0 || n <= s.Last) }

func (s *Selection) check() error {
	switch {
	case s.Direction > Down:
		return fmt.Errorf("no direction has the number %d", s.Direction)
	case s.First < 0 || s.Last < 0 || s.Last > 0 && s.Last < s.First:
		return fmt.Errorf("frames %d to %d are no range", s.First, s.Last)
	case s.Since < 0 || s.Until < 0 || s.Until > 0 && s.Until <= s.Since:
		return fmt.Errorf("%s to %s is no span of time", s.Since, s.Until)
	}
	return s.Filter.check()
}

func (s *Selection) String() string {
	words := s.Filter.String()
	if s.Direction != BothWays {
		words += ", " + s.Direction.String()
	}
	switch {
	case s.First > 0 && s.First == s.Last:
		words += fmt.Sprintf(", frame %d", s.First)
	case s.Last > 0:
		words += fmt.Sprintf(", frames %d to %d", max(s.First, 1), s.Last)
	case s.First > 1:
		words += fmt.Sprintf(", frames from %d on", s.First)
	}
	if s.Since > 0 {
		words += fmt.Sprintf(", since %s", s.Since)
	}
	if s.Until > 0 {
		words += fmt.Sprintf(", until %s", s.Until)
	}
	return words
}
