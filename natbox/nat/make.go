package nat

import "time"

// newMapping makes the dynamic mapping of an inside endpoint for what it sends to a
// remote one; k is what it will be found by.
func (t *Table) newMapping(f flow, k key) (uint32, reason) {
	hi, h := t.hostOf(f.inAddr)
	m := mapping{inAddr: k.a, inPort: k.ap, remAddr: k.b, remPort: k.bp, proto: f.proto}
	why := t.room(h, f.proto)
	if why == none {
		hi, h = t.hostOf(f.inAddr) // anew: its last mapping may have made room
		m.host = hi
		why = t.assign(h, &m, f)
	}
	if why != none {
		t.refused(m, why)
		t.leave(hi, h)
		return 0, why
	}
	return t.enterMapping(m, true), none
}

// enterMapping puts a mapping into the table. One that is not for what the inside sends is found by its sessions alone.
func (t *Table) enterMapping(m mapping, inside bool) uint32 {
	i, r := t.mappings.take()
	m.made = t.now
	*r = m
	if inside {
		r.flags |= insider
		t.mappingInside.add(r.inside().hash(&t.seed), i)
	}
	t.claim(i, r)
	t.mappingAge.push(t.links.mappingAge, i)
	t.hosts.at(m.host).mappings.push(t.links.mappingHost, i)
	t.counters.Made++
	t.tell(Made, i, t.now)
	return i
}

// claim lets a mapping have its outside endpoint, for what comes to it and belongs to no
// session: when nobody has it, or instead of who has.
func (t *Table) claim(i uint32, m *mapping) {
	if m.flags&outOwner != 0 || !ported(m.proto) || t.muted(m) {
		return
	}
	k := m.outside()
	h := k.hash(&t.seed)
	if other := t.mappingOut.find(h, k); other != 0 {
		t.mappingOut.remove(h, other)
		t.mappings.at(other).flags &^= outOwner
	}
	t.mappingOut.add(h, i)
	m.flags |= outOwner
}

// muted says whether a mapping has a port that is for another host: of IKEOneHost.
func (t *Table) muted(m *mapping) bool {
	if m.flags&mute == 0 {
		return false
	}
	k := m.outside()
	other := t.mappingOut.find(k.hash(&t.seed), k)
	return other != 0 && t.mappings.at(other).inAddr != m.inAddr
}

// newSession makes the session of a mapping and a remote endpoint.
func (t *Table) newSession(mi uint32, m *mapping, remAddr uint32, remPort uint16) (uint32, *session, reason) {
	return t.newSessionAs(mi, m, remAddr, remPort, remAddr, remPort)
}

// newSessionAs makes one whose remote endpoint the inside sees as another.
func (t *Table) newSessionAs(mi uint32, m *mapping, remAddr uint32, remPort uint16, seenAddr uint32, seenPort uint16) (uint32, *session, reason) {
	s := session{
		mapping: mi, proto: m.proto,
		inAddr: m.inAddr, inPort: m.inPort, outAddr: m.outAddr, outPort: m.outPort,
		remAddr: remAddr, remPort: remPort, seenAddr: seenAddr, seenPort: seenPort,
	}
	if s.proto == icmp {
		s.remPort, s.seenPort = 0, 0
	}
	k := s.inside()
	h := k.hash(&t.seed)
	if t.sessionInside.find(h, k) != 0 {
		return 0, nil, sessionTaken
	}
	if why := t.roomForSession(t.hosts.at(m.host), mi); why != none {
		return 0, nil, why
	}
	i, r := t.sessions.take()
	*r = s
	t.sessionInside.add(h, i)
	t.hold(i, r)
	m.sessions.push(t.links.sessionMapping, i)
	t.hosts.at(m.host).sessions++
	return i, r, none
}

// hold lets a session have its outside endpoint for its remote one, instead of another
// session: only mappings that share a port meet here.
func (t *Table) hold(i uint32, s *session) {
	if t.muted(t.mappings.at(s.mapping)) {
		return
	}
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
	if m.sessions.n == 1 && m.class == noTime && m.flags&dying == 0 {
		t.endMapping(mi, why, at)
		return
	}
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
	if s.window != 0 {
		t.windows.give(s.window)
	}
	if s.seenAddr != s.remAddr {
		t.aliases[portsOf(s.proto)].give(s.seenPort)
	}
	m.sessions.remove(t.links.sessionMapping, i)
	t.hosts.at(m.host).sessions--
	t.sessions.give(i)
}

// endMapping removes a mapping with its sessions.
func (t *Table) endMapping(i uint32, why Kind, at time.Duration) {
	m := t.mappings.at(i)
	t.tell(why, i, at)
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
	h := t.hosts.at(m.host)
	if m.flags&pooled != 0 {
		t.release(h, m)
	}
	t.mappingAge.remove(t.links.mappingAge, i)
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

// abandon ends a mapping of which nothing has come.
func (t *Table) abandon(i uint32, m *mapping) {
	if m.sessions.n == 0 && m.class == noTime {
		t.endMapping(i, Dropped, t.now)
	}
}

// group counts a session that the inside has sent to.
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
