package nat

import "time"

// hostOf is the record of an inside host, made if there is none.
func (t *Table) hostOf(addr uint32) (uint32, *host) {
	k := key{a: addr}
	h := k.hash(&t.seed)
	if i := t.hostIndex.find(h, k); i != 0 {
		return i, t.hosts.at(i)
	}
	i, r := t.hosts.take()
	r.addr, r.pool = addr, -1
	t.hostIndex.add(h, i)
	return i, r
}

// leave forgets a host that has no mappings.
func (t *Table) leave(i uint32, h *host) {
	if h.mappings.n == 0 {
		t.hostIndex.remove(key{a: h.addr}.hash(&t.seed), i)
		t.hosts.give(i)
	}
}

// newMapping makes the mapping of an inside endpoint for what it sends to a remote one.
func (t *Table) newMapping(f flow) (uint32, *mapping, reason) {
	hi, h := t.hostOf(f.inAddr)
	if why := t.room(h, 0); why != 0 {
		t.leave(hi, h)
		return 0, nil, why
	}
	m := mapping{inAddr: f.inAddr, inPort: f.inPort, proto: f.proto, made: t.now, host: hi}
	m.remAddr, m.remPort = f.masked(t.cfg.behaviour[f.proto].Mapping)
	shared, why := t.assign(h, &m, f)
	if why != 0 {
		t.leave(hi, h)
		return 0, nil, why
	}
	i, r := t.mappings.take()
	*r = m
	r.flags |= insider
	t.mappingInside.add(r.inside().hash(&t.seed), i)
	t.own2(i, r, shared)
	t.mappingAge.push(t.links.mappingAge, i)
	h.mappings.push(t.links.mappingHost, i)
	t.counters.Made++
	t.tell(Made, i, t.now, "")
	return i, r, 0
}

// own2 lets a mapping have its outside endpoint, for what no session is about, instead of another one.
func (t *Table) own2(i uint32, m *mapping, shared bool) {
	k := m.outside()
	h := k.hash(&t.seed)
	if shared {
		if other := t.mappingOut.find(h, k); other != 0 {
			t.mappingOut.remove(h, other)
			t.mappings.at(other).flags &^= outOwner
		}
	}
	t.mappingOut.add(h, i)
	m.flags |= outOwner
}

// newSession makes the session of a mapping and a remote endpoint.
func (t *Table) newSession(mi uint32, m *mapping, remAddr uint32, remPort uint16) (uint32, *session, reason) {
	h := t.hosts.at(m.host)
	if why := t.roomForSession(h, mi); why != 0 {
		return 0, nil, why
	}
	i, s := t.sessions.take()
	*s = session{
		mapping: mi, proto: m.proto,
		inAddr: m.inAddr, inPort: m.inPort, outAddr: m.outAddr, outPort: m.outPort,
		remAddr: remAddr, remPort: remPort, seenAddr: remAddr, seenPort: remPort,
	}
	t.sessionInside.add(s.inside().hash(&t.seed), i)
	t.hold(i, s)
	m.sessions.push(t.links.sessionMapping, i)
	h.sessions++
	return i, s, 0
}

// hold lets a session have its outside endpoint for its remote one, instead of another session.
func (t *Table) hold(i uint32, s *session) {
	k := s.outside()
	h := k.hash(&t.seed)
	if other := t.sessionOut.find(h, k); other != 0 {
		t.sessionOut.remove(h, other)
		t.sessions.at(other).flags &^= outHolder
	}
	t.sessionOut.add(h, i)
	s.flags |= outHolder
}

// endSession removes a session, and its mapping with the last one unless that has a time of its own.
func (t *Table) endSession(i uint32, why Kind, at time.Duration) {
	s := t.sessions.at(i)
	mi := s.mapping
	m := t.mappings.at(mi)
	if s.class != noTime {
		t.sessionTimes[s.class].remove(t.links.sessionTime, i)
	}
	t.sessionInside.remove(s.inside().hash(&t.seed), i)
	if s.flags&outHolder != 0 {
		t.sessionOut.remove(s.outside().hash(&t.seed), i)
	}
	if s.flags&sentOut != 0 {
		t.ungroup(s)
	}
	m.sessions.remove(t.links.sessionMapping, i)
	t.hosts.at(m.host).sessions--
	t.sessions.give(i)
	if m.sessions.n == 0 && m.class == noTime && m.flags&dying == 0 {
		t.endMapping(mi, why, at)
	}
}

// endMapping removes a mapping with its sessions.
func (t *Table) endMapping(i uint32, why Kind, at time.Duration) {
	m := t.mappings.at(i)
	t.tell(why, i, at, "")
	m.flags |= dying
	for m.sessions.head != 0 {
		t.endSession(m.sessions.head, why, at)
	}
	if m.class != noTime {
		t.mappingTimes[m.class].remove(t.links.mappingTime, i)
	}
	if m.flags&insider != 0 {
		t.mappingInside.remove(m.inside().hash(&t.seed), i)
	}
	if m.flags&outOwner != 0 {
		t.mappingOut.remove(m.outside().hash(&t.seed), i)
	}
	t.release(m)
	t.mappingAge.remove(t.links.mappingAge, i)
	h := t.hosts.at(m.host)
	h.mappings.remove(t.links.mappingHost, i)
	t.leave(m.host, h)
	t.mappings.give(i)
	switch why {
	case Expired:
		t.counters.Expired++
	case Evicted:
		t.counters.Evicted++
	}
}

// groupUp counts a session that the inside has sent to.
func (t *Table) group(s *session) {
	if t.cfg.behaviour[s.proto].Filtering != AddressDependent {
		return
	}
	k := key{a: s.mapping, b: s.remAddr}
	h := k.hash(&t.seed)
	i := t.groupIndex.find(h, k)
	if i == 0 {
		var g *group
		i, g = t.groups.take()
		*g = group{mapping: s.mapping, addr: s.remAddr}
		t.groupIndex.add(h, i)
	}
	t.groups.at(i).n++
}

func (t *Table) ungroup(s *session) {
	k := key{a: s.mapping, b: s.remAddr}
	h := k.hash(&t.seed)
	if i := t.groupIndex.find(h, k); i != 0 {
		g := t.groups.at(i)
		if g.n--; g.n == 0 {
			t.groupIndex.remove(h, i)
			t.groups.give(i)
		}
	}
}
