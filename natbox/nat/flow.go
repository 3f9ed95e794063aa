package nat

import "encoding/binary"

// flow is what a packet with ports, or an ICMP query with its identifier, is about.
type flow struct {
	inAddr, remAddr uint32 // in: of the mapping, inside or outside
	inPort, remPort uint16
	proto           uint8
}

// outward is the flow of a packet from the inside.
func outward(p ipv4) flow {
	b := p.payload()
	f := flow{inAddr: p.src(), remAddr: p.dst(), proto: p.proto()}
	if f.proto == icmp {
		f.inPort = binary.BigEndian.Uint16(b[4:])
		return f
	}
	f.inPort, f.remPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	return f
}

// inward is the flow of a packet from the outside.
func inward(p ipv4) flow {
	b := p.payload()
	f := flow{inAddr: p.dst(), remAddr: p.src(), proto: p.proto()}
	if f.proto == icmp {
		f.inPort = binary.BigEndian.Uint16(b[4:])
		return f
	}
	f.inPort, f.remPort = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b)
	return f
}

// key is that of the session.
func (f flow) key() key { return key{f.inAddr, f.remAddr, f.inPort, f.remPort, f.proto} }

// local is the key of one endpoint alone.
func (f flow) local() key { return key{a: f.inAddr, ap: f.inPort, proto: f.proto} }

// depending is the key of the mapping: RFC 4787, Section 4.1.
func (f flow) depending(d Dependence) key {
	k := f.local()
	switch d {
	case AddressDependent:
		k.b = f.remAddr
	case AddressAndPortDependent:
		k.b, k.bp = f.remAddr, f.remPort
	}
	return k
}

// outboundFlow translates a packet of UDP or TCP, or an ICMP query, from the inside.
func (t *Table) outboundFlow(p ipv4, f flow) reason {
	known := t.cfg.known[f.proto]
	if known {
		k := f.key()
		if i := t.sessionInside.find(k.hash(&t.seed), k); i != 0 {
			s := t.sessions.at(i)
			if why := t.sent(i, s, p); why != none {
				return why
			}
			t.rewrite(p, s.outAddr, s.outPort, s.remAddr, s.remPort)
			return none
		}
	}
	if f.proto == tcp {
		if why := t.mayBegin(p); why != none {
			return why
		}
	}
	i, why := t.mappingFor(f)
	if why != none {
		return why
	}
	m := t.mappings.at(i)
	t.claim(i, m)
	if !known {
		t.mappingSent(i, m)
		t.rewrite(p, m.outAddr, m.outPort, f.remAddr, f.remPort)
		return none
	}
	si, s, why := t.newSession(i, m, f.remAddr, f.remPort)
	if why != none {
		t.abandon(i, m)
		return why
	}
	if why := t.sent(si, s, p); why != none {
		return why
	}
	t.rewrite(p, s.outAddr, s.outPort, s.remAddr, s.remPort)
	return none
}

// mappingFor finds the mapping for what an inside endpoint sends, or makes it.
func (t *Table) mappingFor(f flow) (uint32, reason) {
	k := f.depending(t.cfg.behaviour[f.proto].Mapping)
	if n, ok := t.forwardOf(f); ok {
		k = f.local()
		if i := t.mappingInside.find(k.hash(&t.seed), k); i != 0 {
			return i, none
		}
		return t.newForwarded(n, f)
	}
	if i := t.mappingInside.find(k.hash(&t.seed), k); i != 0 {
		return i, none
	}
	return t.newMapping(f, k)
}

