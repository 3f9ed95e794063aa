package nat

// room makes room for another mapping of a host, or says why there is none.
func (t *Table) room(h *host, keep uint32) reason {
	l := &t.cfg.Limits
	if h.mappings.n >= l.MappingsPerHost && !t.evict(&h.mappings, keep) {
		return hostFull
	}
	if t.mappings.live() >= l.Mappings && !t.evict(&t.mappingAge, keep) {
		return tableFull
	}
	return 0
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
	return 0
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
