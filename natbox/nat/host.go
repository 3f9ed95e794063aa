package nat

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

// leave forgets a host of which nothing is known, and with it whom it is paired with.
func (t *Table) leave(i uint32, h *host) {
	if h.mappings.n == 0 && h.others == 0 {
		t.hostIndex.remove(key{a: h.addr}.hash(&t.seed), i)
		t.hosts.give(i)
	}
}

// poolFor is the outside address of a host: the one that it is paired with, or the next
// one. RFC 4787, REQ-2; RFC 7857, Section 4.
func (t *Table) poolFor(h *host) int {
	if h.pool < 0 || t.cfg.Pooling == Arbitrary {
		h.pool = int32(t.turn)
		t.turn = (t.turn + 1) % t.active
	}
	return int(h.pool)
}