// inboundFlow translates a packet of UDP or TCP, or the answer to an ICMP query, from the outside.
func (t *Table) inboundFlow(p ipv4, f flow) reason {
	known := t.cfg.known[f.proto]
	if known {
		k := f.key()
		if i := t.sessionOut.find(k.hash(&t.seed), k); i != 0 {
			s := t.sessions.at(i)
			if why := t.came(i, s, p); why != none {
				return why
			}
			t.rewrite(p, s.seenAddr, s.seenPort, s.inAddr, s.inPort)
			return none
		}
	}
	k := f.local()
	i := t.mappingOut.find(k.hash(&t.seed), k)
	fwd := -1
	if t.forwards != nil && f.proto != icmp {
		var why reason
		if i, fwd, why = t.published(i, f); why != none {
			return why
		}
	}
	if i == 0 {
		return noMapping
	}
	m := t.mappings.at(i)
	if !t.lets(i, m, f) {
		return filtered
	}
	if !known {
		t.mappingCame(i, m)
		t.rewrite(p, f.remAddr, f.remPort, m.inAddr, m.inPort)
		return none
	}
	if f.proto == tcp {
		if why := t.mayBegin(p); why != none {
			t.abandon(i, m)
			return why
		}
	}
	si, s, why := t.sessionFrom(i, m, f, fwd)
	if why != none {
		t.abandon(i, m)
		return why
	}
	if why := t.came(si, s, p); why != none {
		return why
	}
	t.rewrite(p, s.seenAddr, s.seenPort, s.inAddr, s.inPort)
	return none
}

// lets says whether a mapping lets in a remote endpoint that it has no session with. RFC
// 4787, REQ-8; RFC 5382, REQ-3. With AddressAndPortDependent filtering, none.
func (t *Table) lets(i uint32, m *mapping, f flow) bool {
	if m.flags&open != 0 {
		return true
	}
	switch t.cfg.behaviour[f.proto].Filtering {
	case EndpointIndependent:
		return true
	case AddressDependent:
		k := key{a: i, b: f.remAddr}
		return t.groupIndex.find(k.hash(&t.seed), k) != 0
	}
	return false
}

// sent is what a packet from the inside does to its session.
func (t *Table) sent(i uint32, s *session, p ipv4) reason {
	if s.proto == tcp {
		if why := t.follow(i, s, p, true); why != none {
			return why
		}
	}
	if s.flags&sentOut == 0 {
		s.flags |= sentOut
		t.group(s)
	}
	if s.flags&outHolder == 0 {
		t.claim(s.mapping, t.mappings.at(s.mapping))
		t.hold(i, s)
	}
	switch {
	case s.proto == tcp:
	case t.cfg.Scope == PerMapping:
		t.mappingSent(s.mapping, t.mappings.at(s.mapping))
	case t.cfg.Refresh != RefreshInbound || s.class == noTime:
		t.keepSession(i, s, t.classOf(s.proto, s.flags&cameBack != 0, s.remPort))
	}
	return none
}

// came is what a packet from the outside does to its session.
func (t *Table) came(i uint32, s *session, p ipv4) reason {
	if s.proto == tcp {
		if why := t.follow(i, s, p, false); why != none {
			return why
		}
	}
	s.flags |= cameBack
	switch {
	case s.proto == tcp:
	case t.cfg.Scope == PerMapping:
		t.mappingCame(s.mapping, t.mappings.at(s.mapping))
	case t.cfg.Refresh != RefreshOutbound || s.class == noTime:
		t.keepSession(i, s, t.classOf(s.proto, true, s.remPort))
	}
	return none
}

func (t *Table) mappingSent(i uint32, m *mapping) {
	t.claim(i, m)
	if t.cfg.Refresh != RefreshInbound || m.class == noTime {
		t.keepMapping(i, m, t.classOf(m.proto, m.flags&replied != 0, m.remPort))
	}
}

func (t *Table) mappingCame(i uint32, m *mapping) {
	m.flags |= replied
	if t.cfg.Refresh != RefreshOutbound || m.class == noTime {
		t.keepMapping(i, m, t.classOf(m.proto, true, m.remPort))
	}
}

// classOf is the timeout of UDP and of ICMP queries.
func (t *Table) classOf(proto uint8, back bool, remPort uint16) class {
	switch {
	case proto == icmp:
		return icmpQuery
	case t.cfg.wellKnown && remPort > 0 && remPort < 1024: // RFC 4787, REQ-5a
		return udpWellKnown
	case back:
		return udpReplied
	}
	return udpUnreplied
}
