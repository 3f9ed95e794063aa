package sim

import (
	"bytes"
	"net/netip"
)

// PortConfig describes a node's port on a segment.
type PortConfig struct {
	Node  string       // the node's name
	Owner Owner        // of the frames that arrive; nil: none
	MAC   [6]byte      // zero: MACFor; of no use on a point-to-point line
	Addrs []netip.Addr // of the node here, see SetAddrs: ARP requests and neighbour solicitations for them go nowhere else

	// Receive is called, as an event of the Owner, with each frame that arrives,
	// from the Ethernet header on, or from the IP header where there is none. The frame is the receiver's own, to keep or to
	// change. Frames for other MAC addresses arrive too when the segment floods.
	Receive func(frame []byte)

	// Sniff makes the port promiscuous: it is called in place of Receive, and also with
	// a copy of each frame that passes the segment for others, as at the mirror port of
	// a switch. Nobody else notices: a frame that only such ports got is lost. number is
	// the frame's in the capture, from the port whose link it came along. On a point-to-point
	// line such a port is no end: what it Sends reaches nobody, what it Forwards does.
	Sniff func(number int, from *Port, frame []byte)
}

// Port is where a node is attached to a segment.
type Port struct {
	segment *Segment
	cfg     PortConfig
	name    string // "node:segment"
	iface   int    // in the capture

	// Guarded by the world's mu.
	link       link
	lastAcross int64 // when the last frame of the port had crossed the segment
}

// MAC is the port's address.
func (p *Port) MAC() [6]byte { return p.cfg.MAC }

// Node is the name of the node.
func (p *Port) Node() string { return p.cfg.Node }

// Segment is the segment.
func (p *Port) Segment() *Segment { return p.segment }

// Opposite is the other end of a point-to-point line; nil elsewhere, and while there is none.
func (p *Port) Opposite() *Port {
	p.segment.w.mu.Lock()
	defer p.segment.w.mu.Unlock()
	if ends := p.segment.appendEndsLocked(nil, p); p.segment.cfg.Medium == PointToPoint && len(ends) == 1 {
		return ends[0]
	}
	return nil
}

// Name is "node:segment", the name of the interface in the capture and of the link.
func (p *Port) Name() string { return p.name }

// delivery is a frame on its way to one port.
type delivery struct {
	number int // of the frame
	from   *Port
	data   []byte
	shared *int // how many of several receivers still wait for the same data; nil: one
}

// take is the frame for its receiver's own use: a copy, unless it is the last to want it.
func (d *delivery) take() []byte {
	if d.shared == nil {
		return d.data
	}
	if *d.shared--; *d.shared > 0 {
		return bytes.Clone(d.data)
	}
	return d.data
}

// Send puts a frame on the segment and takes it over: the caller neither changes
// nor reads it afterwards. All that becomes of it is decided now, so that the
// capture can say it: whether it is lost on the sender's link, the segment or a
// receiver's link, and when it arrives where. The comment joins the packet in the
// capture. Send returns the frame's number in the capture, from 1; 0 in a closed world.
func (p *Port) Send(frame []byte, comment string) (number int) {
	return p.send(frame, comment, nil)
}

// send numbers a frame, decides what becomes of it, and shows it. from is where it
// is in the middle of a link; nil: at the port.
func (p *Port) send(frame []byte, comment string, from *Intercepted) (number int) {
	w := p.segment.w
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return 0
	}
	w.frames++
	f := Frame{Number: w.frames, At: w.Now(), Segment: p.segment.name, Medium: p.segment.cfg.Medium, Node: p.cfg.Node, Data: frame, Comment: comment}
	if from == nil {
		f = p.segment.carryLocked(p, f)
	} else {
		f = p.segment.forwardedLocked(p, from, f)
	}
	w.writeLocked(p, &f)
	observers := w.observer
	w.mu.Unlock()
	w.show(f, observers)
	return f.Number
}

// arrive hands a frame to the node.
func (p *Port) arrive(d *delivery) {
	if p.cfg.Sniff != nil {
		p.cfg.Sniff(d.number, d.from, d.take())
	} else {
		p.cfg.Receive(d.take())
	}
}

// deliverLocked schedules the arrival of a frame at a port.
func (w *World) deliverLocked(p *Port, d delivery, at int64) {
	e := w.onceLocked()
	e.owner, e.port, e.frame = p.cfg.Owner, p, d
	w.scheduleLocked(e, at)
}
