package nat

import "time"

// Outbound translates a packet from the inside that is about to leave by the outside
// interface. The packet is changed where it lies.
func (t *Table) Outbound(now time.Duration, packet []byte) Result {
	t.enter(now)
	p, ok := parse(packet)
	if !ok {
		return t.drop(malformed)
	}
	r, why := t.through(p, t.outboundPacket)
	if why != none {
		r = t.drop(why)
		if r.Answer = t.refusal(p, why); r.Answer != nil {
			t.counters.Answers++
		}
	}
	t.counters.Outbound += uint64(len(r.Packets))
	return r
}

// Inbound translates a packet from the outside for one of Addresses, where it lies.
func (t *Table) Inbound(now time.Duration, packet []byte) Result {
	t.enter(now)
	p, ok := parse(packet)
	if !ok {
		return t.drop(malformed)
	}
	r, why := t.through(p, t.inboundPacket)
	switch {
	case why == none:
		t.counters.Inbound += uint64(len(r.Packets))
	case p.proto() == tcp && !p.later() && (why == noMapping || why == filtered) && opens(p) && !t.isReserved(p):
		r = t.drop(why)
		if r.Answer = t.unsolicited(p); r.Answer != nil {
			t.counters.Answers++
		}
	default:
		r = t.ended(p, r, why)
	}
	return r
}

// Hairpin translates a packet from the inside for one of Addresses, or for Config.Inside,
// where it lies: RFC 4787, REQ-9. What comes of it goes where its new destination is, inside or outside.
func (t *Table) Hairpin(now time.Duration, packet []byte) Result {
	t.enter(now)
	p, ok := parse(packet)
	if !ok {
		return t.drop(malformed)
	}
	r, why := t.through(p, t.hairpinPacket)
	if why != none {
		return t.ended(p, r, why)
	}
	t.counters.Hairpinned += uint64(len(r.Packets))
	return r
}

// Undo is what a packet was before Outbound or Inbound made this one of it, for an ICMP
// error that the device sends about it: a copy. What RewriteID has done stays. false: no
// mapping translates it, or it is a fragment other than the first.
func (t *Table) Undo(now time.Duration, packet []byte) ([]byte, bool) {
	t.enter(now)
	p, ok := parse(packet)
	if !ok {
		return nil, false
	}
	q := quote(append([]byte(nil), p...))
	if len(q.payload()) < 8 {
		return nil, false
	}
	var to endpoints
	if t.outsideAddr(q.src()) {
		to, ok = t.quoteIn(q)
	} else {
		to, ok = t.quoteOut(q)
	}
	if !ok {
		return nil, false
	}
	t.rewriteQuote(q, to, false)
	return q, true
}

// through lets a packet through a translation, fragment or not. Results are not counted.
func (t *Table) through(p ipv4, translate func(ipv4) reason) (Result, reason) {
	if p.fragmented() {
		return t.inFragments(p, translate)
	}
	if why := translate(p); why != none {
		return Result{}, why
	}
	return t.pass(p), none
}

// ended is the result of a packet for an address of the box that goes nowhere.
func (t *Table) ended(p ipv4, r Result, why reason) Result {
	if _, dedicated := t.dedicated[p.dst()]; !why.leaves() || dedicated {
		return t.drop(why)
	}
	t.counters.Own++
	return Result{Packets: r.Packets, Why: why.String(), Own: true}
}

// outbound translates a packet, or a first fragment, from the inside.
func (t *Table) outbound(p ipv4) reason {
	why := t.outboundOf(p)
	if why == none {
		t.renumber(p)
		t.finish()
	}
	return why
}

func (t *Table) outboundOf(p ipv4) reason {
	b := p.payload()
	if t.basic != nil {
		if out, ok := t.basic.outside[p.src()]; ok && !isError(p) {
			t.rewriteAll(p, out, p.dst())
			return none
		}
	}
	switch p.proto() {
	case udp:
		if len(b) < 8 {
			return malformed
		}
		f := outward(p)
		why, done := none, false
		if t.cfg.IKE == IKECookies {
			why, done = t.outboundCookie(p, f)
		}
		if !done {
			why = t.outboundFlow(p, f)
		}
		if why == none && t.cfg.notesIKE && f.remPort == 500 {
			t.spoke(f.inAddr, f.remAddr)
		}
		return why
	case tcp:
		if len(b) < tcpHeader {
			return malformed
		}
		return t.outboundFlow(p, outward(p))
	case icmp:
		return t.outboundICMP(p)
	}
	return t.outboundPortless(p)
}

