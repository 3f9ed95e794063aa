package esp

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Outbound decides about a datagram that the host is about to send, before
// fragmentation: RFC 4301, Section 5.1. pathMTU is in bytes, towards the packet's
// destination or the far end of its tunnel; 0 is not known, and nothing is too
// big. The packet is only read.
func (p *Pipeline) Outbound(now time.Time, packet []byte, pathMTU int) Decision {
	d, bad := parse(packet)
	var f ipsec.Flow
	if bad == "" {
		f, bad = d.flow()
	}
	if bad != "" {
		p.dropped("ipsec outbound", "malformed packet", string(bad), "")
		return Decision{}.drop(string(bad))
	}
	e := p.out.lookup(f)
	if f.Fragment {
		decision, tunnelled := p.outboundFragment(f)
		if !tunnelled {
			return p.judged(ipsec.Outbound, f, decision)
		}
	}
	decision := byEntry(e)
	if decision.Action == ActionBlock {
		p.counters.PolicyDrops++
	}
	if decision.Action != ActionNegotiate {
		return p.judged(ipsec.Outbound, f, decision)
	}
	decision, s := p.protect(now, e, d, f, decision, pathMTU)
	decision = p.judged(ipsec.Outbound, f, decision)
	if s != nil {
		p.settle(s, now)
	}
	return decision
}

const wholeDatagrams = "a fragment cannot be protected: transport mode takes whole datagrams" // RFC 4303, Section 3.3.4

// protect finishes the decision of an entry that demands protection. The SA is
// the one that was used, the outermost of its bundle; nil if none was.
func (p *Pipeline) protect(now time.Time, e *ipsec.Policy, d datagram, f ipsec.Flow, decision Decision, pathMTU int) (Decision, *sa) {
	tunnel := e.Peer.IsValid()
	switch {
	case tunnel: // carries fragments, and packets to any address
	case d.fragment():
		return decision.drop(wholeDatagrams), nil
	case !p.cfg.unicast(f.Dst):
		return decision.drop("multicast and broadcast cannot be protected: SAs are for unicast addresses only"), nil
	}
	s := p.forPacket(now, e, f)
	if s == nil {
		if !p.hold(e, f, d.b) {
			return decision.drop("no SA, and too many negotiations are under way"), nil
		}
		decision.Outcome, decision.Why = Held, "waits for the negotiation of an SA"
		return decision, nil
	}
	decision.Layer = Layer{Protocol: s.Protocol, SPI: s.SPI}
	size := s.protectedSize(d)
	switch {
	case pathMTU > 0 && size > pathMTU && s.dontFragment(d):
		return tooBig(s, d, decision, pathMTU), nil
	case size > maxSize(s.Dst):
		return decision.drop(fmt.Sprintf("the protected datagram would exceed %d bytes", maxSize(s.Dst))), nil
	case s.ah != nil && !tunnel:
		if why := d.uncoverable(); why != "" {
			return decision.drop(string(why)), nil
		}
	}
	decision.Packet = make([]byte, size)
	s.seal(decision.Packet, d)
	decision.Sequence = s.sequence
	if s.inner != nil {
		decision.Inner = Layer{s.inner.Protocol, s.inner.SPI, s.inner.sequence}
	}
	decision.Outcome, decision.Why = Protected, s.why
	p.counters.PacketsProtected++
	p.counters.BytesProtected += uint64(len(d.payload()))
	return decision, s
}

// dontFragment reports whether d must stay whole once it is protected.
func (s *sa) dontFragment(d datagram) bool {
	if s.Mode == ipsec.Tunnel {
		return s.tunnel.dontFragment(d)
	}
	return d.staysWhole()
}

// forPacket is the SA to use for a flow, the outermost of its bundle; those whose
// end has come are removed on the way, even if Advance has not been called. nil
// when there is none.
func (p *Pipeline) forPacket(now time.Time, e *ipsec.Policy, f ipsec.Flow) *sa {
	for {
		s := p.sad.forPacket(e, f)
		if s == nil || !s.ended(now) {
			return s
		}
		p.expire(s)
	}
}

// tooBig is the decision about a datagram that is to stay whole and does not fit
// the path once it is protected: RFC 4301, Section 8.2.1.
func tooBig(s *sa, d datagram, decision Decision, pathMTU int) Decision {
	mtu, ok := s.innerMTU(d, pathMTU)
	if !ok {
		return decision.drop(fmt.Sprintf("a path MTU of %d bytes leaves no room for a protected packet", pathMTU))
	}
	decision.Outcome, decision.MTU = TooBig, mtu
	why := "DF is set"
	if d.v6() {
		why = "it is to stay whole"
	}
	decision.Why = fmt.Sprintf("%s, and with %s only %d bytes fit the path MTU of %d", why, s.transforms(), mtu, pathMTU)
	return decision
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
			return d.drop(wholeDatagrams), false
		case ActionBlock:
			p.counters.PolicyDrops++
			return d, false
		}
	}
	return byEntry(p.out.lookup(f)), false
}
