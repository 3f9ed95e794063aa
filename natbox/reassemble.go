package natbox

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/sim"
)

// maxReassemblies bounds the datagrams that wait for fragments; the oldest gives way.
const maxReassemblies = 64

// reassembler puts together datagrams that are for the router itself (RFC 1812,
// Section 4.2.2.8 asks it of a router as of any host). Others pass in fragments.
type reassembler struct {
	pending []*reassembly // oldest first
}

// datagramKey names a datagram, RFC 791, Section 2.3.
type datagramKey struct {
	src, dst netip.Addr
	proto    uint8
	id       uint16
}

type reassembly struct {
	key    datagramKey
	pieces []packet // by offset, none overlapping another
	timer  *sim.Timer
}

// reassemble adds a fragment; it returns the datagram when that was the last one missing, else nil.
func (r *Router) reassemble(p packet) packet {
	n := len(p.payload())
	switch {
	case n == 0, p.more() && n%fragmentUnit != 0:
		r.drop(badFragment, p)
		return nil
	case end(p) > maxIPv4-ipv4Header:
		r.drop(oversized, p)
		return nil
	}
	d := r.findReassembly(p)
	at, found := slices.BinarySearchFunc(d.pieces, p.offset(), func(q packet, offset int) int { return q.offset() - offset })
	switch {
	case found && len(d.pieces[at].payload()) == n && d.pieces[at].more() == p.more():
		return nil // a repetition
	case found,
		at > 0 && (end(d.pieces[at-1]) > p.offset() || !d.pieces[at-1].more()),
		at < len(d.pieces) && (end(p) > d.pieces[at].offset() || !p.more()):
		// Pieces that contradict each other are an attack, not a datagram (RFC 1858).
		r.drop(badFragment, p)
		r.endReassembly(d)
		return nil
	}
	d.pieces = slices.Insert(d.pieces, at, p)
	next := 0
	for _, q := range d.pieces {
		if q.offset() != next {
			return nil
		}
		next = end(q)
	}
	if d.pieces[len(d.pieces)-1].more() {
		return nil
	}
	r.endReassembly(d)
	if d.pieces[0].headerLen()+next > maxIPv4 {
		r.drop(oversized, p)
		return nil
	}
	return d.join()
}

// end is where the data of a fragment ends in the datagram.
func end(p packet) int { return p.offset() + len(p.payload()) }

func (r *Router) findReassembly(p packet) *reassembly {
	key := datagramKey{src: p.src(), dst: p.dst(), proto: p.proto(), id: p.id()}
	a := &r.reassembly
	if i := slices.IndexFunc(a.pending, func(d *reassembly) bool { return d.key == key }); i >= 0 {
		return a.pending[i]
	}
	if len(a.pending) == maxReassemblies {
		r.abandon(a.pending[0], reassemblyFull)
	}
	d := &reassembly{key: key}
	d.timer = r.w.After(nil, r.settings.ReassemblyAge, func() {
		first := d.pieces[0]
		r.abandon(d, reassemblyTimeout)
		r.icmpError(icmpTimeExceeded, codeReassembly, 0, first) // not sent unless it is the first fragment
	})
	a.pending = append(a.pending, d)
	return d
}

// abandon gives up a datagram.
func (r *Router) abandon(d *reassembly, why reason) {
	r.drop(why, d.pieces[0])
	r.endReassembly(d)
}

func (r *Router) endReassembly(d *reassembly) {
	d.timer.Stop()
	r.reassembly.pending = slices.DeleteFunc(r.reassembly.pending, func(e *reassembly) bool { return e == d })
}

// join makes one datagram of all pieces, with the header of the first.
func (d *reassembly) join() packet {
	whole := append(packet(nil), d.pieces[0]...)
	for _, q := range d.pieces[1:] {
		whole = append(whole, q.payload()...)
	}
	binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
	whole[6], whole[7] = 0, 0
	whole.setChecksum()
	return whole
}
