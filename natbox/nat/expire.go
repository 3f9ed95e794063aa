package nat

import "time"

// expire removes what nothing has refreshed in time, what ended first at first. A class
// is in the order of its last refreshes and has one timeout, so that only heads are looked at.
func (t *Table) expire() {
	for {
		t.soonest = never
		var c class
		var ofMapping bool
		for i := noTime + 1; i < classes; i++ {
			if h := t.mappingTimes[i].head; h != 0 && t.mappings.at(h).expires < t.soonest {
				t.soonest, c, ofMapping = t.mappings.at(h).expires, i, true
			}
			if h := t.sessionTimes[i].head; h != 0 && t.sessions.at(h).expires < t.soonest {
				t.soonest, c, ofMapping = t.sessions.at(h).expires, i, false
			}
		}
		switch {
		case t.soonest > t.now:
			return
		case ofMapping:
			t.endMapping(t.mappingTimes[c].head, Expired, t.soonest)
		default:
			t.endSession(t.sessionTimes[c].head, Expired, t.soonest)
		}
	}
}

// Deadline is when something may expire or fall due next, if anything may: a time at which to call Expire.
func (t *Table) Deadline() (time.Duration, bool) { return t.soonest, t.soonest != never }

// Expire lets the time go on without a packet.
func (t *Table) Expire(now time.Duration) { t.enter(now) }

// keepMapping starts the time of a mapping anew.
func (t *Table) keepMapping(i uint32, m *mapping, c class) {
	if m.class != c {
		if m.class != noTime {
			t.mappingTimes[m.class].remove(t.links.mappingTime, i)
		}
		m.class = c
		t.mappingTimes[c].push(t.links.mappingTime, i)
	} else {
		t.mappingTimes[c].last(t.links.mappingTime, i)
	}
	m.expires = t.now + t.cfg.timeout[c]
	t.soonest = min(t.soonest, m.expires)
}

// keepSession starts the time of a session anew.
func (t *Table) keepSession(i uint32, s *session, c class) {
	if s.class != c {
		if s.class != noTime {
			t.sessionTimes[s.class].remove(t.links.sessionTime, i)
		}
		s.class = c
		t.sessionTimes[c].push(t.links.sessionTime, i)
	} else {
		t.sessionTimes[c].last(t.links.sessionTime, i)
	}
	s.expires = t.now + t.cfg.timeout[c]
	t.soonest = min(t.soonest, s.expires)
}