// inbound translates a packet, or a first fragment, from the outside.
func (t *Table) inbound(p ipv4) reason {
	why := t.inboundOf(p)
	if why == none {
		t.finish()
	}
	return why
}

func (t *Table) inboundOf(p ipv4) reason {
	b := p.payload()
	if t.basic != nil {
		if in, ok := t.basic.inside[p.dst()]; ok && !isError(p) {
			t.rewriteAll(p, p.src(), in)
			return none
		}
	}
	switch p.proto() {
	case udp:
		if len(b) < 8 {
			return malformed
		}
		f := inward(p)
		if t.isReserved(p) {
			return noMapping
		}
		if t.cfg.IKE == IKECookies && t.inboundCookie(p, f) {
			return none
		}
		return t.inboundFlow(p, f)
	case tcp:
		if len(b) < tcpHeader {
			return malformed
		}
		if t.isReserved(p) {
			return noMapping
		}
		return t.inboundFlow(p, inward(p))
	case icmp:
		return t.inboundICMP(p)
	}
	return t.inboundPortless(p)
}

// hairpin translates a packet, or a first fragment, from the inside to an address of the box.
func (t *Table) hairpin(p ipv4) reason {
	if t.forBox(p) {
		return t.outbound(p)
	}
	switch {
	case !t.leads(p):
		return noMapping
	case t.cfg.Hairpin == NoHairpin:
		return hairpinOff
	case t.cfg.Hairpin == ExternalSource:
		from := p.src()
		if why := t.outbound(p); why != none {
			return why
		}
		t.sender = from
		defer func() { t.sender = 0 }()
	}
	return t.inbound(p)
}

// forBox says whether a packet is from a server that is published with RewriteSource, and
// so sends what is for a remote host to the box.
func (t *Table) forBox(p ipv4) bool {
	if !t.cfg.Inside.IsValid() || p.dst() != t.inside || len(p.payload()) < icmpHeader {
		return false
	}
	switch {
	case isError(p):
		return true
	case p.proto() == icmp || !ported(p.proto()):
		return false
	}
	k := outward(p).key()
	i := t.sessionInside.find(k.hash(&t.seed), k)
	return i != 0 && t.sessions.at(i).seenAddr != t.sessions.at(i).remAddr
}

// leads says whether an address of the box leads to the inside for a packet.
func (t *Table) leads(p ipv4) bool {
	if t.basic != nil {
		if _, ok := t.basic.inside[p.dst()]; ok {
			return true
		}
	}
	b := p.payload()
	if !ported(p.proto()) || len(b) < icmpHeader || !t.outsideAddr(p.dst()) {
		return false
	}
	f := inward(p)
	if p.proto() == icmp {
		switch kindOf(b[0]) {
		case icmpQueryKind, icmpOther:
			return false
		case icmpErrorKind:
			return true
		}
	} else if t.isReserved(p) {
		return false
	} else if t.forwards != nil && t.publication(f) >= 0 {
		return true
	}
	k := f.local()
	return t.mappingOut.find(k.hash(&t.seed), k) != 0
}

// finish ends the session of a RST that has been translated, with ResetEnds.
func (t *Table) finish() {
	if t.ending != 0 {
		i := t.ending
		t.ending = 0
		t.endSession(i, Closed, t.now)
	}
}

func isError(p ipv4) bool {
	return p.proto() == icmp && !p.later() && len(p.payload()) >= icmpHeader && kindOf(p.payload()[0]) == icmpErrorKind
}

// ported says whether a protocol has ports, or identifiers in their place.
func ported(proto uint8) bool { return proto == udp || proto == tcp || proto == icmp }
