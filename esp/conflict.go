package esp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Computers behind one NAT have one address, so that their SAs in transport mode are for the same traffic; and two of
// them behind two NATs may have the same address inside tunnels. RFC 3948, Sections 5.1
// and 5.2 demand that an implementation handle that, and leave to it how; its Appendix A has a list.

// ConflictStrategy is how.
type ConflictStrategy uint8

// The strategies.
const (
	// ConflictNewest does nothing about it: the newest SA for the traffic carries all of it, and to
	// whoever has an older one no answer comes any more.
	ConflictNewest ConflictStrategy = iota
	// ConflictRefuse has the second computer not get an SA: see Pipeline.Conflict.
	ConflictRefuse
	// ConflictTrack has the answers of each conversation go to the computer from which its last
	// packet came. Conversations that look the same, of two computers, go to the later one.
	ConflictTrack
	// ConflictTranslate also gives a conversation that looks like that of another computer a port of its own, above
	// decapsulation: Tr2 and Tn2 of Appendix A. Of protocols without ports one computer alone has such a one.
	ConflictTranslate

	maxConflict = ConflictTranslate
)

func (c ConflictStrategy) String() string {
	switch c {
	case ConflictNewest:
		return "newest"
	case ConflictRefuse:
		return "refuse"
	case ConflictTrack:
		return "track"
	case ConflictTranslate:
		return "translate"
	}
	return fmt.Sprintf("conflicts(%d)", uint8(c))
}

// Conflicts settles what becomes of computers behind NATs that look the same. Bounds are choices of the lab.
type Conflicts struct {
	Strategy ConflictStrategy
	// Idle is after how long without a packet a conversation is forgotten; 0: DefaultConversationIdle.
	Idle time.Duration
	// Most is how many are remembered, those used last; 0: 16384.
	Most int
}

// DefaultConversationIdle is the least that a NAT keeps an established connection of
// TCP: RFC 5382, Section 5.
const DefaultConversationIdle = 2*time.Hour + 4*time.Minute

func (c Conflicts) idle() time.Duration {
	if c.Idle == 0 {
		return DefaultConversationIdle
	}
	return c.Idle
}

func (c Conflicts) most() int {
	if c.Most == 0 {
		return 16384
	}
	return c.Most
}

func (c Conflicts) check() error {
	switch {
	case c.Strategy > maxConflict:
		return fmt.Errorf("esp: Config.Conflicts has %v", c.Strategy)
	case c.Idle < 0 || c.Most < 0:
		return errors.New("esp: Config.Conflicts has a negative bound")
	}
	return nil
}

// remembers reports whether conversations are told apart.
func (c Conflicts) remembers() bool { return c.Strategy >= ConflictTrack }

// Conflict is the SA of another computer for traffic that an outbound SA would be for, too: RFC
// 3948, Section 5. A computer is the end that its packets come from. false: there is none.
func (p *Pipeline) Conflict(out ipsec.SAParams) (other ipsec.SAParams, ok bool) {
	peer := netip.AddrPortFrom(out.Dst, out.UDP.Dst)
	for _, s := range slices.Backward(p.sad.list) {
		if s.Direction != ipsec.Outbound || s.outer != nil || s.Mode != out.Mode || s.peer() == peer {
			continue
		}
		if s.Mode == ipsec.Transport && (s.Src != out.Src || s.Dst != out.Dst) {
			continue
		}
		if (s.encapsulation > 0 || out.UDP.On()) && overlap(s.Selector, out.Selector) {
			return s.params(), true
		}
	}
	return ipsec.SAParams{}, false
}

// overlap reports whether there may be packets of both selectors.
func overlap(a, b ipsec.Selector) bool {
	prefixes := func(a, b netip.Prefix) bool { return a == netip.Prefix{} || b == netip.Prefix{} || a.Overlaps(b) }
	open := func(a, b uint16) bool { return a == 0 || b == 0 || a == b }
	return prefixes(a.Src, b.Src) && prefixes(a.Dst, b.Dst) && (a.Proto == ipsec.ProtoAny || b.Proto == ipsec.ProtoAny || a.Proto == b.Proto) &&
		open(a.SrcPort, b.SrcPort) && open(a.DstPort, b.DstPort)
}

// converse notes the conversation of a packet that came out of an SA, and with
// ConflictTranslate has it not look like another computer's.
func (p *Pipeline) converse(now time.Time, s *sa, d *datagram, f *ipsec.Flow) defect {
	real, at, ok := d.conversation(ipsec.Inbound, f)
	if !ok {
		return ""
	}
	var t *talk
	switch about := real.proto != f.Proto; { // an error of ICMP begins none
	case about:
		t = p.talks.known(real, s.peer())
	default:
		if t = p.talks.arrived(now, p.cfg.Conflicts, real, s.peer(), p.sad.ends); t == nil {
			return sameTalk
		}
	}
	if t == nil || t.seen == t.real {
		return ""
	}
	d.setPort(at, t.seen.peerPort)
	if ipsec.HasPorts(f.Proto) {
		f.SrcPort = t.seen.peerPort
	}
	return ""
}

// answering is the conversation that an outbound packet belongs to; nil when none is known. f
// becomes what is on the wire, to which policy and selectors apply.
func (p *Pipeline) answering(now time.Time, d *datagram, f *ipsec.Flow) *talk {
	if !p.cfg.Conflicts.remembers() {
		return nil
	}
	seen, _, ok := d.conversation(ipsec.Outbound, f)
	if !ok {
		return nil
	}
	t := p.talks.find(now, p.cfg.Conflicts, seen)
	if t != nil && f.Proto == t.real.proto && ipsec.HasPorts(f.Proto) {
		f.DstPort = t.real.peerPort
	}
	return t
}

// forTalk is the SA for a packet of a conversation, and the entry that it serves, which is another
// one than that of the packet where the same addresses are inside of several tunnels. Without a conversation
// it is the newest one, and the conversation is with its computer from now on. barred: there is an SA, and it is
// another computer's.
func (p *Pipeline) forTalk(now time.Time, e *ipsec.Policy, d *datagram, f *ipsec.Flow, t *talk) (s *sa, of *ipsec.Policy, barred bool) {
	if t != nil {
		for _, s := range slices.Backward(p.sad.byPeer[t.peer]) {
			if s.Mode == ipsec.Transport && s.Src != f.Src || !s.Selector.Matches(f) || s.ended(now) {
				continue
			}
			if s.serves(e) {
				return s, e, false
			}
			if own := p.out.numbered(s.PolicyID); own != nil && own.Action == ipsec.Protect && own.Selector.Matches(f) {
				return s, own, false
			}
		}
	}
	s = p.forPacket(now, e, f)
	switch {
	case s == nil || !p.cfg.Conflicts.remembers():
	case t != nil:
		return nil, e, true
	default:
		if seen, _, ok := d.conversation(ipsec.Outbound, f); ok && seen.proto == f.Proto {
			p.talks.begin(now, p.cfg.Conflicts, seen, seen, s.peer())
		}
	}
	return s, e, false
}
