package sim

import (
	"slices"
	"sort"
)

// line is what one way of a link of limited rate has to send: the time that each
// frame takes on it, as far as it lies ahead.
//
// A frame's place is fixed when it is sent into the world, which for the way down
// to a port may be before a frame from nearer by is sent that gets there first.
// That one takes the first gap that is long enough; nothing is moved for it.
type line struct {
	slots []slot // in the order of their times, without overlap
	past  int    // the first few that are over
}

// slot is the time of one frame.
type slot struct {
	ready      int64 // when the frame was there
	start, end int64
	size       int // bytes
}

// book finds the time for a frame of size bytes that is ready to be sent at the
// given time. ok is false when the queue has no room for it. now is the present.
func (l *line) book(now, ready int64, size int, rate int64, q Queue) (end int64, ok bool) {
	for l.past < len(l.slots) && l.slots[l.past].end <= now {
		l.past++
	}
	if l.past > len(l.slots)/2 {
		l.slots, l.past = slices.Delete(l.slots, 0, l.past), 0
	}
	ahead := l.slots[l.past:]
	at := sort.Search(len(ahead), func(i int) bool { return ahead[i].end > ready })
	takes := transmission(size, rate)
	start, place, frames, bytes := ready, -1, 0, 0
	for i := at; i < len(ahead); i++ {
		s := &ahead[i]
		if s.ready <= ready && s.start > ready {
			frames++
			bytes += s.size
		}
		if place < 0 {
			if s.start-start >= takes {
				place = i
			} else {
				start = s.end
			}
		}
	}
	if start > ready && (q.Frames > 0 && frames >= q.Frames || q.Bytes > 0 && bytes+size > q.Bytes) {
		return 0, false
	}
	if place < 0 {
		place = len(ahead)
	}
	end = start + min(takes, forever-start)
	l.slots = slices.Insert(l.slots, l.past+place, slot{ready, start, end, size})
	return end, true
}

// transmission is how long a frame of size bytes takes at a rate in bits per
// second, in nanoseconds, rounded up. Its bytes are those of the capture:
// Ethernet's preamble, checksum and gap are left out.
func transmission(size int, rate int64) int64 {
	return (int64(size)*8*1e9 + rate - 1) / rate
}
