package sim

import (
	"bytes"
	"fmt"
	"time"
)

// parcel is one copy of a frame on its way.
type parcel struct {
	data []byte
	at   int64 // when it is where it is
	late bool  // it was held back, and has no place in the order of frames any more
}

// keepOrder has the parcel arrive no earlier than the one before it, whose time last has.
func (c *parcel) keepOrder(last *int64) {
	if !c.late {
		c.at = max(c.at, *last)
		*last = c.at
	}
}

// way is what frames pass in one direction: a link on its way up or down, or a segment.
type way struct {
	name    string   // "link a:lan"
	path    []string // of its random streams
	medium  Medium
	streams [draws]*Stream
	line    line
}

// draw is what a random stream of a way is for.
type draw int

const (
	drawLoss draw = iota
	drawJitter
	drawDuplicate
	drawCorrupt
	drawReorder
	draws
)

var drawNames = [draws]string{"loss", "jitter", "duplicate", "corrupt", "reorder"}

// stream is the way's stream for one purpose, so that what one impairment draws
// does not hang on another.
func (y *way) stream(w *World, d draw) *Stream {
	if y.streams[d] == nil {
		y.streams[d] = w.Rand(append(y.path[:len(y.path):len(y.path)], drawNames[d])...)
	}
	return y.streams[d]
}

// chance draws whether something of that probability happens.
func (y *way) chance(w *World, d draw, probability float64) bool {
	return probability > 0 && y.stream(w, d).Float64() < probability
}

// pass takes a parcel through the way and appends to out what comes out of it: one
// parcel, two when it is duplicated, or none, and then lost says why. What else
// happened is remarked.
func (y *way) pass(w *World, c *LinkConfig, holes *blackholes, d Direction, in parcel, out []parcel, r *remarks) (_ []parcel, lost string) {
	gone := func(format string, args ...any) ([]parcel, string) {
		return out, "lost on " + y.name + " (" + fmt.Sprintf(format, args...) + ")"
	}
	header := y.medium.HeaderLen()
	size := len(in.data) - header
	switch {
	case c.Down:
		return gone("it is down")
	case size < 0:
		return gone("%d bytes are no Ethernet frame", len(in.data))
	case size == 0 && y.medium == PointToPoint:
		return gone("no bytes are no packet")
	case size > c.MTU:
		return gone("%d bytes exceed MTU %d", size, c.MTU)
	}
	if len(holes.all) > 0 {
		if why, taken := holes.swallow(y.medium, d, w.now.Load(), in.data); taken {
			return gone("%s", why)
		}
	}
	if y.chance(w, drawLoss, c.Loss) {
		return gone("loss")
	}
	i := &c.Impairments
	if y.chance(w, drawCorrupt, i.Corrupt) && size > 0 {
		bit := header*8 + y.stream(w, drawCorrupt).IntN(size*8)
		in.data = bytes.Clone(in.data)
		in.data[bit/8] ^= 0x80 >> (bit % 8)
		r.add(fmt.Sprintf("altered by %s: bit %d", y.name, bit))
	}
	copies := 1
	if y.chance(w, drawDuplicate, i.Duplicate) {
		copies = 2
		r.add("duplicated by " + y.name)
	}
	full := 0
	for range copies {
		p := in
		if c.Rate > 0 {
			var ok bool
			if p.at, ok = y.line.book(w.now.Load(), in.at, len(in.data), c.Rate, c.Queue); !ok {
				full++
				continue
			}
		}
		p.at = later(p.at, c.Latency)
		if i.Jitter > 0 {
			p.at = later(p.at, time.Duration(y.stream(w, drawJitter).IntN(int(i.Jitter)+1)))
		}
		if y.chance(w, drawReorder, i.Reorder) {
			p.at, p.late = later(p.at, i.ReorderBy), true
			r.add(fmt.Sprintf("held back by %s: %s", y.name, i.ReorderBy))
		}
		out = append(out, p)
	}
	switch {
	case full == copies:
		return gone("queue full")
	case full > 0:
		r.add("one copy lost on " + y.name + " (queue full)")
	}
	return out, ""
}
