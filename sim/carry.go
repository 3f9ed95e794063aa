package sim

import (
	"bytes"
	"fmt"
	"strings"
)

// carriage is what becomes of one frame: the way it goes, and what is remarked on it.
type carriage struct {
	s       *Segment
	f       Frame
	from    *Port
	reached int     // ports that the frame was meant for, or interceptors
	remarks remarks // on copies that go on
	missed  remarks // on those that do not
}

// arrivalAt is a copy that arrives at a port.
type arrivalAt struct {
	parcel
	to *Port
}

// carryLocked decides what becomes of a frame that a port sends, and says it on the frame.
func (s *Segment) carryLocked(from *Port, f Frame) Frame {
	c := carriage{s: s, f: f, from: from}
	var room [2]parcel
	up, lost := from.upLocked(parcel{data: f.Data, at: int64(f.At)}, room[:0], &c.remarks)
	if lost != "" {
		c.missed.add(lost)
	}
	for _, p := range up {
		if !c.intercepted(from, Up, p) {
			c.across(p)
		}
	}
	c.deliver()
	return c.f
}

// across takes a copy over the segment to its receivers.
func (c *carriage) across(in parcel) {
	s := c.s
	now := int64(c.f.At)
	if s.cfg.Medium == Ethernet {
		s.learnLocked(macAddr(in.data[6:]), c.from, now)
	}
	var room [2]parcel
	over, lost := s.way.pass(s.w, &s.now, &s.holes, BothWays, in, room[:0], &c.remarks)
	if lost != "" {
		c.missed.add(lost)
	}
	for _, p := range over {
		p.keepOrder(&c.from.lastAcross)
		to, taps := s.receiversLocked(c.from, p.data, now)
		if len(to) == 0 {
			c.missed.add(fmt.Sprintf("lost on segment %s (no other port)", s.name))
		}
		for _, port := range to {
			if !c.intercepted(port, Down, p) {
				c.down(port, p)
			}
		}
		for _, port := range taps {
			var unseen remarks
			var room [2]parcel
			arrived, _ := port.downLocked(c.from, p, room[:0], &unseen)
			for _, p := range arrived {
				s.arrivals = append(s.arrivals, arrivalAt{p, port})
			}
		}
	}
}

// down takes a copy down to a port.
func (c *carriage) down(to *Port, in parcel) {
	var room [2]parcel
	arrived, lost := to.downLocked(c.from, in, room[:0], &c.remarks)
	if lost != "" {
		c.missed.add(lost)
		return
	}
	c.reached++
	for _, p := range arrived {
		c.s.arrivals = append(c.s.arrivals, arrivalAt{p, to})
	}
}

// deliver schedules the arrivals, and says on the frame what became of it.
func (c *carriage) deliver() {
	if c.reached == 0 {
		c.f.Comment = join(c.f.Comment, c.remarks.String())
		c.f.Lost = c.missed.String()
	} else {
		c.f.Comment = join(c.f.Comment, join(c.remarks.String(), c.missed.String()))
	}
	// All receivers of the frame as it was sent share it; the last one has it.
	out := c.s.arrivals
	same := 0
	for i := range out {
		if &out[i].data[0] == &c.f.Data[0] {
			same++
		}
	}
	var shared *int
	if same > 1 {
		n := same
		shared = &n
	}
	for i := range out {
		a := &out[i]
		d := delivery{number: c.f.Number, from: c.from, data: a.data}
		switch {
		case &a.data[0] == &c.f.Data[0]:
			d.shared = shared
		case len(out) > 1:
			d.data = bytes.Clone(a.data)
		}
		c.s.w.deliverLocked(a.to, d, a.at)
		*a = arrivalAt{}
	}
	c.s.arrivals = out[:0]
}

// remarks collects what is said about a frame, the first few in words.
type remarks struct {
	words []string
	more  int
}

func (r *remarks) add(remark string) {
	if len(r.words) < 8 {
		r.words = append(r.words, remark)
	} else {
		r.more++
	}
}

func (r *remarks) String() string {
	s := strings.Join(r.words, "; ")
	if r.more > 0 {
		s += fmt.Sprintf("; and %d more", r.more)
	}
	return s
}
