package nat

import "time"

// expire removes what nothing has refreshed in time, what ended first at first. A class
// is in the order of its last refreshes and has one timeout, so that only heads are looked at.
func (t *Table) expire() {
	for {
		t.soonest = never
		var what, i uint32
		due := func(at time.Duration, kind, record uint32) {
			if at < t.soonest {
				t.soonest, what, i = at, kind, record
			}
		}
		for c := noTime + 1; c < classes; c++ {
			if h := t.mappingTimes[c].head; h != 0 {
				due(t.mappings.at(h).expires, 0, h)
			}
			if h := t.sessionTimes[c].head; h != 0 {
				due(t.sessions.at(h).expires, 1, h)
			}
		}
		for _, l := range [...]*list{&t.spiTimes, &t.spiWaits} {
			if l.head != 0 {
				due(t.spis.at(l.head).expires, 2, l.head)
			}
		}
		if h := t.cookieTimes.head; h != 0 {
			due(t.cookies.at(h).expires, 3, h)
		}
		if h := t.datagramTimes.head; h != 0 {
			due(t.datagrams.at(h).expires, 4, h)
		}
		if t.soonest > t.now {
			return
		}
		switch what {
		case 0:
			t.endMapping(i, Expired, t.soonest)
		case 1:
			t.endSession(i, Expired, t.soonest)
		case 2:
			t.endSPI(i, Expired, t.soonest)
		case 3:
			t.endCookie(i, Expired, t.soonest)
		case 4:
			t.endDatagram(i)
		}
	}
}

// until says that something may happen at a time.
func (t *Table) until(at time.Duration) { t.soonest = min(t.soonest, at) }

// Deadline is when Expire has something to do next, at the earliest. false: never.
func (t *Table) Deadline() (time.Duration, bool) {
	at := t.soonest
	if len(t.held) > 0 {
		at = min(at, t.held[0].due)
	}
	return at, at != never
}

// Expire lets the time go on without a packet. It is to be called at Deadline, for the
// packets of the box's own that it returns, which go to the outside: see UnsolicitedLater.
// What has expired is gone whether it is called or not, but is traced at the next call of any kind.
func (t *Table) Expire(now time.Duration) (answers [][]byte) {
	t.enter(now)
	return t.answerHeld()
}

// keepMapping starts the time of a mapping anew.
func (t *Table) keepMapping(i uint32, m *mapping, c class) {
	if m.class == c {
		t.mappingTimes[c].last(t.links.mappingTime, i)
	} else {
		if m.class != noTime {
			t.mappingTimes[m.class].remove(t.links.mappingTime, i)
		}
		m.class = c
		t.mappingTimes[c].push(t.links.mappingTime, i)
	}
	m.expires = t.now + t.cfg.timeout[c]
	t.until(m.expires)
	t.used(i)
}

// keepSession starts the time of a session anew.
func (t *Table) keepSession(i uint32, s *session, c class) {
	if s.class == c {
		t.sessionTimes[c].last(t.links.sessionTime, i)
	} else {
		if s.class != noTime {
			t.sessionTimes[s.class].remove(t.links.sessionTime, i)
		}
		s.class = c
		t.sessionTimes[c].push(t.links.sessionTime, i)
	}
	s.expires = t.now + t.cfg.timeout[c]
	t.until(s.expires)
	t.used(s.mapping)
}
