package sim

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Impairments are what a link or a segment does to frames besides losing them.
// Each way of a link and each segment draws each kind from a random stream of its
// own, when a frame is sent; the capture's comment names what was done, except for
// jitter. The zero Impairments do nothing.
type Impairments struct {
	// Jitter is the most that a frame takes longer, uniformly drawn. Frames of one
	// sender keep their order: one that would overtake waits for the one before it.
	Jitter time.Duration
	// Duplicate is the probability, 0 to 1, that a frame comes out twice.
	Duplicate float64
	// Corrupt is the probability, 0 to 1, that one bit behind the Ethernet header is
	// flipped. The capture has the frame as it was sent, and the comment the number
	// of the bit: bit 0 is the most significant one of the frame's first byte.
	Corrupt float64
	// Reorder is the probability, 0 to 1, that a frame is held back for ReorderBy and
	// loses its place: later frames overtake it.
	Reorder   float64
	ReorderBy time.Duration
	// Blackholes swallow the frames that they select.
	Blackholes []Selection
}

// Queue bounds what waits to be sent at a limited rate, the frame being sent not
// counted: a frame that finds no room is dropped (tail drop). 0 is no bound.
type Queue struct {
	Frames int
	Bytes  int
}

func (i *Impairments) check() error {
	switch {
	case i.Jitter < 0:
		return fmt.Errorf("jitter of %s is negative", i.Jitter)
	case !probability(i.Duplicate):
		return fmt.Errorf("duplication of %v is not a probability from 0 to 1", i.Duplicate)
	case !probability(i.Corrupt):
		return fmt.Errorf("corruption of %v is not a probability from 0 to 1", i.Corrupt)
	case !probability(i.Reorder):
		return fmt.Errorf("reordering of %v is not a probability from 0 to 1", i.Reorder)
	case i.ReorderBy < 0:
		return fmt.Errorf("reordering by %s is negative", i.ReorderBy)
	case i.Reorder > 0 && i.ReorderBy == 0:
		return fmt.Errorf("reordering by no time changes nothing: set ReorderBy")
	}
	for n := range i.Blackholes {
		if err := i.Blackholes[n].check(); err != nil {
			return fmt.Errorf("blackhole %d: %w", n+1, err)
		}
	}
	return nil
}

func probability(p float64) bool { return !math.IsNaN(p) && p >= 0 && p <= 1 }

// maxRate is the highest rate, in bits per second: a petabit.
const maxRate = 1_000_000_000_000_000

// checkRate checks a rate and what may wait for it.
func checkRate(rate int64, q Queue) error {
	switch {
	case rate < 0 || rate > maxRate:
		return fmt.Errorf("rate of %d bits per second is not within 0 to %d", rate, int64(maxRate))
	case q.Frames < 0 || q.Bytes < 0:
		return fmt.Errorf("queue of %d frames and %d bytes has a negative bound", q.Frames, q.Bytes)
	}
	return nil
}

// String names the impairments that there are: "jitter 5ms, duplicate 0.1".
func (i *Impairments) String() string {
	var words []string
	add := func(there bool, format string, args ...any) {
		if there {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(i.Jitter > 0, "jitter %s", i.Jitter)
	add(i.Duplicate > 0, "duplicate %g", i.Duplicate)
	add(i.Corrupt > 0, "corrupt %g", i.Corrupt)
	add(i.Reorder > 0, "reorder %g by %s", i.Reorder, i.ReorderBy)
	for n := range i.Blackholes {
		add(true, "blackhole (%s)", &i.Blackholes[n])
	}
	return strings.Join(words, ", ")
}

// describeRate names a rate and its queue.
func describeRate(rate int64, q Queue) string {
	if rate == 0 {
		return ""
	}
	s := fmt.Sprintf("rate %d bit/s", rate)
	if q.Frames > 0 {
		s += fmt.Sprintf(", queue %d frames", q.Frames)
	}
	if q.Bytes > 0 {
		s += fmt.Sprintf(", queue %d bytes", q.Bytes)
	}
	return s
}
