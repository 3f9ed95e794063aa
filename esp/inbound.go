package esp

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
)

const demandsProtection = "it arrived in the clear, and the policy demands protection"

// InboundClear decides about a packet that arrived without protection: RFC 4301,
// Section 5.2, step 3b. What policy wants protected is discarded.
//
// A non-first fragment hides its ports. It passes if any entry that may concern
// its datagram lets it: without its first fragment, whose ports are judged, it is
// of no use to anybody. This stands in for the stateful check of RFC 4301,
// Section 7.4, and keeps large datagrams of a permitted port whole.
func (p *Pipeline) InboundClear(now time.Time, f ipsec.Flow) Decision {
	var decision Decision
	if f.Fragment {
		decision = p.inboundFragment(now, f)
	} else {
		decision = p.clearByEntry(now, p.in.lookup(&f), f)
	}
	switch {
	case decision.Action == ActionBlock:
		p.counters.PolicyDrops++
	case decision.Action == ActionBoot: // counted already
	case decision.Outcome == Dropped:
		p.counters.ClearTextDrops++
		p.cfg.discarded(ClearText, f.Src)
	}
	p.judged(ipsec.Inbound, &f, &decision)
	return decision
}

// clearByEntry is the decision of an entry about a packet that came in the clear.
// Where the entry demands protection, the packet passes under a soft SA, and with
// passthrough; then the sender is to negotiate.
func (p *Pipeline) clearByEntry(now time.Time, e *ipsec.Policy, f ipsec.Flow) Decision {
	if e == nil {
		return p.unmatched(ipsec.Inbound, &f)
	}
	d := byEntry(e)
	switch {
	case d.Action != ActionNegotiate:
	case e.FallBack && p.useSoft(now, ipsec.Inbound, &f):
		d.Outcome, d.Why = Passed, underSoft
	case e.Passthrough:
		d.Outcome, d.Why = Passed, "inbound passthrough: accepted in the clear"
		p.counters.AcceptedClear++
		p.respond(now, f.Reverse())
	default:
		d.drop(demandsProtection)
	}
	return d
}

// respond asks for an SA for the answers to a packet that came in the clear.
func (p *Pipeline) respond(now time.Time, f ipsec.Flow) {
	if f.Fragment || !p.cfg.unicast(f.Src) || !p.cfg.unicast(f.Dst) {
		return
	}
	if e := p.out.lookup(&f); e != nil && e.Action == ipsec.Protect && p.forPacket(now, e, &f) == nil {
		p.acquire(e, f)
	}
}

func (p *Pipeline) inboundFragment(now time.Time, f ipsec.Flow) (d Decision) {
	candidates := p.in.candidates(f)
	for _, e := range candidates {
		if d = p.clearByEntry(now, e, f); d.Outcome == Passed {
			if len(candidates) > 1 {
				d.Why = "a non-first fragment: the first one, with its ports, decides about the datagram"
			}
			return d
		}
	}
	return d
}

// InboundProtected takes an ESP or AH datagram, reassembled: RFC 4301, Section
// 5.2, step 3a; or one of UDP that carries ESP, and not IKE: RFC 3948, Section 2. The packet is only
// read. The IPv4 header checksum is taken as checked, and that of UDP is of no interest.
func (p *Pipeline) InboundProtected(now time.Time, packet []byte) Decision {
	return p.inbound(now, packet, false)
}

// InboundInPlace is InboundProtected for a packet that the caller gives up: what was
// inside takes its place, and nothing is allocated. A packet that is not accepted
// may be overwritten, too.
func (p *Pipeline) InboundInPlace(now time.Time, packet []byte) Decision {
	return p.inbound(now, packet, true)
}

