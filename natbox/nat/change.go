package nat

import (
	"net/netip"
	"slices"
	"time"
)

// Reboot forgets all that was learnt from packets.
func (t *Table) Reboot(now time.Duration) {
	t.enter(now)
	for t.mappingAge.head != 0 {
		t.endMapping(t.mappingAge.head, Dropped, t.now)
	}
	t.dropOthers(func(uint32) bool { return true })
	for t.datagramTimes.head != 0 {
		t.endDatagram(t.datagramTimes.head)
	}
	t.held = nil
	t.turn, t.soonest = 0, never
	t.setPools(t.cfg.Outside)
}

// dropOthers ends SAs and negotiations of IKE by their outside address.
func (t *Table) dropOthers(gone func(uint32) bool) {
	for _, l := range []*list{&t.spiWaits, &t.spiTimes} {
		for i := l.head; i != 0; {
			next := t.spis.at(i).time.next
			if gone(t.spis.at(i).outAddr) {
				t.endSPI(i, Dropped, t.now)
			}
			i = next
		}
	}
	for i := t.cookieTimes.head; i != 0; {
		next := t.cookies.at(i).time.next
		if gone(t.cookies.at(i).outAddr) {
			t.endCookie(i, Dropped, t.now)
		}
		i = next
	}
}

// SetAddresses changes the outside addresses of the pool; what becomes of the mappings of
// one that goes, Config.Change says. With ChangeMoves they move to the one that takes its place in
// the list, but for protocols without ports. SAs that are followed by SPI and negotiations of
// IKE that are by cookie end in any case: their peers know them by the address.
func (t *Table) SetAddresses(now time.Duration, addrs []netip.Addr) error {
	t.enter(now)
	c := t.config
	c.Outside = slices.Clone(addrs)
	if err := c.Check(); err != nil {
		return err
	}
	old := t.cfg.Outside
	t.config, t.cfg.Outside = c, c.Outside
	to := map[uint32]uint32{} // from an address that goes; 0: nowhere
	for i, a := range old {
		if slices.Contains(addrs, a) {
			continue
		}
		to[fromAddr(a)] = 0
		if t.cfg.Change == ChangeMoves && i < len(addrs) && !slices.Contains(old, addrs[i]) {
			to[fromAddr(a)] = fromAddr(addrs[i])
		}
	}
	t.repool(addrs)
	t.dropOthers(func(a uint32) bool { _, gone := to[a]; return gone })
	if t.cfg.Change == ChangeKeeps {
		return nil
	}
	for i := t.mappingAge.head; i != 0; {
		m := t.mappings.at(i)
		next := m.age.next
		if a, gone := to[m.outAddr]; gone && !t.outsideAddr(m.outAddr) && !t.move(i, m, a) {
			t.endMapping(i, Dropped, t.now)
		}
		i = next
	}
	t.forgetPools()
	return nil
}

// move gives a mapping another outside address with the same port. false: it is not free there.
func (t *Table) move(i uint32, m *mapping, addr uint32) bool {
	if addr == 0 || !ported(m.proto) || t.cfg.Blocks.Size > 0 {
		return false
	}
	if m.flags&pooled != 0 {
		p := &t.pools[t.poolOf[addr]].ports[portsOf(m.proto)]
		if p.taken(m.outPort) && m.flags&(takes|mute) == 0 {
			return false
		}
		p.take(m.outPort)
		t.pools[t.poolOf[m.outAddr]].ports[portsOf(m.proto)].give(m.outPort)
	}
	if m.flags&outOwner != 0 {
		t.mappingOut.remove(m.outside().hash(&t.seed), i)
		m.flags &^= outOwner
	}
	m.outAddr = addr
	t.claim(i, m)
	for j := m.sessions.head; j != 0; {
		s := t.sessions.at(j)
		if s.flags&outHolder != 0 {
			t.sessionOut.remove(s.outside().hash(&t.seed), j)
			s.flags &^= outHolder
		}
		s.outAddr = addr
		t.hold(j, s)
		j = s.ofMapping.next
	}
	t.tell(Moved, i, t.now)
	return true
}

// setPools makes the records of outside addresses, all of their ports free.
func (t *Table) setPools(addrs []netip.Addr) {
	t.pools, t.poolOf = nil, map[uint32]int{}
	t.repool(addrs)
	t.forgetPools()
}

// repool puts the records of outside addresses in order, and those that are no more behind them, for the mappings that have them still.
func (t *Table) repool(addrs []netip.Addr) {
	old := t.pools
	t.pools = nil
	for _, a := range addrs {
		if i, ok := t.poolOf[fromAddr(a)]; ok {
			t.pools = append(t.pools, old[i])
		} else {
			t.pools = append(t.pools, t.newPool(a))
		}
	}
	t.active = len(addrs)
	for _, o := range old {
		if !slices.Contains(addrs, toAddr(o.addr)) {
			t.pools = append(t.pools, o)
		}
	}
	t.poolOf = map[uint32]int{}
	for i, o := range t.pools {
		t.poolOf[o.addr] = i
	}
	t.turn = 0
	t.own = map[uint32]bool{}
	for _, a := range t.cfg.addresses() {
		t.own[fromAddr(a)] = true
	}
	t.inside = t.pools[0].addr
	if t.cfg.Inside.IsValid() {
		t.inside = fromAddr(t.cfg.Inside)
	}
	t.repair()
}

// repair pairs hosts with the addresses that they have, where those are still there.
func (t *Table) repair() {
	for i := uint32(1); i < t.hosts.n; i++ {
		t.hosts.at(i).pool = -1
	}
	pair := func(host, addr uint32) {
		if at, ok := t.poolOf[addr]; ok && at < t.active {
			t.hosts.at(host).pool = int32(at)
		}
	}
	for i := t.mappingAge.head; i != 0; i = t.mappings.at(i).age.next {
		pair(t.mappings.at(i).host, t.mappings.at(i).outAddr)
	}
	for _, l := range []*list{&t.spiWaits, &t.spiTimes} {
		for i := l.head; i != 0; i = t.spis.at(i).time.next {
			pair(t.spis.at(i).host, t.spis.at(i).outAddr)
		}
	}
	for i := t.cookieTimes.head; i != 0; i = t.cookies.at(i).time.next {
		pair(t.cookies.at(i).host, t.cookies.at(i).outAddr)
	}
}

// forgetPools ends the records of addresses that are no more.
func (t *Table) forgetPools() {
	for _, o := range t.pools[t.active:] {
		delete(t.poolOf, o.addr)
	}
	t.pools = t.pools[:t.active]
}
