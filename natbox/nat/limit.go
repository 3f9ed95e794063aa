package nat

// room makes room for another mapping of a host, with a session if it is to have one, or says why there is none.
func (t *Table) room(h *host, proto uint8) reason {
	l := &t.cfg.Limits
	if int(h.mappings.n) >= l.MappingsPerHost && !t.evict(&h.mappings, 0) {
		return hostFull
	}
	if t.mappings.live() >= l.Mappings && !t.evict(&t.mappingAge, 0) {
		return tableFull
	}
	if t.cfg.known[proto] {
		return t.roomForSession(h, 0)
	}
	return none
}

// roomForSession makes room for another session of a mapping, or says why there is none.
func (t *Table) roomForSession(h *host, of uint32) reason {
	l := &t.cfg.Limits
	for int(h.sessions) >= l.SessionsPerHost {
		if !t.evict(&h.mappings, of) {
			return hostFull
		}
	}
	for t.sessions.live() >= l.Sessions {
		if !t.evict(&t.mappingAge, of) {
			return tableFull
		}
	}
	return none
}

// evict ends the mapping that is next to go, but for one.
func (t *Table) evict(from *list, but uint32) bool {
	if t.cfg.Limits.Eviction == EvictNone {
		return false
	}
	i := from.head
	if i == but && i != 0 {
		if from == &t.mappingAge {
			i = t.mappings.at(i).age.next
		} else {
			i = t.mappings.at(i).ofHost.next
		}
	}
	if i == 0 {
		return false
	}
	t.endMapping(i, Evicted, t.now)
	return true
}

// used puts a mapping at the end of those that may be evicted.
func (t *Table) used(i uint32) {
	if t.cfg.Limits.Eviction == EvictLeast {
		t.mappingAge.last(t.links.mappingAge, i)
		t.hosts.at(t.mappings.at(i).host).mappings.last(t.links.mappingHost, i)
	}
}
