package nat

import "net/netip"

// forwards are the servers that are published, by where they are found.
type forwards struct {
	list    []Forward
	outside map[forwardKey]int // address 0: each one of the pool
	inside  map[forwardKey]int // those that what the server sends belongs to
}

type forwardKey struct {
	addr  uint32
	port  uint16
	proto uint8
}

func newForwards(list []Forward) *forwards {
	if len(list) == 0 {
		return nil
	}
	w := &forwards{list, map[forwardKey]int{}, map[forwardKey]int{}}
	for n, f := range list {
		for i := range f.count() {
			out := forwardKey{port: f.Port + uint16(i), proto: f.Proto}
			if f.Outside.IsValid() {
				out.addr = fromAddr(f.Outside)
			}
			w.outside[out] = n
			in := forwardKey{fromAddr(f.Inside.Addr()), f.Inside.Port() + uint16(i), f.Proto}
			if _, ok := w.inside[in]; !ok && !f.OneWay {
				w.inside[in] = n
			}
		}
	}
	return w
}

func (f *Forward) count() int { return max(int(f.Last), int(f.Port)) - int(f.Port) + 1 }

// publication is that of an outside endpoint, or -1.
func (t *Table) publication(f flow) int {
	if n, ok := t.forwards.outside[forwardKey{f.inAddr, f.inPort, f.proto}]; ok {
		return n
	}
	if n, ok := t.forwards.outside[forwardKey{0, f.inPort, f.proto}]; ok && !t.dedicated[f.inAddr] && t.outsideAddr(f.inAddr) {
		return n
	}
	return -1
}

// forwardOf is the publication that what an inside endpoint sends belongs to.
func (t *Table) forwardOf(f flow) (int, bool) {
	if t.forwards == nil || f.proto == icmp {
		return 0, false
	}
	n, ok := t.forwards.inside[forwardKey{f.inAddr, f.inPort, f.proto}]
	return n, ok
}

// published finds the mapping of a published endpoint for what comes from the outside, or
// makes it; n is the publication, -1 when it is none. i is the mapping that the endpoint has.
func (t *Table) published(i uint32, f flow) (uint32, int, reason) {
	n := t.publication(f)
	if n < 0 {
		return i, -1, none
	}
	if i != 0 && t.mappings.at(i).flags&open != 0 {
		return i, n, none
	}
	w := &t.forwards.list[n]
	m := mapping{
		inAddr: fromAddr(w.Inside.Addr()), inPort: w.Inside.Port() + f.inPort - w.Port,
		outAddr: f.inAddr, outPort: f.inPort, proto: f.proto, flags: open,
	}
	i, why := t.enterForwarded(m, w)
	return i, n, why
}

// newForwarded makes the mapping of a published server for what it sends of its own accord.
func (t *Table) newForwarded(n int, f flow) (uint32, reason) {
	w := &t.forwards.list[n]
	m := mapping{inAddr: f.inAddr, inPort: f.inPort, outPort: w.Port + f.inPort - w.Inside.Port(), proto: f.proto, flags: open}
	if w.Outside.IsValid() {
		m.outAddr = fromAddr(w.Outside)
	} else {
		_, h := t.hostOf(f.inAddr)
		m.outAddr = t.pools[t.poolFor(h)].addr
	}
	return t.enterForwarded(m, w)
}

func (t *Table) enterForwarded(m mapping, w *Forward) (uint32, reason) {
	hi, h := t.hostOf(m.inAddr)
	if why := t.room(h, m.proto); why != none {
		t.refused(m, why)
		t.leave(hi, h)
		return 0, why
	}
	m.host, _ = t.hostOf(m.inAddr)
	k := m.inside()
	return t.enterMapping(m, !w.OneWay && t.mappingInside.find(k.hash(&t.seed), k) == 0), none
}

// sessionFrom makes the session of a mapping with who sends to it from the outside. To a
// server that is published with RewriteSource, it is the box.
func (t *Table) sessionFrom(i uint32, m *mapping, f flow, n int) (uint32, *session, reason) {
	if n < 0 || !t.forwards.list[n].RewriteSource {
		return t.newSession(i, m, f.remAddr, f.remPort)
	}
	p := &t.aliases[portsOf(f.proto)]
	alias := f.remPort
	if alias == 0 || p.taken(alias) {
		var ok bool
		if alias, ok = p.free(span{first: 1024, last: 65535}, f.remPort, anyPort); !ok {
			return 0, nil, noPort
		}
	}
	si, s, why := t.newSessionAs(i, m, f.remAddr, f.remPort, t.inside, alias)
	if why == none {
		p.take(alias)
	}
	return si, s, why
}

// addresses are all outside addresses, of the pool and of what is static or published.
func (c *Config) addresses() []netip.Addr {
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	add := func(a netip.Addr) {
		if a.IsValid() && !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	for _, a := range c.Outside {
		add(a)
	}
	for _, s := range c.Static {
		add(s.Outside)
	}
	for _, f := range c.Forwards {
		add(f.Outside)
	}
	return out
}
