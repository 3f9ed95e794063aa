package esp

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Outbound decides about a datagram that the host is about to send, before
// fragmentation: RFC 4301, Section 5.1. pathMTU is in bytes; 0 is not known, and
// nothing is too big. The packet is only read.
func (p *Pipeline) Outbound(now time.Time, packet []byte, pathMTU int) Decision {
	d, bad := parseIPv4(packet)
	var f ipsec.Flow
	if bad == "" {
		f, bad = d.flow()
	}
	if bad != "" {
		p.dropped("ipsec outbound", "malformed packet", string(bad), "")
		return Decision{}.drop(string(bad))
	}
	if f.Fragment {
		return p.judged(ipsec.Outbound, f, p.outboundFragment(f))
	}
	e := p.out.lookup(f)
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
		p.used(s, now, s.transform.ciphered(len(d.payload())))
	}
	return decision
}

// protect finishes the decision of an entry that demands protection. The SA is
// the one that was used; nil if none was.
func (p *Pipeline) protect(now time.Time, e *ipsec.Policy, d datagram, f ipsec.Flow, decision Decision, pathMTU int) (Decision, *sa) {
	switch {
	case d.fragment():
		return decision.drop("a fragment cannot be protected: transport mode takes whole datagrams"), nil // RFC 4303, Section 3.3.4
	case !p.cfg.unicast(f.Dst):
		return decision.drop("multicast and broadcast cannot be protected: SAs are for unicast addresses only"), nil
	case e.Peer.IsValid():
		return decision.drop("unsupported: the entry names a tunnel endpoint, and only transport mode is built"), nil
	}
	s := p.forPacket(now, e, f)
	if s == nil {
		if !p.hold(e, f, d.b) {
			return decision.drop("no SA, and too many negotiations are under way"), nil
		}
		decision.Outcome, decision.Why = Held, "waits for the negotiation of an SA"
		return decision, nil
	}
	decision.SPI = s.SPI
	size := s.protectedSize(d)
	if d.df() && pathMTU > 0 && size > pathMTU {
		return tooBig(s, d, decision, pathMTU), nil
	}
	if size > maxDatagram {
		return decision.drop("the protected datagram would exceed 65535 bytes"), nil
	}
	decision.Packet = make([]byte, size)
	s.seal(decision.Packet, d)
	decision.Outcome, decision.Sequence, decision.Why = Protected, s.sequence, s.why
	p.counters.PacketsProtected++
	p.counters.BytesProtected += uint64(len(d.payload()))
	return decision, s
}

// forPacket is the SA to use for a flow; those whose end has come are removed on
// the way, even if Advance has not been called. nil when there is none.
func (p *Pipeline) forPacket(now time.Time, e *ipsec.Policy, f ipsec.Flow) *sa {
	for {
		s := p.sad.forPacket(e, f.Src, f.Dst, f)
		if s == nil || !s.hard.reached(now, s.bytes, s.sequence) {
			return s
		}
		p.expire(s)
	}
}

// tooBig is the decision about a datagram with DF set that does not fit the path
// once it is protected: RFC 4301, Section 8.2.1.
func tooBig(s *sa, d datagram, decision Decision, pathMTU int) Decision {
	mtu, ok := s.innerMTU(d, pathMTU)
	if !ok {
		return decision.drop(fmt.Sprintf("a path MTU of %d bytes leaves no room for a protected packet", pathMTU))
	}
	decision.Outcome, decision.MTU = TooBig, mtu
	decision.Why = fmt.Sprintf("DF is set, and with %v only %d bytes fit the path MTU of %d", s.Transform, mtu, pathMTU)
	return decision
}

// outboundFragment judges a non-first fragment, whose ports nobody sees. Whole
// datagrams are what Outbound is for, so that it passes only when no entry that
// may concern it says otherwise.
func (p *Pipeline) outboundFragment(f ipsec.Flow) Decision {
	for _, e := range p.out.candidates(f) {
		switch d := byEntry(e); d.Action {
		case ActionNegotiate:
			return d.drop("a fragment cannot be protected: transport mode takes whole datagrams")
		case ActionBlock:
			p.counters.PolicyDrops++
			return d
		}
	}
	return byEntry(p.out.lookup(f))
}
