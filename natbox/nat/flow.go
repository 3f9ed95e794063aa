package nat

import "encoding/binary"

// flow is what a packet with ports, or an ICMP query with its identifier, is about.
type flow struct {
	inAddr, remAddr uint32
	inPort, remPort uint16
	proto           uint8
}

// masked is what of the remote endpoint matters.
func (f flow) masked(d Dependence) (uint32, uint16) {
	switch d {
	case AddressDependent:
		return f.remAddr, 0
	case AddressAndPortDependent:
		return f.remAddr, f.remPort
	}
	return 0, 0
}

// needsSessions says whether remote endpoints of a protocol are known one by one.
func (c *settings) needsSessions(proto uint8) bool {
	return proto == tcp || c.Scope == PerSession || c.behaviour[proto].Filtering != EndpointIndependent
}

// outboundFlow translates a packet from the inside.
func (t *Table) outboundFlow(p ipv4, f flow) reason {
	if t.cfg.needsSessions(f.proto) {
		k := key{f.inAddr, f.remAddr, f.inPort, f.remPort, f.proto}
		if i := t.sessionInside.find(k.hash(&t.seed), k); i != 0 {
			s := t.sessions.at(i)
			t.sent(i, s)
			t.rewrite(p, s.outAddr, s.outPort, s.remAddr, s.remPort)
			return 0
		}
	}
	k := key{a: f.inAddr, ap: f.inPort, proto: f.proto}
	k.b, k.bp = f.masked(t.cfg.behaviour[f.proto].Mapping)
	i := t.mappingInside.find(k.hash(&t.seed), k)
	if i == 0 {
		var why reason
		if i, _, why = t.newMapping(f); why != 0 {
			return why
		}
	}
	m := t.mappings.at(i)
	if !t.cfg.needsSessions(f.proto) {
		t.mappingSent(i, m)
		t.rewrite(p, m.outAddr, m.outPort, f.remAddr, f.remPort)
		return 0
	}
	si, s, why := t.newSession(i, m, f.remAddr, f.remPort)
	if why != 0 {
		if m.sessions.n == 0 && m.class == noTime {
			t.endMapping(i, Refused, t.now)
		}
		return why
	}
	t.sent(si, s)
	t.rewrite(p, s.outAddr, s.outPort, s.remAddr, s.remPort)
	return 0
}

// inboundFlow translates a packet from the outside; in are the outside endpoint.
func (t *Table) inboundFlow(p ipv4, f flow) reason {
	if t.cfg.needsSessions(f.proto) {
		k := key{f.inAddr, f.remAddr, f.inPort, f.remPort, f.proto}
		if i := t.sessionOut.find(k.hash(&t.seed), k); i != 0 {
			s := t.sessions.at(i)
			t.came(i, s)
			t.rewrite(p, s.seenAddr, s.seenPort, s.inAddr, s.inPort)
			return 0
		}
	}
	k := key{a: f.inAddr, ap: f.inPort, proto: f.proto}
	i := t.mappingOut.find(k.hash(&t.seed), k)
	if i == 0 {
		return noMapping
	}
	m := t.mappings.at(i)
	if !t.lets(i, m, f) {
		return filtered
	}
	if !t.cfg.needsSessions(f.proto) {
		t.mappingCame(i, m)
		t.rewrite(p, f.remAddr, f.remPort, m.inAddr, m.inPort)
		return 0
	}
	si, s, why := t.newSession(i, m, f.remAddr, f.remPort)
	if why != 0 {
		return why
	}
	t.came(si, s)
	t.rewrite(p, s.seenAddr, s.seenPort, s.inAddr, s.inPort)
	return 0
}

// lets says whether a mapping lets in a remote endpoint that it has no session with. RFC 4787, REQ-8.
func (t *Table) lets(i uint32, m *mapping, f flow) bool {
	switch t.cfg.behaviour[f.proto].Filtering {
	case EndpointIndependent:
		return true
	case AddressDependent:
		k := key{a: i, b: f.remAddr}
		return t.groupIndex.find(k.hash(&t.seed), k) != 0
	}
	return m.flags&open != 0
}

// sent is what a packet from the inside does to its session.
func (t *Table) sent(i uint32, s *session) {
	if s.flags&sentOut == 0 {
		s.flags |= sentOut
		t.group(s)
	}
	m := t.mappings.at(s.mapping)
	if t.cfg.Scope == PerMapping && s.proto != tcp {
		t.mappingSent(s.mapping, m)
		return
	}
	if t.cfg.Refresh != RefreshInbound || s.class == noTime {
		t.keepSession(i, s, t.classOf(s.proto, s.flags&cameBack != 0, s.remPort))
		t.used(s.mapping)
	}
}

// came is what a packet from the outside does to its session.
func (t *Table) came(i uint32, s *session) {
	s.flags |= cameBack
	m := t.mappings.at(s.mapping)
	if t.cfg.Scope == PerMapping && s.proto != tcp {
		t.mappingCame(s.mapping, m)
		return
	}
	if t.cfg.Refresh != RefreshOutbound || s.class == noTime {
		t.keepSession(i, s, t.classOf(s.proto, true, s.remPort))
		t.used(s.mapping)
	}
}

func (t *Table) mappingSent(i uint32, m *mapping) {
	if t.cfg.Refresh != RefreshInbound || m.class == noTime {
		t.keepMapping(i, m, t.classOf(m.proto, m.flags&replied != 0, m.remPort))
		t.used(i)
	}
}

func (t *Table) mappingCame(i uint32, m *mapping) {
	m.flags |= replied
	if t.cfg.Refresh != RefreshOutbound || m.class == noTime {
		t.keepMapping(i, m, t.classOf(m.proto, true, m.remPort))
		t.used(i)
	}
}

// classOf is the timeout of UDP and of ICMP queries.
func (t *Table) classOf(proto uint8, back bool, remPort uint16) class {
	switch {
	case proto == icmp:
		return icmpQuery
	case t.cfg.wellKnown && remPort > 0 && remPort < 1024:
		return udpWellKnown
	case back:
		return udpReplied
	}
	return udpUnreplied
}

// used puts a mapping at the end of those that may be evicted.
func (t *Table) used(i uint32) {
	if t.cfg.Limits.Eviction == EvictLeast {
		t.mappingAge.last(t.links.mappingAge, i)
		t.hosts.at(t.mappings.at(i).host).mappings.last(t.links.mappingHost, i)
	}
}

// rewrite puts endpoints into a packet of UDP and adjusts its checksums.
func (t *Table) rewrite(p ipv4, src uint32, sp uint16, dst uint32, dp uint16) {
	var c change
	c = c.addr(p.src(), src).addr(p.dst(), dst)
	binary.BigEndian.PutUint32(p[12:], src)
	binary.BigEndian.PutUint32(p[16:], dst)
	c.to(p[10:])
	b := p.payload()
	c = c.word(binary.BigEndian.Uint16(b), sp).word(binary.BigEndian.Uint16(b[2:]), dp)
	binary.BigEndian.PutUint16(b, sp)
	binary.BigEndian.PutUint16(b[2:], dp)
	// A checksum of 0 is none, and stays: RFC 3022, Section 4.1; RFC 3948, Section 2.1.
	if b[6]|b[7] != 0 {
		c.to(b[6:])
		if b[6]|b[7] == 0 { // RFC 768: a sum of 0 is sent as all ones
			b[6], b[7] = 0xff, 0xff
		}
	}
}
