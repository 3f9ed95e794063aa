package sim

import (
	"errors"
	"fmt"
)

// Interceptor is a device in the middle of a port's link. It sees each frame that
// passes there, and takes off the link what it wants: what was taken goes on when
// and if the device forwards it.
type Interceptor struct {
	// By is the port, on the same segment, under whose name the device forwards.
	By *Port

	// Takes is asked about each frame of other nodes when it is sent, since all is
	// decided then. It neither keeps nor changes the data, and calls nothing of the
	// world. What it returns is called, as an event of By's owner, when the frame is
	// there, with data of its own; nil lets the frame pass.
	Takes func(Intercepted) func(Intercepted)
}

// Intercepted is a frame in the middle of a link.
type Intercepted struct {
	Link      *Port     // whose link
	Direction Direction // Up or Down
	Number    int       // of the frame in the capture
	Data      []byte
	Comment   string // the sender's
}

// Intercept puts a device in the middle of the port's link, between its own
// impairments and the segment; nil takes the present one out. Frames that were
// taken before are still the device's to forward.
func (p *Port) Intercept(i *Interceptor) error {
	switch {
	case i == nil:
	case i.By == nil || i.By.segment != p.segment:
		return fmt.Errorf("sim: link %s: an interceptor needs a port of its own on segment %s", p.name, p.segment.name)
	case i.By == p:
		return fmt.Errorf("sim: link %s: a node cannot intercept itself", p.name)
	case i.Takes == nil:
		return fmt.Errorf("sim: link %s: an interceptor without a Takes function", p.name)
	}
	w := p.segment.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if i != nil && p.link.tapped != nil {
		return fmt.Errorf("sim: link %s: %s sits on it already", p.name, p.link.tapped.By.cfg.Node)
	}
	p.link.tapped = i
	return nil
}

// intercepted hands a copy to the device on a link if it takes it.
func (c *carriage) intercepted(on *Port, d Direction, p parcel) bool {
	i := on.link.tapped
	if i == nil || c.f.Node == i.By.cfg.Node {
		return false
	}
	in := Intercepted{Link: on, Direction: d, Number: c.f.Number, Data: p.data, Comment: c.f.Comment}
	then := i.Takes(in)
	if then == nil {
		return false
	}
	in.Data = append([]byte(nil), p.data...)
	c.missed.add(fmt.Sprintf("taken by %s on link %s", i.By.cfg.Node, on.name))
	w := c.s.w
	w.scheduleLocked(&event{owner: i.By.cfg.Owner, fn: func() { then(in) }}, p.at)
	return true
}

// errNoFrame is for what cannot be forwarded.
var errNoFrame = errors.New("sim: forwarding needs a frame, a link and the direction up or down")

// Forward sends a frame on from the middle of a link, in the direction given, as
// if it had come along the link: the switch takes it for the frame of the link's
// node. In the capture and for observers it is a frame of this port. It takes the
// data over. Forward returns the frame's number in the capture; 0 in a closed world.
func (p *Port) Forward(f Intercepted, comment string) (number int, err error) {
	if f.Link == nil || f.Link.segment != p.segment || len(f.Data) < max(f.Link.segment.cfg.Medium.HeaderLen(), 1) || f.Direction != Up && f.Direction != Down {
		return 0, errNoFrame
	}
	return p.send(f.Data, comment, &f), nil
}

// forwardedLocked decides what becomes of a frame in the middle of a link, and says it on the frame.
func (s *Segment) forwardedLocked(by *Port, at *Intercepted, f Frame) Frame {
	c := carriage{s: s, f: f, from: at.Link}
	in := parcel{data: f.Data, at: int64(f.At)}
	if at.Direction == Up {
		c.across(in)
	} else {
		c.from = by
		c.down(at.Link, in)
	}
	c.deliver()
	return c.f
}
