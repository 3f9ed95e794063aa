package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// LinkConfig describes the link between a port and its segment. The zero
// LinkConfig adds nothing to the segment.
type LinkConfig struct {
	Latency time.Duration // added to the segment's, each way
	Loss    float64       // probability, 0 to 1, that a frame is lost here, each way
	MTU     int           // longest IP packet in bytes, 68 to 65535; 0: the segment's
	Down    bool          // nothing passes

	// Rate is how fast frames are sent, each way, in bits per second; Queue is what
	// may wait for it, each way. A Rate of 0: the segment's, with the segment's Queue.
	Rate  int64
	Queue Queue

	Impairments Impairments // each way
}

// link is the running twin: the way up to the segment and down from it.
//
// Each way keeps the order of frames. Going up, a frame leaves no earlier than the
// one before it. Going down, frames of several senders overtake each other
// rightly: each sender's own order comes from the latencies, which do not change
// by themselves, and is kept beside them where times are drawn or frames wait.
// When a link gets faster, later frames wait for those that are under way.
type link struct {
	cfg      LinkConfig // as set
	now      LinkConfig // what holds: the segment's values where cfg has none
	up, down way
	holes    blackholes
	tapped   *Interceptor

	lastUp   int64           // when the last frame going up left
	lastDown int64           // the latest arrival of a frame going down
	floor    int64           // no later frame arrives before
	lastFrom map[*Port]int64 // the latest arrival of a frame going down, by sender; while needed
}

// Link is the present configuration.
func (p *Port) Link() LinkConfig {
	p.segment.w.mu.Lock()
	defer p.segment.w.mu.Unlock()
	c := p.link.cfg
	c.Impairments.Blackholes = slices.Clone(c.Impairments.Blackholes)
	return c
}

// SetLink changes the link for frames that are sent from now on; those under way
// are not affected, nor are the counts of blackholes when their list stays the
// same. Once the world has run, the change is traced. It refuses values that make
// no sense, and then changes nothing.
func (p *Port) SetLink(c LinkConfig) error {
	w := p.segment.w
	mtu := c.MTU
	if mtu == 0 {
		mtu = p.segment.cfg.MTU
	}
	if err := c.check(mtu); err != nil {
		return fmt.Errorf("sim: link %s: %w", p.name, err)
	}
	c.Impairments.Blackholes = slices.Clone(c.Impairments.Blackholes)
	w.mu.Lock()
	p.setLinkLocked(c)
	now := p.link.now
	started := w.started
	w.mu.Unlock()
	if started {
		more := now.Impairments.String()
		if rate := describeRate(now.Rate, now.Queue); rate != "" {
			more = join(rate, more)
		}
		w.Record(p.cfg.Node, trace.LinkChanged{
			Link: p.name, Latency: c.Latency, Loss: c.Loss, MTU: mtu, Down: c.Down, More: more,
		})
	}
	return nil
}

func (c *LinkConfig) check(mtu int) error {
	return errors.Join(checkLink(c.Latency, c.Loss, mtu), checkRate(c.Rate, c.Queue), c.Impairments.check())
}

func (p *Port) setLinkLocked(c LinkConfig) {
	l, s := &p.link, p.segment
	old := &l.now
	if c.Latency < old.Latency || old.Rate > 0 || old.Impairments.Jitter > 0 {
		l.floor = l.lastDown
	}
	l.cfg, l.now = c, c
	l.now.MTU = s.cfg.MTU
	if c.MTU != 0 {
		l.now.MTU = min(c.MTU, s.cfg.MTU)
	}
	if c.Rate == 0 {
		l.now.Rate, l.now.Queue = s.cfg.Rate, s.cfg.Queue
	}
	l.holes.set(c.Impairments.Blackholes)
}

// MTU is the longest IP packet, in bytes, that passes the port's link and segment.
func (p *Port) MTU() int {
	p.segment.w.mu.Lock()
	defer p.segment.w.mu.Unlock()
	return p.link.now.MTU
}

// upLocked takes a copy of a frame up to the segment. See way.pass.
func (p *Port) upLocked(c parcel, out []parcel, r *remarks) ([]parcel, string) {
	l := &p.link
	first := len(out)
	out, lost := l.up.pass(p.segment.w, &l.now, &l.holes, Up, c, out, r)
	for i := first; i < len(out); i++ {
		out[i].keepOrder(&l.lastUp)
	}
	return out, lost
}

// downLocked takes a copy of a frame of a sender down to the port. See way.pass.
func (p *Port) downLocked(from *Port, c parcel, out []parcel, r *remarks) ([]parcel, string) {
	l := &p.link
	first := len(out)
	out, lost := l.down.pass(p.segment.w, &l.now, &l.holes, Down, c, out, r)
	for i := first; i < len(out); i++ {
		c := &out[i]
		if c.late {
			continue
		}
		c.at = max(c.at, l.floor)
		if l.now.Rate > 0 || l.now.Impairments.Jitter > 0 {
			if l.lastFrom == nil {
				l.lastFrom = make(map[*Port]int64)
			}
			c.at = max(c.at, l.lastFrom[from])
			l.lastFrom[from] = c.at
		} else {
			l.lastFrom = nil
		}
		l.lastDown = max(l.lastDown, c.at)
	}
	return out, lost
}
