package esp

import (
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Outbound decides about a datagram that the host is about to send, before
// fragmentation: RFC 4301, Section 5.1. pathMTU is in bytes, towards the packet's
// destination or the far end of its tunnel; 0 is not known, and nothing is too
// big. The packet is only read.
func (p *Pipeline) Outbound(now time.Time, packet []byte, pathMTU int) Decision {
	return p.outbound(now, packet, room{}, pathMTU)
}

// Headroom and Tailroom are how many bytes in front of a datagram and behind it
// suffice to protect it in its place, whatever the SAs: an outer IPv6 header, the
// longest AH or encapsulation in UDP, and the header and IV of ESP; padding, trailer and ICV of ESP.
const (
	Headroom = ipv6Header + max(48, udpHeader+8) + espHeader + 16
	Tailroom = 15 + espTrailer + 32
)

// OutboundInPlace is Outbound for a datagram that the caller gives up: buf[head:].
// Where it is protected, the result takes its place, and the bytes in front and the
// capacity behind as it needs; without room enough it is a copy, as from Outbound.
// Nothing is allocated where there is room. The datagram is only read in all other
// outcomes.
func (p *Pipeline) OutboundInPlace(now time.Time, buf []byte, head, pathMTU int) Decision {
	return p.outbound(now, buf[head:], room{buf[:cap(buf)], head}, pathMTU)
}

// room is memory around a datagram, which begins at head. The zero value is none.
type room struct {
	buf  []byte
	head int
}

// sealed is the memory for a datagram under an SA and those inside, of protectedSize,
// in which the content keeps its place. Without room it is fresh.
func (r room) sealed(s *sa, size int) []byte {
	from := r.head - s.encapsulation - s.heads
	if s.Mode == ipsec.Tunnel {
		from -= headerOf(s.Dst)
	}
	if from < 0 || from+size > len(r.buf) {
		return make([]byte, size)
	}
	return r.buf[from : from+size]
}

func (p *Pipeline) outbound(now time.Time, packet []byte, r room, pathMTU int) (decision Decision) {
	var d datagram
	var f ipsec.Flow
	bad := d.parse(packet)
	if bad == "" {
		bad = d.flow(&f)
	}
	if bad != "" {
		p.dropped("ipsec outbound", "malformed packet", string(bad), "")
		decision.drop(string(bad))
		return decision
	}
	tunnelled := false
	t := p.answering(now, &d, &f)
	if f.Fragment {
		decision, tunnelled = p.outboundFragment(f)
	}
	if !f.Fragment || tunnelled {
		e := p.out.lookup(&f)
		if e == nil {
			decision = p.unmatched(ipsec.Outbound, &f)
		} else {
			decision = byEntry(e)
		}
		switch decision.Action {
		case ActionBlock:
			p.counters.PolicyDrops++
		case ActionNegotiate:
			s := p.protect(now, e, &d, &f, t, r, pathMTU, &decision)
			p.judged(ipsec.Outbound, &f, &decision)
			if s != nil {
				p.settle(s, now)
			}
			return decision
		}
	}
	p.judged(ipsec.Outbound, &f, &decision)
	return decision
}

const wholeDatagrams = "a fragment cannot be protected: transport mode takes whole datagrams" // RFC 4303, Section 3.3.4

// protect finishes the decision of an entry that demands protection. The SA is
// the one that was used, the outermost of its bundle; nil if none was.
func (p *Pipeline) protect(now time.Time, e *ipsec.Policy, d *datagram, f *ipsec.Flow, t *talk, r room, pathMTU int, decision *Decision) *sa {
	tunnel := e.Peer.IsValid()
	switch {
	case tunnel: // carries fragments, and packets to any address
	case d.fragment():
		decision.drop(wholeDatagrams)
		return nil
	case !p.cfg.unicast(f.Dst):
		decision.drop("multicast and broadcast cannot be protected: SAs are for unicast addresses only")
		return nil
	}
	s, of, barred := p.forTalk(now, e, d, f, t)
	if barred {
		decision.drop("the computer behind a NAT that it is for has no SA, and those that there are belong to another one")
		return nil
	}
	if of != e {
		e, *decision = of, byEntry(of)
	}
	if s == nil {
		if e.FallBack && p.useSoft(now, ipsec.Outbound, f) {
			decision.Outcome, decision.Why = Passed, underSoft
			return nil
		}
		if !p.hold(e, *f, d.b) {
			decision.drop("no SA, and too many negotiations are under way")
			return nil
		}
		decision.Outcome, decision.Why = Held, "waits for the negotiation of an SA"
		return nil
	}
	decision.Layer, decision.UDP = Layer{Protocol: s.Protocol, SPI: s.SPI}, s.encapsulation > 0
	pathMTU = p.cfg.pathMTU(e, pathMTU)
	size := s.protectedSize(d)
	switch {
	case pathMTU > 0 && size > pathMTU && s.dontFragment(d):
		tooBig(s, d, pathMTU, decision)
		return nil
	case size > maxSize(s.Dst):
		decision.drop(fmt.Sprintf("the protected datagram would exceed %d bytes", maxSize(s.Dst)))
		return nil
	case s.ah != nil && !tunnel:
		if why := d.uncoverable(); why != "" {
			decision.drop(string(why))
			return nil
		}
	}
	if t != nil && t.seen != t.real {
		if r.buf == nil {
			d.b = slices.Clone(d.b) // the packet is only read
		}
		if _, at, ok := d.conversation(ipsec.Outbound, f); ok {
			d.setPort(at, t.real.peerPort)
		}
	}
	payload := len(d.payload())
	decision.Packet = r.sealed(s, size)
	s.seal(decision.Packet, d)
	decision.Sequence = s.layout.shown(s.sequence)
	if s.inner != nil {
		decision.Inner = Layer{s.inner.Protocol, s.inner.SPI, s.inner.layout.shown(s.inner.sequence)}
	}
	decision.Outcome, decision.Why = Protected, s.why
	p.counters.carried(s, payload)
	return s
}

// dontFragment reports whether d must stay whole once it is protected.
func (s *sa) dontFragment(d *datagram) bool {
	if s.Mode == ipsec.Tunnel {
		return s.tunnel.dontFragment(d)
	}
	return d.staysWhole()
}

// forPacket is the SA to use for a flow, the outermost of its bundle; those whose
// end has come are removed on the way, even if Advance has not been called. nil
// when there is none.
func (p *Pipeline) forPacket(now time.Time, e *ipsec.Policy, f *ipsec.Flow) *sa {
	for {
		s := p.sad.forPacket(e, f)
		if s == nil || !s.ended(now) {
			return s
		}
		p.expire(s, "expired")
	}
}

// tooBig is the decision about a datagram that is to stay whole and does not fit
// the path once it is protected: RFC 4301, Section 8.2.1.
func tooBig(s *sa, d *datagram, pathMTU int, decision *Decision) {
	mtu, ok := s.innerMTU(d, pathMTU)
	if !ok {
		decision.drop(fmt.Sprintf("a path MTU of %d bytes leaves no room for a protected packet", pathMTU))
		return
	}
	decision.Outcome, decision.MTU = TooBig, mtu
	why := "DF is set"
	if d.v6() {
		why = "it is to stay whole"
	}
	decision.Why = fmt.Sprintf("%s, and with %s only %d bytes fit the path MTU of %d", why, s.transforms(), mtu, pathMTU)
}

// transforms names what a bundle does, innermost first as in ipsec.Proposal.
func (s *sa) transforms() string {
	if s.inner != nil {
		return s.inner.Transform.String() + "+" + s.Transform.String()
	}
	return s.Transform.String()
}

// outboundFragment judges a non-first fragment, whose ports nobody sees. Whole
// datagrams are what Outbound is for, so that it passes only when no entry that
// may concern it says otherwise. A tunnel carries it when the entry leaves the
// ports open, so that no other may concern it (RFC 4301, Section 7.1).
func (p *Pipeline) outboundFragment(f ipsec.Flow) (d Decision, tunnelled bool) {
	candidates := p.out.candidates(f)
	for _, e := range candidates {
		switch d := byEntry(e); d.Action {
		case ActionNegotiate:
			if len(candidates) == 1 && e.Peer.IsValid() {
				return d, true
			}
			d.drop(wholeDatagrams)
			return d, false
		case ActionBlock:
			p.counters.PolicyDrops++
			return d, false
		}
	}
	if e := p.out.lookup(&f); e != nil {
		return byEntry(e), false
	}
	return p.unmatched(ipsec.Outbound, &f), false
}
