package nat

import (
	"errors"
	"net/netip"
	"time"
)

// Source is a stream of random numbers, uniform over all of 64 bits.
type Source interface{ Uint64() uint64 }

// Table is a NAT: its configuration, and all that it remembers. It is for one caller at a time.
//
// The time is the caller's, and never goes back: an earlier one than the last is taken as
// the last. Packets must have valid IPv4 headers; they are translated where they lie, and what
// a [Result] holds is good until the next call.
type Table struct {
	// Trace, when set, is told what becomes of mappings. It must not call the table.
	Trace func(Event)

	cfg  settings
	rand Source
	seed [2]uint64
	now  time.Duration

	pools     []pool
	poolOf    map[uint32]int // by outside address, all that packets may come to
	turn      int            // of the pool that is next in line
	hosts     arena[host]
	hostIndex index

	mappings      arena[mapping]
	mappingInside index // inside endpoint, and as much of the remote one as the mapping depends on
	mappingOut    index // outside endpoint
	mappingAge    list  // the one to evict first
	mappingTimes  [classes]list

	sessions      arena[session]
	sessionInside index // inside endpoint, remote endpoint as the inside sees it
	sessionOut    index // outside endpoint, remote endpoint
	sessionTimes  [classes]list
	groups        arena[group]
	groupIndex    index
	soonest       time.Duration // nothing expires before

	counters Counters
	one      [1][]byte // of a Result
	links    linkers
}

// linkers are where the lists of the table find the links of their records.
type linkers struct {
	mappingTime, mappingAge, mappingHost linker
	sessionTime, sessionMapping          linker
}

// New makes a NAT that has no mappings. rand decides what a configuration leaves to chance.
func New(c Config, rand Source) (*Table, error) {
	if rand == nil {
		return nil, errors.New("nat: New has no source of random numbers: give it a stream")
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	t := &Table{cfg: c.settings(), rand: rand, seed: [2]uint64{rand.Uint64(), rand.Uint64()}}
	t.hostIndex.of = func(i uint32) key { return key{a: t.hosts.at(i).addr} }
	t.mappingInside.of = func(i uint32) key { return t.mappings.at(i).inside() }
	t.mappingOut.of = func(i uint32) key { return t.mappings.at(i).outside() }
	t.sessionInside.of = func(i uint32) key { return t.sessions.at(i).inside() }
	t.sessionOut.of = func(i uint32) key { return t.sessions.at(i).outside() }
	t.groupIndex.of = func(i uint32) key { return t.groups.at(i).key() }
	t.links = linkers{
		mappingTime:    func(i uint32) *links { return &t.mappings.at(i).time },
		mappingAge:     func(i uint32) *links { return &t.mappings.at(i).age },
		mappingHost:    func(i uint32) *links { return &t.mappings.at(i).ofHost },
		sessionTime:    func(i uint32) *links { return &t.sessions.at(i).time },
		sessionMapping: func(i uint32) *links { return &t.sessions.at(i).ofMapping },
	}
	t.soonest = never
	t.setPools(c.Outside)
	return t, nil
}

// Addresses are the outside addresses, in the order of the configuration. Not to be changed.
func (t *Table) Addresses() []netip.Addr { return t.cfg.Outside }

// enter is the start of each call: the time goes on, and what has expired goes.
func (t *Table) enter(now time.Duration) {
	if now > t.now {
		t.now = now
	}
	if t.now >= t.soonest {
		t.expire()
	}
}
