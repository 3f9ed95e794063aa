package nat

import (
	"errors"
	"net/netip"
	"slices"
	"time"
)

// Source is a stream of random numbers, uniform over all of 64 bits.
type Source interface{ Uint64() uint64 }

// Table is a NAT: its configuration, and all that it remembers. It is for one caller at a time.
//
// The time is the caller's, and never goes back: an earlier one than the last is taken for
// the last. Packets have valid IPv4 headers. They are translated where they lie, so that
// the caller gives them up; what a [Result] holds is good until the next call.
type Table struct {
	// Trace, when set, is told what becomes of mappings. It must not call the table.
	Trace func(Event)

	config Config // as it was given
	cfg    settings
	rand   Source
	seed   [2]uint64
	now    time.Duration

	inside      uint32            // the box's own address to the inside
	own         map[uint32]bool   // the addresses that packets come to
	fixed       [3]ports          // that are the box's own or published
	boxPorts    ports             // those that are the box's own
	basic       *basic            // one-to-one translations of addresses
	filteredOut map[uint32]uint32 // those with Filtered, by inside address
	dedicated   map[uint32]bool   // outside addresses of all of these
	forwards    *forwards
	aliases     [3]ports // of RewriteSource

	pools     []pool // of the outside addresses, and of those that are no more but have mappings
	active    int    // how many of them are outside addresses
	poolOf    map[uint32]int
	turn      int // of the pool that is next in line
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
	windows       arena[window]
	sender        uint32    // inside host whose packet comes back in, by hairpinning
	ending        uint32    // session that ends with the packet that is translated
	held          []heldSYN // in the order of their times

	spis               arena[spi]
	spiOut, spiIn      index
	spiWaits, spiTimes list
	peers              arena[peer]
	peerIndex          index
	cookies            arena[cookie]
	cookieIndex        index
	cookieTimes        list
	datagrams          arena[datagram]
	datagramIndex      index
	datagramTimes      list
	heldFragments      int
	nextID             uint16

	soonest  time.Duration // nothing expires before
	counters Counters
	one      [1][]byte // of a Result
	released [][]byte  // of a Result
	links    linkers

	outboundPacket, inboundPacket, hairpinPacket func(ipv4) reason // made once
}

// linkers are where the lists of the table find the links of their records.
type linkers struct {
	mappingTime, mappingAge, mappingHost linker
	sessionTime, sessionMapping          linker
	spiTime, spiPeer                     linker
	cookieTime, datagramTime             linker
}

// basic are the one-to-one translations of addresses alone: "Basic NAT", RFC 3022, Section 2.1.
type basic struct{ outside, inside map[uint32]uint32 } // by the other

// New makes a NAT that has no mappings. rand decides what a configuration leaves to chance.
func New(c Config, rand Source) (*Table, error) {
	if rand == nil {
		return nil, errors.New("nat: New has no source of random numbers: give it a stream")
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	t := &Table{config: c, cfg: c.settings(), rand: rand, seed: [2]uint64{rand.Uint64(), rand.Uint64()}, soonest: never}
	t.nextID = uint16(rand.Uint64())
	t.forwards = newForwards(t.cfg.Forwards)
	t.connect()
	t.fix()
	t.setPools(t.cfg.Outside)
	return t, nil
}

// connect tells indexes and lists where the keys and links of their records are.
func (t *Table) connect() {
	t.hostIndex.of = func(i uint32) key { return key{a: t.hosts.at(i).addr} }
	t.mappingInside.of = func(i uint32) key { return t.mappings.at(i).inside() }
	t.mappingOut.of = func(i uint32) key { return t.mappings.at(i).outside() }
	t.sessionInside.of = func(i uint32) key { return t.sessions.at(i).inside() }
	t.sessionOut.of = func(i uint32) key { return t.sessions.at(i).outside() }
	t.groupIndex.of = func(i uint32) key { return t.groups.at(i).key() }
	t.spiOut.of = func(i uint32) key { return t.spis.at(i).outside() }
	t.spiIn.of = func(i uint32) key { return t.spis.at(i).inside() }
	t.peerIndex.of = func(i uint32) key { return t.peers.at(i).key() }
	t.cookieIndex.of = func(i uint32) key { return t.cookies.at(i).key() }
	t.datagramIndex.of = func(i uint32) key { return t.datagrams.at(i).key() }
	t.links = linkers{
		mappingTime:    func(i uint32) *links { return &t.mappings.at(i).time },
		mappingAge:     func(i uint32) *links { return &t.mappings.at(i).age },
		mappingHost:    func(i uint32) *links { return &t.mappings.at(i).ofHost },
		sessionTime:    func(i uint32) *links { return &t.sessions.at(i).time },
		sessionMapping: func(i uint32) *links { return &t.sessions.at(i).ofMapping },
		spiTime:        func(i uint32) *links { return &t.spis.at(i).time },
		spiPeer:        func(i uint32) *links { return &t.spis.at(i).ofPeer },
		cookieTime:     func(i uint32) *links { return &t.cookies.at(i).time },
		datagramTime:   func(i uint32) *links { return &t.datagrams.at(i).time },
	}
	t.outboundPacket, t.inboundPacket, t.hairpinPacket = t.outbound, t.inbound, t.hairpin
}

// fix takes up what of the configuration is static.
func (t *Table) fix() {
	c := &t.cfg
	for _, port := range c.Ports.Reserved {
		t.boxPorts.take(port)
		t.fixed[portsOf(udp)].take(port)
		t.fixed[portsOf(tcp)].take(port)
	}
	for _, f := range c.Forwards {
		for i := range f.count() {
			t.fixed[portsOf(f.Proto)].take(f.Port + uint16(i))
		}
	}
	t.filteredOut, t.dedicated = map[uint32]uint32{}, map[uint32]bool{}
	for _, s := range c.Static {
		in, out := fromAddr(s.Inside), fromAddr(s.Outside)
		t.dedicated[out] = true
		if s.Filtered {
			t.filteredOut[in] = out
			continue
		}
		if t.basic == nil {
			t.basic = &basic{map[uint32]uint32{}, map[uint32]uint32{}}
		}
		t.basic.outside[in], t.basic.inside[out] = out, in
	}
}

// isReserved says whether a packet of UDP or TCP came to a port that is the box's own.
func (t *Table) isReserved(p ipv4) bool {
	return t.boxPorts.taken(inward(p).inPort) && !t.dedicated[p.dst()]
}

func (t *Table) isFiltered(in uint32) bool {
	_, ok := t.filteredOut[in]
	return ok
}

// outsideAddr says whether an address is one of those that packets come to.
func (t *Table) outsideAddr(a uint32) bool { return t.own[a] }

// Addresses are all outside addresses: those of the pool in their order, and then those of
// what is static or published.
func (t *Table) Addresses() []netip.Addr { return slices.Clone(t.cfg.addresses()) }

// enter is the start of each call: the time goes on, and what has expired goes.
func (t *Table) enter(now time.Duration) {
	t.now = max(t.now, now)
	if t.now >= t.soonest {
		t.expire()
	}
}
