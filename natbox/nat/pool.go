package nat

import (
	"net/netip"
	"slices"
)

// pool is an outside address with its ports.
type pool struct {
	addr   uint32
	ports  [3]ports // of UDP, TCP and ICMP
	blocks []block  // with Blocks
	shared []uint32 // blocks of ExhaustedSpill
	turn   int      // the block that is next in line
}

// block is a range of ports of an address, the same of each protocol.
type block struct {
	owner uint32 // number of the host; 0: nobody
	used  int    // mappings
}

// everybody owns the blocks of ExhaustedSpill.
const everybody = ^uint32(0)

// newPool makes the record of an outside address. Ports that are the box's own or published are never assigned.
func (t *Table) newPool(a netip.Addr) pool {
	p := pool{addr: fromAddr(a)}
	if n := t.cfg.Blocks.Size; n > 0 {
		p.blocks = make([]block, (int(t.cfg.Ports.Last)-int(t.cfg.Ports.First)+1)/n)
	}
	for i := range t.fixed[:2] {
		t.fixed[i].each(p.ports[i].take)
	}
	return p
}

// reserved says whether a port is the box's own or published.
func (t *Table) reserved(proto uint8, port uint16) bool { return t.fixed[portsOf(proto)].taken(port) }

// assign chooses the outside endpoint of a new dynamic mapping.
func (t *Table) assign(h *host, m *mapping, f flow) reason {
	if out, ok := t.filteredOut[f.inAddr]; ok { // of this host alone, so that nobody is robbed
		m.outAddr, m.outPort, m.flags = out, f.inPort, takes
		return none
	}
	at := t.poolFor(h)
	if t.cfg.keepsPort(f) {
		o := &t.pools[at]
		m.outAddr, m.outPort, m.flags = o.addr, f.inPort, pooled|takes
		if t.cfg.IKE == IKEOneHost {
			m.flags = pooled | mute
		}
		o.ports[portsOf(udp)].take(f.inPort)
		return none
	}
	for range t.active {
		o := &t.pools[at]
		if port, ok := t.choosePort(o, m.host, h, f); ok {
			o.ports[portsOf(f.proto)].take(port)
			if b, ok := t.blockOf(o, port); ok {
				o.blocks[b].used++
			}
			m.outAddr, m.outPort, m.flags = o.addr, port, pooled
			if t.cfg.sharesPorts(f.proto) {
				m.flags |= takes
			}
			return none
		}
		if t.cfg.Pooling == Paired {
			break
		}
		at = (at + 1) % t.active
		if t.cfg.Pooling == PairedSoft {
			h.pool = int32(at)
		}
	}
	return noPort
}

// release gives the port of a mapping back, and its block with the last one.
func (t *Table) release(h *host, m *mapping) {
	at, ok := t.poolOf[m.outAddr]
	if !ok {
		return
	}
	o := &t.pools[at]
	o.ports[portsOf(m.proto)].give(m.outPort)
	if b, ok := t.blockOf(o, m.outPort); ok {
		if o.blocks[b].used--; o.blocks[b].used == 0 {
			t.endBlock(o, h, b)
		}
	}
}

// choosePort finds a port at an address, within the blocks of the host if there are any.
// RFC 6888, Section 4, REQ-14 and REQ-15.
func (t *Table) choosePort(o *pool, hi uint32, h *host, f flow) (uint16, bool) {
	c := &t.cfg.Blocks
	if c.Size == 0 {
		return t.choose(o, t.rangeOf(f.proto, f.inPort), f)
	}
	if port, ok := t.inBlocks(o, &h.blocks, c.PerHost, hi, f); ok || c.Exhausted == ExhaustedRefuse {
		return port, ok
	}
	return t.inBlocks(o, &o.shared, len(o.blocks), everybody, f)
}

// inBlocks finds a port in the blocks of an owner, or in one more.
func (t *Table) inBlocks(o *pool, blocks *[]uint32, most int, owner uint32, f flow) (uint16, bool) {
	for _, b := range *blocks {
		if port, ok := t.choose(o, t.blockSpan(b), f); ok {
			return port, true
		}
	}
	if len(*blocks) >= most {
		return 0, false
	}
	start := o.turn
	if t.cfg.Ports.Assignment == Random {
		start = t.below(len(o.blocks))
	}
	for i := range o.blocks {
		b := (start + i) % len(o.blocks)
		if o.blocks[b].owner != 0 {
			continue
		}
		if port, ok := t.choose(o, t.blockSpan(uint32(b)), f); ok {
			o.turn = (b + 1) % len(o.blocks)
			o.blocks[b].owner = owner
			*blocks = append(*blocks, uint32(b))
			return port, true
		}
	}
	return 0, false
}

func (t *Table) endBlock(o *pool, h *host, b uint32) {
	blocks := &h.blocks
	if o.blocks[b].owner == everybody {
		blocks = &o.shared
	}
	o.blocks[b].owner = 0
	*blocks = slices.DeleteFunc(*blocks, func(x uint32) bool { return x == b })
}

// blockSpan is the range of a block.
func (t *Table) blockSpan(b uint32) span {
	first := int(t.cfg.Ports.First) + int(b)*t.cfg.Blocks.Size
	return span{first: uint16(first), last: uint16(first + t.cfg.Blocks.Size - 1)}
}

// blockOf is the block that a port lies in.
func (t *Table) blockOf(o *pool, port uint16) (uint32, bool) {
	if t.cfg.Blocks.Size == 0 || port < t.cfg.Ports.First {
		return 0, false
	}
	b := uint32(int(port-t.cfg.Ports.First) / t.cfg.Blocks.Size)
	return b, int(b) < len(o.blocks)
}
