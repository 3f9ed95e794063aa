package natbox

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/sim"
)

// maxReassemblies bounds the datagrams that wait for fragments; the oldest gives way.
const maxReassemblies = 64

// reassembler puts together datagrams that are for the router itself (RFC 1812,
// Section 4.2.2.8 asks it of a router as of any host). Others pass in fragments.
type reassembler struct {
	pending []*reassembly // oldest first
}

// datagramKey names a datagram: RFC 791, Section 2.3; RFC 8200, Section 4.5, which
// leaves out the protocol.
type datagramKey struct {
	src, dst netip.Addr
	proto    uint8
	id       uint32
}

type reassembly struct {
	key    datagramKey
	pieces []piece // by offset, none overlapping another
	timer  *sim.Timer
}

// piece is a fragment: what it holds of the datagram, and where.
type piece struct {
	datagram
	data   []byte
	offset int
	more   bool
}

func (p piece) end() int { return p.offset + len(p.data) }

// reassemble adds an IPv4 fragment; it returns the datagram when that was the last one missing, else nil.
func (r *Router) reassemble(p packet) packet {
	key := datagramKey{p.src(), p.dst(), p.proto(), uint32(p.id())}
	pieces := r.addPiece(key, piece{p, p.payload(), p.offset(), p.more()}, maxIPv4-ipv4Header)
	if pieces == nil {
		return nil
	}
	whole := append(packet(nil), pieces[0].datagram.(packet)...)
	for _, q := range pieces[1:] {
		whole = append(whole, q.data...)
	}
	if len(whole) > maxIPv4 {
		r.drop(oversized, p)
		return nil
	}
	binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
	whole[6], whole[7] = 0, 0
	whole.setChecksum()
	return whole
}

// reassemble6 is reassemble for IPv6.
func (r *Router) reassemble6(p packet6) []byte {
	key := datagramKey{src: p.src(), dst: p.dst(), id: p.ID()}
	pieces := r.addPiece(key, piece{p, p.FragmentData(), p.Offset(), p.More()}, ipv6.MaxPayload)
	if pieces == nil {
		return nil
	}
	var data []byte
	for _, q := range pieces {
		data = append(data, q.data...)
	}
	whole := ipv6.Whole(pieces[0].datagram.(packet6).Packet, data)
	if len(whole) > ipv6.HeaderLen+ipv6.MaxPayload {
		r.drop(oversized, p)
		return nil
	}
	return whole
}

// addPiece returns all pieces, in order, when none is missing any more.
func (r *Router) addPiece(key datagramKey, p piece, longest int) []piece {
	n := len(p.data)
	switch {
	case n == 0, p.more && n%fragmentUnit != 0:
		r.drop(badFragment, p)
		return nil
	case p.end() > longest:
		r.drop(oversized, p)
		return nil
	}
	d := r.findReassembly(key)
	at, found := slices.BinarySearchFunc(d.pieces, p.offset, func(q piece, offset int) int { return q.offset - offset })
	switch {
	case found && len(d.pieces[at].data) == n && d.pieces[at].more == p.more:
		return nil // a repetition
	case found,
		at > 0 && (d.pieces[at-1].end() > p.offset || !d.pieces[at-1].more),
		at < len(d.pieces) && (p.end() > d.pieces[at].offset || !p.more):
		// Pieces that contradict each other are an attack, not a datagram (RFC 1858; RFC 8200, Section 4.5).
		r.drop(badFragment, p)
		r.endReassembly(d)
		return nil
	}
	d.pieces = slices.Insert(d.pieces, at, p)
	next := 0
	for _, q := range d.pieces {
		if q.offset != next {
			return nil
		}
		next = q.end()
	}
	if d.pieces[len(d.pieces)-1].more {
		return nil
	}
	r.endReassembly(d)
	return d.pieces
}

func (r *Router) findReassembly(key datagramKey) *reassembly {
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
		if first.offset == 0 { // RFC 792 and RFC 8200, Section 4.5: not without the first fragment
			r.report(reassemblyExceeded, first.datagram)
		}
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