func (p *Pipeline) inbound(now time.Time, packet []byte, inPlace bool) (decision Decision) {
	decision.Action = ActionSA
	var d datagram
	if bad := d.parse(packet); bad != "" {
		p.counters.NotDecrypted++
		if len(packet) > 0 {
			p.cfg.discarded(BadSyntax, sourceOf(packet))
		}
		p.dropped("ipsec inbound", "malformed packet", string(bad), "")
		decision.drop(string(bad))
		return decision
	}
	outside := ipsec.Flow{Src: d.src(), Dst: d.dst(), Proto: d.proto()}
	w, why := d.unwrap()
	var s *sa
	if why == "" {
		s, why = p.find(now, &d, w, &decision)
	}
	if s == nil {
		p.reject(&outside, why, &decision)
		return decision
	}
	decision.Rule, decision.PolicyID = s.Rule, s.PolicyID
	if s.outer != nil {
		p.reject(&outside, missingAH, &decision)
		return decision
	}
	var out []byte
	if inPlace {
		out = s.within(&d, w.size)
	}
	if out == nil {
		out = make([]byte, len(d.b))
	}
	why = s.open(out, &d, w.size, &decision.Inner)
	if s.due > 0 {
		p.counters.ReplayDetection++ // the window has taken the sequence number
	}
	if why != "" {
		p.reject(&outside, why, &decision)
	} else {
		p.accept(now, s, &d, w, &outside, &decision)
	}
	p.settle(s, now)
	return decision
}

// accept judges what came out of an SA.
func (p *Pipeline) accept(now time.Time, s *sa, inner *datagram, w wrapping, outside *ipsec.Flow, decision *Decision) {
	var f ipsec.Flow
	bad := inner.flow(&f)
	switch {
	case bad != "":
		p.reject(outside, defect("inside: "+bad), decision)
		return
	case !p.cfg.TrustSPI && !p.meant(s, f, w, decision.Sequence):
		p.counters.count(otherTraffic)
		p.cfg.discarded(WrongSA, outside.Src)
		decision.drop(string(otherTraffic))
	default:
		p.crossed(s, inner, w, outside.Src, decision)
		if p.cfg.Conflicts.remembers() {
			if why := p.converse(now, s, inner, &f); why != "" {
				p.reject(outside, why, decision)
				return
			}
		}
		p.counters.carried(s, len(inner.payload()))
		decision.Outcome, decision.Packet, decision.Why = Opened, inner.b, s.why
		decision.PeerID = s.PeerID
	}
	p.judged(ipsec.Inbound, &f, decision)
}

// find reads the header of the outermost protection and finds the SA that it names.
func (p *Pipeline) find(now time.Time, d *datagram, w wrapping, decision *Decision) (*sa, defect) {
	proto, header, short := ipsec.ESP, espHeader, shortESP
	switch d.proto() {
	case ipsec.ProtoESP:
	case ipsec.ProtoUDP: // in which is ESP
	case ipsec.ProtoAH:
		proto, header, short = ipsec.AH, ahHeader, shortAH
	default:
		return nil, notProtected
	}
	decision.Protocol = proto
	switch {
	case d.fragment():
		return nil, someFragment // RFC 4303, Section 3.4.1, and RFC 4302, Section 3.4.1: MUST discard
	case len(d.payload())-w.size < header:
		return nil, short
	}
	packet := d.payload()[w.size:]
	decision.Layer = layerOf(proto, packet)
	decision.UDP = w.form != natt.Plain
	s := p.sad.inbound(proto, decision.SPI, d.dst())
	if s == nil {
		return nil, badSPI
	}
	if why := w.fits(s); why != "" && !p.cfg.AnyForm {
		return nil, why
	}
	decision.Sequence, _ = s.layout.read(packet, s.window)
	if s.ended(now) {
		p.expire(s, "expired")
		return nil, expiredSA
	}
	return s, ""
}

// reject drops a protected packet that was not accepted. RFC 4303, Section 3.4,
// and RFC 4302, Section 3.4, have each of these be an auditable event.
func (p *Pipeline) reject(outside *ipsec.Flow, why defect, decision *Decision) {
	p.counters.count(why)
	if c := causeOf(why); c != 0 {
		p.cfg.discarded(c, outside.Src)
	}
	name := fmt.Sprintf("%s SPI 0x%08x", outside.String(), decision.SPI)
	p.dropped("ipsec inbound", name, string(why), decision.Rule)
	decision.drop(string(why))
}
