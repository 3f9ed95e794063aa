package sim

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// LinkConfig describes the link between a port and its segment. The zero
// LinkConfig adds nothing to the segment.
type LinkConfig struct {
	Latency time.Duration // added to the segment's, each way
	Loss    float64       // probability, 0 to 1, that a frame is lost here, each way
	MTU     int           // longest IP packet in bytes, 68 to 65535; 0: the segment's
}

// link is the running twin: the way up to the segment and down from it.
//
// Each way keeps the order of frames. Going up, a frame leaves no earlier than the
// one before it. Going down, frames of several senders overtake each other
// rightly, so that order comes from the latencies, which do not change by
// themselves; when one shrinks, later frames wait for those that are under way.
type link struct {
	cfg      LinkConfig
	up, down *Stream // losses; nil before the first link with loss
	lastUp   int64   // when the last frame going up left
	lastDown int64   // the latest arrival of a frame going down
	floor    int64   // no later frame arrives before
}

// Link is the present configuration.
func (p *Port) Link() LinkConfig {
	p.segment.w.mu.Lock()
	defer p.segment.w.mu.Unlock()
	return p.link.cfg
}

// SetLink changes the link for frames that are sent from now on; those under way
// are not affected. Once the world has run, the change is traced. It refuses
// values that make no sense, and then changes nothing.
func (p *Port) SetLink(c LinkConfig) error {
	w := p.segment.w
	mtu := c.MTU
	if mtu == 0 {
		mtu = p.segment.cfg.MTU
	}
	if err := checkLink(c.Latency, c.Loss, mtu); err != nil {
		return fmt.Errorf("sim: link %s: %w", p.name, err)
	}
	w.mu.Lock()
	l := &p.link
	if c.Latency < l.cfg.Latency {
		l.floor = l.lastDown
	}
	if c.Loss > 0 && l.up == nil {
		l.up = w.Rand("link", p.cfg.Node, p.segment.name, "up")
		l.down = w.Rand("link", p.cfg.Node, p.segment.name, "down")
	}
	l.cfg = c
	started := w.started
	w.mu.Unlock()
	if started {
		w.Record(p.cfg.Node, trace.LinkChanged{Link: p.name, Latency: c.Latency, Loss: c.Loss, MTU: mtu})
	}
	return nil
}

// MTU is the longest IP packet, in bytes, that passes the port's link and segment.
func (p *Port) MTU() int {
	p.segment.w.mu.Lock()
	defer p.segment.w.mu.Unlock()
	return p.mtuLocked()
}

func (p *Port) mtuLocked() int {
	if p.link.cfg.MTU == 0 {
		return p.segment.cfg.MTU
	}
	return min(p.link.cfg.MTU, p.segment.cfg.MTU)
}

// passLocked decides whether a frame passes the link on the way whose stream is
// given, and says why not.
func (p *Port) passLocked(way *Stream, frame []byte) (lost string) {
	size := len(frame) - etherHeader
	switch mtu := p.mtuLocked(); {
	case size < 0:
		return fmt.Sprintf("lost on link %s (%d bytes are no Ethernet frame)", p.name, len(frame))
	case size > mtu:
		return fmt.Sprintf("lost on link %s (%d bytes exceed MTU %d)", p.name, size, mtu)
	case lose(way, p.link.cfg.Loss):
		return fmt.Sprintf("lost on link %s (loss)", p.name)
	}
	return ""
}

// lose draws from a stream whether a frame is lost.
func lose(s *Stream, probability float64) bool {
	return probability > 0 && s.Float64() < probability
}

// upLocked is when a frame sent now reaches the segment.
func (l *link) upLocked(now int64) int64 {
	l.lastUp = max(l.lastUp, later(now, l.cfg.Latency))
	return l.lastUp
}

// downLocked is when a frame that comes from the segment at t reaches the port.
func (l *link) downLocked(t int64) int64 {
	t = max(l.floor, later(t, l.cfg.Latency))
	l.lastDown = max(l.lastDown, t)
	return t
}
