package nat

// Protocols without ports have mappings and sessions whose ports are 0: one of an inside
// host for each remote address, and for each pair of an outside and a remote address at
// most one, because nothing would tell others apart.

// portless is what the configuration says about a protocol without ports.
func (c *settings) portless(proto uint8) *Portless {
	switch proto {
	case esp:
		return &c.ESP
	case ah:
		return &c.AH
	}
	return &c.Other
}

// outboundPortless translates the addresses of a packet from the inside.
func (t *Table) outboundPortless(p ipv4) reason {
	c := t.cfg.portless(p.proto())
	switch {
	case t.isFiltered(p.src()): // has an outside address of its own
	case c.Mode == DropPortless:
		return dropped(p.proto())
	case c.Mode == BySPI:
		return t.outboundSPI(p)
	}
	i, why := t.client(flow{inAddr: p.src(), remAddr: p.dst(), proto: p.proto()})
	if why != none {
		return why
	}
	s := t.sessions.at(i)
	t.rewriteAll(p, s.outAddr, s.remAddr)
	return none
}

// client is the session of the inside host to which a protocol belongs at a remote
// address, which is to be the sender's.
func (t *Table) client(f flow) (uint32, reason) {
	c := timeOf(f.proto)
	k := f.key()
	if i := t.sessionInside.find(k.hash(&t.seed), k); i != 0 {
		t.keepSession(i, t.sessions.at(i), c)
		return i, none
	}
	hi, h := t.hostOf(f.inAddr)
	m := mapping{inAddr: f.inAddr, remAddr: f.remAddr, proto: f.proto}
	why := t.room(h, f.proto)
	if why == none {
		hi, h = t.hostOf(f.inAddr)
		m.host = hi
		if out, ok := t.filteredOut[f.inAddr]; ok {
			m.outAddr = out
		} else {
			m.outAddr = t.pools[t.poolFor(h)].addr
		}
		out := key{a: m.outAddr, b: f.remAddr, proto: f.proto}
		if other := t.sessionOut.find(out.hash(&t.seed), out); other != 0 {
			if t.cfg.portless(f.proto).Keep == KeepFirst {
				why = otherClient
			} else {
				t.endSession(other, Replaced, t.now)
				hi, h = t.hostOf(f.inAddr)
				m.host = hi
			}
		}
	}
	if why != none {
		t.refused(m, why)
		t.leave(hi, h)
		return 0, why
	}
	mi := t.enterMapping(m, true)
	i, s, why := t.newSession(mi, t.mappings.at(mi), f.remAddr, 0)
	if why != none {
		t.abandon(mi, t.mappings.at(mi))
		return 0, why
	}
	t.keepSession(i, s, c)
	return i, none
}

// inboundPortless translates the addresses of a packet from the outside.
func (t *Table) inboundPortless(p ipv4) reason {
	proto := p.proto()
	c := t.cfg.portless(proto)
	if c.Mode == BySPI {
		return t.inboundSPI(p)
	}
	k := key{a: p.dst(), b: p.src(), proto: proto}
	i := t.sessionOut.find(k.hash(&t.seed), k)
	if i == 0 {
		if c.Mode == DropPortless {
			return dropped(proto)
		}
		return noClient
	}
	s := t.sessions.at(i)
	s.flags |= cameBack
	if c.Mode != DropPortless || t.cfg.Refresh != RefreshOutbound {
		t.keepSession(i, s, timeOf(proto))
	}
	t.rewriteAll(p, s.seenAddr, s.inAddr)
	return none
}

// spoke notes that an inside host has sent IKE to a peer, whose client for ESP and AH it is from then on.
func (t *Table) spoke(in, rem uint32) {
	for _, proto := range []uint8{esp, ah} {
		if t.cfg.portless(proto).Mode == OneClient {
			t.client(flow{inAddr: in, remAddr: rem, proto: proto})
		}
	}
}

func timeOf(proto uint8) class {
	if proto == esp || proto == ah {
		return ipsecFlow
	}
	return otherFlow
}

func dropped(proto uint8) reason {
	switch proto {
	case esp:
		return espDropped
	case ah:
		return ahDropped
	}
	return otherDropped
}

// portlessIn is what a quoted packet without ports was before it left.
func (t *Table) portlessIn(q quote) (to endpoints, ok bool) {
	if t.cfg.portless(q.proto()).Mode == BySPI {
		return t.quotedSPI(q, true)
	}
	k := key{a: q.src(), b: q.dst(), proto: q.proto()}
	i := t.sessionOut.find(k.hash(&t.seed), k)
	if i == 0 {
		return to, false
	}
	s := t.sessions.at(i)
	return endpoints{src: s.inAddr, dst: s.seenAddr}, true
}

// portlessOut is what one was before it came in.
func (t *Table) portlessOut(q quote) (to endpoints, ok bool) {
	if t.cfg.portless(q.proto()).Mode == BySPI {
		return t.quotedSPI(q, false)
	}
	k := key{a: q.dst(), b: q.src(), proto: q.proto()}
	i := t.sessionInside.find(k.hash(&t.seed), k)
	if i == 0 {
		return to, false
	}
	s := t.sessions.at(i)
	return endpoints{src: s.remAddr, dst: s.outAddr}, true
}
