package sim

import (
	"fmt"
	"slices"
	"time"
)

// blackholes are those of a link or segment, and what they have seen.
type blackholes struct {
	all      []Selection
	selected []int // so far, by each
}

// set replaces them. Those that stay as they were go on counting.
func (b *blackholes) set(all []Selection) {
	if slices.Equal(b.all, all) {
		return
	}
	b.all, b.selected = slices.Clone(all), make([]int, len(all))
}

// swallow reports which blackhole takes a frame, and why; each sees the frames
// that those before it left.
func (b *blackholes) swallow(m Medium, d Direction, now int64, frame []byte) (why string, taken bool) {
	for i := range b.all {
		h := &b.all[i]
		if !h.Selects(m, d, time.Duration(now), frame) {
			continue
		}
		b.selected[i]++
		if n := b.selected[i]; h.Counts(n) {
			return fmt.Sprintf("blackhole: %s; number %d", h, n), true
		}
	}
	return "", false
}
