package nat

import (
	"math/bits"
	"net/netip"
)

// pool is an outside address with its ports.
type pool struct {
	addr  uint32
	ports [3]ports // of UDP, TCP and ICMP
}

// ports are those of one protocol at one outside address.
type ports struct {
	used *[1024]uint64 // a bit for each; nil: none
	n    int
	next uint16         // of Sequential
	also map[uint16]int // mappings more than one that a port has: of Share and Overload
}

func portsOf(proto uint8) int {
	switch proto {
	case udp:
		return 0
	case tcp:
		return 1
	}
	return 2
}

func (t *Table) setPools(addrs []netip.Addr) {
	t.pools, t.poolOf = nil, map[uint32]int{}
	for i, a := range addrs {
		t.pools = append(t.pools, pool{addr: fromAddr(a)})
		t.poolOf[fromAddr(a)] = i
	}
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

// Ports of one parity, or all, as bits of a word.
const (
	anyPort  = ^uint64(0)
	evenPort = 0x5555555555555555
	oddPort  = 0xaaaaaaaaaaaaaaaa
)

// free is the first free port from start on, around the range of first to last, of those in the mask.
func (p *ports) free(first, last, start uint16, mask uint64) (uint16, bool) {
	if start < first || start > last {
		start = first
	}
	if port, ok := p.scan(start, last, mask); ok {
		return port, true
	}
	if start == first {
		return 0, false
	}
	return p.scan(first, start-1, mask)
}

func (p *ports) scan(first, last uint16, mask uint64) (uint16, bool) {
	for w := int(first / 64); w <= int(last/64); w++ {
		can := mask
		if p.used != nil {
			can &^= p.used[w]
		}
		if w == int(first/64) {
			can &= ^uint64(0) << (first % 64)
		}
		if w == int(last/64) {
			can &= ^uint64(0) >> (63 - last%64)
		}
		if can != 0 {
			return uint16(w*64 + bits.TrailingZeros64(can)), true
		}
	}
	return 0, false
}

// assign chooses the outside endpoint of a new mapping.
func (t *Table) assign(h *host, m *mapping, f flow) (shared bool, why reason) {
	if h.pool < 0 || t.cfg.Pooling == Arbitrary {
		h.pool = int32(t.turn)
		t.turn = (t.turn + 1) % len(t.pools)
	}
	for range len(t.pools) {
		o := &t.pools[h.pool]
		p := &o.ports[portsOf(m.proto)]
		if port, again, ok := t.choose(p, m.inPort); ok {
			p.take(port)
			m.outAddr, m.outPort = o.addr, port
			return again, none
		}
		if t.cfg.Pooling == Paired {
			break
		}
		h.pool = (h.pool + 1) % int32(len(t.pools))
	}
	return false, noPort
}

// choose finds a port at an address for an inside port.
func (t *Table) choose(p *ports, want uint16) (port uint16, shared, ok bool) {
	c := &t.cfg.Ports
	first, last := c.First, c.Last
	switch c.Assignment {
	case Preserve:
		if !p.taken(want) {
			return want, false, true
		}
		if c.Collision == Refuse {
			return 0, false, false
		}
		port, ok = p.free(first, last, want, anyPort)
	case Sequential, Contiguous:
		port, ok = p.free(first, last, p.next, anyPort)
		p.next = port + 1
	case Random:
		port, ok = p.free(first, last, first+uint16(t.below(int(last-first)+1)), anyPort)
	}
	return port, false, ok
}

// release gives the port of a mapping back.
func (t *Table) release(m *mapping) {
	if m.flags&fixed != 0 {
		return
	}
	if i, ok := t.poolOf[m.outAddr]; ok {
		t.pools[i].ports[portsOf(m.proto)].give(m.outPort)
	}
}

// below is a random number below n.
func (t *Table) below(n int) int {
	hi, _ := bits.Mul64(t.rand.Uint64(), uint64(n))
	return int(hi)
}
