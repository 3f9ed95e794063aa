package natbox

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/pieces"
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
	key   datagramKey
	list  pieces.List
	first datagram // the first fragment, or the first that came
	timer *sim.Timer
}

// reassemble adds an IPv4 fragment; it returns the datagram when that was the last one missing, else nil.
func (r *Router) reassemble(p packet) packet {
	key := datagramKey{p.src(), p.dst(), p.proto(), uint32(p.id())}
	d := r.addPiece(key, p, pieces.Piece{Offset: p.offset(), Data: p.payload(), More: p.more()}, maxIPv4-ipv4Header)
	if d == nil {
		return nil
	}
	first := d.first.(packet)
	whole := append(append(packet(nil), first[:first.headerLen()]...), d.list.Data()...)
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
	d := r.addPiece(key, p, pieces.Piece{Offset: p.Offset(), Data: p.FragmentData(), More: p.More()}, ipv6.MaxPayload)
	if d == nil {
		return nil
	}
	whole := ipv6.Whole(d.first.(packet6).Packet, d.list.Data())
	if len(whole) > ipv6.HeaderLen+ipv6.MaxPayload {
		r.drop(oversized, p)
		return nil
	}
	return whole
}

// addPiece returns the datagram when no piece is missing any more.
func (r *Router) addPiece(key datagramKey, p datagram, piece pieces.Piece, longest int) *reassembly {
	switch err := piece.Check(longest); {
	case errors.Is(err, pieces.ErrTooLong):
		r.drop(oversized, p)
		return nil
	case err != nil:
		r.drop(badFragment, p)
		return nil
	}
	d := r.findReassembly(key, p)
	whole, err := d.list.Add(piece, longest)
	if err != nil {
		r.drop(badFragment, p)
		r.endReassembly(d)
		return nil
	}
	if piece.Offset == 0 {
		d.first = p
	}
	if !whole {
		return nil
	}
	r.endReassembly(d)
	return d
}

func (r *Router) findReassembly(key datagramKey, p datagram) *reassembly {
	a := &r.reassembly
	if i := slices.IndexFunc(a.pending, func(d *reassembly) bool { return d.key == key }); i >= 0 {
		return a.pending[i]
	}
	if len(a.pending) == maxReassemblies {
		r.abandon(a.pending[0], reassemblyFull)
	}
	d := &reassembly{key: key, first: p}
	d.timer = r.w.After(nil, r.settings.ReassemblyAge, func() {
		r.abandon(d, reassemblyTimeout)
		if d.list[0].Offset == 0 { // RFC 792 and RFC 8200, Section 4.5: not without the first fragment
			r.report(reassemblyExceeded, d.first)
		}
	})
	a.pending = append(a.pending, d)
	return d
}

// abandon gives up a datagram.
func (r *Router) abandon(d *reassembly, why reason) {
	r.drop(why, d.first)
	r.endReassembly(d)
}

func (r *Router) endReassembly(d *reassembly) {
	d.timer.Stop()
	r.reassembly.pending = slices.DeleteFunc(r.reassembly.pending, func(e *reassembly) bool { return e == d })
}
