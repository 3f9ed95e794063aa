package sim

import (
	"fmt"
	"slices"
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

// Blackhole swallows frames. All its conditions must hold; a zero one always does.
type Blackhole struct {
	Filter    Filter
	Direction Direction // on a link; segments have none

	// First and Last bound which of the frames that the other conditions select are
	// swallowed, counted from 1 since the blackhole was set. 0: from the first on; to the last.
	First, Last int

	// Since and Until bound the time at which the frame is sent, from the start of
	// the world: Since <= sent < Until. An Until of 0 is no bound.
	Since, Until time.Duration
}

func (b *Blackhole) check() error {
	switch {
	case b.Direction > Down:
		return fmt.Errorf("no direction has the number %d", b.Direction)
	case b.First < 0 || b.Last < 0 || b.Last > 0 && b.Last < b.First:
		return fmt.Errorf("frames %d to %d are no range", b.First, b.Last)
	case b.Since < 0 || b.Until < 0 || b.Until > 0 && b.Until <= b.Since:
		return fmt.Errorf("%s to %s is no span of time", b.Since, b.Until)
	}
	return b.Filter.check()
}

func (b *Blackhole) String() string {
	s := b.Filter.String()
	if b.Direction != BothWays {
		s += ", " + b.Direction.String()
	}
	switch {
	case b.First > 0 && b.First == b.Last:
		s += fmt.Sprintf(", frame %d", b.First)
	case b.Last > 0:
		s += fmt.Sprintf(", frames %d to %d", max(b.First, 1), b.Last)
	case b.First > 1:
		s += fmt.Sprintf(", frames from %d on", b.First)
	}
	if b.Since > 0 {
		s += fmt.Sprintf(", since %s", b.Since)
	}
	if b.Until > 0 {
		s += fmt.Sprintf(", until %s", b.Until)
	}
	return s
}

// blackholes are those of a link or segment, and what they have seen.
type blackholes struct {
	all      []Blackhole
	selected []int // so far, by each
}

// set replaces them. Those that stay as they were go on counting.
func (b *blackholes) set(all []Blackhole) {
	if slices.Equal(b.all, all) {
		return
	}
	b.all, b.selected = slices.Clone(all), make([]int, len(all))
}

// swallow reports which blackhole takes a frame, and why; each sees the frames
// that those before it left.
func (b *blackholes) swallow(d Direction, now int64, frame []byte) (why string, taken bool) {
	for i := range b.all {
		h := &b.all[i]
		if h.Direction != BothWays && h.Direction != d ||
			now < int64(h.Since) || h.Until > 0 && now >= int64(h.Until) || !h.Filter.Matches(frame) {
			continue
		}
		b.selected[i]++
		if n := b.selected[i]; n >= h.First && (h.Last == 0 || n <= h.Last) {
			return fmt.Sprintf("blackhole: %s; number %d", h, n), true
		}
	}
	return "", false
}
