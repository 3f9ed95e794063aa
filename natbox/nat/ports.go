package nat

import "math/bits"

// ports are those of one protocol at one address.
type ports struct {
	used *[1024]uint64 // a bit for each; nil: none
	n    int
	next [3]uint16      // of Sequential, in each range
	also map[uint16]int // mappings more than one that a port has: of Share and Overload
}

func portsOf(proto uint8) int {
	switch proto {
	case udp:
		return 0
	case tcp:
		return 1
	}
	return 2 // identifiers of ICMP
}

func (p *ports) taken(port uint16) bool { return p.used != nil && p.used[port/64]>>(port%64)&1 != 0 }

func (p *ports) take(port uint16) {
	if p.taken(port) {
		if p.also == nil {
			p.also = map[uint16]int{}
		}
		p.also[port]++
		return
	}
	if p.used == nil {
		p.used = new([1024]uint64)
	}
	p.used[port/64] |= 1 << (port % 64)
	p.n++
}

func (p *ports) give(port uint16) {
	if p.also[port] > 0 {
		if p.also[port]--; p.also[port] == 0 {
			delete(p.also, port)
		}
		return
	}
	p.used[port/64] &^= 1 << (port % 64)
	if p.n--; p.n == 0 {
		p.used = nil
	}
}

// each calls f for each port that is taken.
func (p *ports) each(f func(uint16)) {
	if p.used == nil {
		return
	}
	for w, word := range p.used {
		for ; word != 0; word &= word - 1 {
			f(uint16(w*64 + bits.TrailingZeros64(word)))
		}
	}
}

// Ports of one parity, or all, as bits of a word.
const (
	anyPort  = ^uint64(0)
	evenPort = 0x5555555555555555
	oddPort  = 0xaaaaaaaaaaaaaaaa
)

// free is the first free port from start on, around the range, of those in the mask.
func (p *ports) free(r span, start uint16, mask uint64) (uint16, bool) {
	if start < r.first || start > r.last {
		start = r.first
	}
	if port, ok := p.scan(start, r.last, mask); ok {
		return port, true
	}
	if start == r.first {
		return 0, false
	}
	return p.scan(r.first, start-1, mask)
}

func (p *ports) scan(first, last uint16, mask uint64) (uint16, bool) {
	for w := first / 64; w <= last/64; w++ {
		can := mask
		if p.used != nil {
			can &^= p.used[w]
		}
		if w == first/64 {
			can &= ^uint64(0) << (first % 64)
		}
		if w == last/64 {
			can &= ^uint64(0) >> (63 - last%64)
		}
		if can != 0 {
			return w*64 + uint16(bits.TrailingZeros64(can)), true
		}
	}
	return 0, false
}

// span is a range of ports.
type span struct {
	first, last uint16
	exact       bool // the inside port itself may be one outside of it
	n           int  // which of the ranges it is
}

func (r span) has(port uint16) bool { return r.first <= port && port <= r.last }

// rangeOf is where the outside port of an inside one may lie. RFC 4787, REQ-3a.
func (t *Table) rangeOf(proto uint8, port uint16) span {
	c := &t.cfg.Ports
	switch {
	case proto == icmp:
		return span{0, 65535, true, 0}
	case c.Range == WellKnownHalves && port < 512:
		return span{1, 511, true, 1}
	case c.Range == WellKnownHalves && port < 1024:
		return span{512, 1023, true, 2}
	case c.Range == WellKnown && port < 1024:
		return span{1, 1023, true, 1}
	}
	return span{c.First, c.Last, t.cfg.anyPort, 0}
}

// choose finds a port at an outside address. It may be another mapping's as well, with
// Share and Overload.
func (t *Table) choose(o *pool, r span, f flow) (port uint16, ok bool) {
	c := &t.cfg.Ports
	p := &o.ports[portsOf(f.proto)]
	want, mask := f.inPort, anyPort
	if c.Parity && f.proto != icmp { // RFC 4787, REQ-4
		mask = evenPort << (want & 1)
	}
	random := func() uint16 { return r.first + uint16(t.below(int(r.last)-int(r.first)+1)) }
	switch c.Assignment {
	case Random:
		return p.free(r, random(), mask)
	case Contiguous:
		if port, ok = t.beside(p, r, o.addr, f); ok {
			return port, true
		}
		fallthrough
	case Sequential:
		if port, ok = p.free(r, p.next[r.n], mask); ok {
			p.next[r.n] = port + 1
		}
		return port, ok
	}
	may := (r.exact || r.has(want)) && (want != 0 || f.proto == icmp)
	switch {
	case may && !p.taken(want):
		return want, true
	case c.Collision == Refuse:
		return 0, false
	case c.Collision == AnotherRandom:
		return p.free(r, random(), mask)
	case may && c.Collision == Overload && !t.reserved(f.proto, want):
		return want, true
	case may && t.cfg.shares(f.proto) && t.apart(o.addr, want, f):
		return want, true
	}
	if port, ok = p.free(r, want, mask); !ok && t.cfg.shares(f.proto) {
		// As many others are looked at as does not take long: a choice of the lab.
		n, start := int(r.last)-int(r.first)+1, 0
		if r.has(want) {
			start = int(want - r.first)
		}
		for i := range min(256, n) {
			port = r.first + uint16((start+i)%n)
			if mask>>(port%64)&1 != 0 && t.apart(o.addr, port, f) {
				return port, true
			}
		}
	}
	return port, ok
}

// apart says whether answers to a port could be told from those to others that have it.
func (t *Table) apart(addr uint32, port uint16, f flow) bool {
	f.inAddr, f.inPort = addr, port
	k := f.key()
	return !t.reserved(f.proto, port) && t.sessionOut.find(k.hash(&t.seed), k) == 0
}

// beside finds the port that continues a neighbour's: RFC 4787, Section 4.2.3.
func (t *Table) beside(p *ports, r span, addr uint32, f flow) (uint16, bool) {
	for _, d := range []int{-1, 1} {
		k := f.local()
		k.ap += uint16(d)
		i := t.mappingInside.find(k.hash(&t.seed), k)
		if i == 0 || t.mappings.at(i).outAddr != addr {
			continue
		}
		port := t.mappings.at(i).outPort - uint16(d)
		if r.has(port) && !p.taken(port) {
			return port, true
		}
	}
	return 0, false
}

// below is a random number below n.
func (t *Table) below(n int) int {
	hi, _ := bits.Mul64(t.rand.Uint64(), uint64(n))
	return int(hi)
}
