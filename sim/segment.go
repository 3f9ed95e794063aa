package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// SegmentConfig describes a segment.
type SegmentConfig struct {
	Medium  Medium
	Latency time.Duration // one way, from port to port
	MTU     int           // longest IP packet in bytes, 68 to 65535; 0: 1500
	Loss    float64       // probability, 0 to 1, that a frame is lost on its way

	// Rate is that of each port's link, each way, in bits per second, and Queue what
	// may wait for it, unless the link has a Rate of its own. 0: without limit.
	Rate  int64
	Queue Queue

	Impairments Impairments // of what passes the segment; its blackholes have no direction
}

const (
	// minMTU is what every internet module must forward whole. RFC 791, Section 3.2.
	minMTU = 68
	// maxMTU is the longest IPv4 datagram. RFC 791, Section 3.1.
	maxMTU     = 65535
	defaultMTU = 1500 // RFC 894
)

// Segment is an Ethernet broadcast domain, ports joined by a learning switch, or a
// line between two ports.
type Segment struct {
	w     *World
	name  string
	cfg   SegmentConfig
	now   LinkConfig // the same, as a way has it
	way   way
	holes blackholes
	ports []*Port

	// The switch. Guarded by w.mu, as ports is.
	byAddr   map[netip.Addr][]*Port
	byMAC    map[macAddr]*Port
	byNode   map[string]*Port
	stations map[macAddr]station
	swept    int64
	taps     []*Port // promiscuous ports
	to, also []*Port // room for receivers
	arrivals []arrivalAt
}

// NewSegment adds a segment to the world. Its name is its own in the world.
func (w *World) NewSegment(name string, c SegmentConfig) (*Segment, error) {
	if c.MTU == 0 {
		c.MTU = defaultMTU
	}
	if err := errors.Join(checkLink(c.Latency, c.Loss, c.MTU), checkRate(c.Rate, c.Queue), c.Impairments.check()); err != nil {
		return nil, fmt.Errorf("sim: segment %q: %w", name, err)
	}
	for i, b := range c.Impairments.Blackholes {
		if b.Direction != BothWays {
			return nil, fmt.Errorf("sim: segment %q: blackhole %d: a segment has no way %s: set it on a link", name, i+1, b.Direction)
		}
	}
	c.Impairments.Blackholes = slices.Clone(c.Impairments.Blackholes)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, fmt.Errorf("sim: segment %q for a closed world", name)
	case name == "":
		return nil, fmt.Errorf("sim: a segment without a name")
	case slices.ContainsFunc(w.segments, func(s *Segment) bool { return s.name == name }):
		return nil, fmt.Errorf("sim: there is a segment %q already", name)
	}
	s := &Segment{
		w:        w,
		name:     name,
		cfg:      c,
		now:      LinkConfig{Latency: c.Latency, Loss: c.Loss, MTU: c.MTU, Impairments: c.Impairments},
		way:      way{name: "segment " + name, path: []string{"segment", name}, medium: c.Medium},
		byAddr:   make(map[netip.Addr][]*Port),
		byMAC:    make(map[macAddr]*Port),
		byNode:   make(map[string]*Port),
		stations: make(map[macAddr]station),
	}
	s.holes.set(c.Impairments.Blackholes)
	w.segments = append(w.segments, s)
	return s, nil
}

// checkLink checks what segments and links have in common.
func checkLink(latency time.Duration, loss float64, mtu int) error {
	switch {
	case latency < 0:
		return fmt.Errorf("latency of %s is negative", latency)
	case !probability(loss):
		return fmt.Errorf("loss of %v is not a probability from 0 to 1", loss)
	case mtu < minMTU || mtu > maxMTU:
		return fmt.Errorf("MTU of %d is not within %d to %d", mtu, minMTU, maxMTU)
	}
	return nil
}

// Name is the segment's name.
func (s *Segment) Name() string { return s.name }

// Config is the configuration in effect, with the MTU filled in.
func (s *Segment) Config() SegmentConfig {
	c := s.cfg
	c.Impairments.Blackholes = slices.Clone(c.Impairments.Blackholes)
	return c
}

// Ports are the ports in the order of their attachment.
func (s *Segment) Ports() []*Port {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return slices.Clone(s.ports)
}

// Attach adds a port. A node has one port on a segment at most, and an address
// belongs to one port. A point-to-point line has two ports, promiscuous ones aside.
func (s *Segment) Attach(c PortConfig) (*Port, error) {
	fail := func(format string, args ...any) (*Port, error) {
		return nil, fmt.Errorf("sim: node %q on segment %q: "+format, append([]any{c.Node, s.name}, args...)...)
	}
	if c.MAC == (macAddr{}) {
		c.MAC = MACFor(c.Node, s.name)
	}
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return fail("the world is closed")
	case c.Node == "":
		return fail("a port without the name of its node")
	case c.Receive == nil && c.Sniff == nil:
		return fail("no Receive function")
	case group(c.MAC):
		return fail("%s is a group address: no port can have it", macString(c.MAC))
	case s.byMAC[c.MAC] != nil:
		return fail("node %q has the MAC address %s already: give one of them another", s.byMAC[c.MAC].cfg.Node, macString(c.MAC))
	case s.cfg.Medium == PointToPoint && c.Sniff == nil && len(s.appendEndsLocked(nil, nil)) == 2:
		ends := s.appendEndsLocked(nil, nil)
		return fail("a point-to-point line has two ends, and %s and %s are at them", ends[0].cfg.Node, ends[1].cfg.Node)
	case s.byNode[c.Node] != nil:
		return fail("unsupported: a second port of one node on one segment")
	}
	addrs, err := nodeAddrs(c.Addrs)
	if err != nil {
		return fail("%w", err)
	}
	c.Addrs = nil
	p := &Port{segment: s, cfg: c, name: c.Node + ":" + s.name}
	p.link.up = way{name: "link " + p.name, path: []string{"link", c.Node, s.name, "up"}, medium: s.cfg.Medium}
	p.link.down = way{name: "link " + p.name, path: []string{"link", c.Node, s.name, "down"}, medium: s.cfg.Medium}
	p.setLinkLocked(LinkConfig{})
	if w.capture != nil && w.err == nil {
		p.iface, w.err = w.capture.AddInterface(p.name, s.cfg.Medium.linkType())
	}
	s.ports = append(s.ports, p)
	s.byMAC[c.MAC] = p
	s.byNode[c.Node] = p
	if c.Sniff != nil {
		s.taps = append(s.taps, p)
	}
	p.holdLocked(addrs)
	return p, nil
}
