package observe

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/pieces"
)

// Bounds of what an inspector keeps of fragments. RFC 791, Section 3.2 has receivers wait
// for 15 seconds at least; 30 are a choice of the lab, as of its routers and hosts.
const (
	maxDatagrams  = 256
	maxFragments  = 4 << 20 // bytes of all datagrams
	fragmentsWait = 30 * time.Second
	maxDatagram   = 65535
)

// datagrams puts fragments together for an inspector: RFC 5879, Appendix A.1 has ESP put together before
// anything is looked at.
type datagrams struct {
	pending lru[datagramKey, datagram]
	bytes   int
}

// datagramKey names a datagram: RFC 791, Section 2.3; RFC 8200, Section 4.5, which leaves out the protocol.
type datagramKey struct {
	src, dst netip.Addr
	proto    uint8
	id       uint32
}

// datagram is one in pieces.
type datagram struct {
	list  pieces.List
	first []byte        // the first fragment
	last  time.Duration // when a fragment came
	bytes int
	seen  Count // the fragments
}

func newDatagrams() datagrams {
	return datagrams{pending: newLRU[datagramKey, datagram](maxDatagrams)}
}

// add takes a fragment. whole is the datagram, when that was the last one missing, and seen
// are its fragments; given up are those that will not be read.
func (d *datagrams) add(now time.Duration, p *packet) (whole packet, seen, givenUp Count, ok bool) {
	key := datagramKey{p.src, p.dst, p.proto, p.id}
	piece := pieces.Piece{Offset: p.offset, Data: p.body, More: p.more}
	if p.src.Is6() {
		key.proto, piece.Data = 0, p.v6.FragmentData()
	}
	for g := d.pending.oldest(); g != nil && now-g.last >= fragmentsWait; g = d.pending.oldest() {
		givenUp = givenUp.plus(d.drop(g, d.pending.order.Back().Value.(*entry[datagramKey, datagram]).key))
	}
	g, gone := d.pending.get(key)
	if gone != nil {
		d.bytes -= gone.bytes
		givenUp = givenUp.plus(gone.seen)
	}
	g.last = now
	piece.Data = slices.Clone(piece.Data)
	done, err := g.list.Add(piece, maxDatagram)
	g.seen.add(p.length)
	g.bytes += len(piece.Data)
	d.bytes += len(piece.Data)
	if p.offset == 0 && g.first == nil {
		g.first = slices.Clone(p.bytes)
	}
	switch {
	case err != nil || d.bytes > maxFragments:
		return packet{}, Count{}, givenUp.plus(d.drop(g, key)), false
	case !done:
		return packet{}, Count{}, givenUp, false
	}
	data, first := g.list.Data(), g.first
	seen = d.drop(g, key)
	var b []byte
	if p.src.Is6() {
		start, err := ipv6.Parse(first)
		if err != nil {
			return packet{}, Count{}, givenUp.plus(seen), false
		}
		b = ipv6.Whole(start, data)
	} else {
		header := int(first[0]&15) * 4
		b = append(first[:header:header], data...)
		b[2], b[3], b[6], b[7] = byte(len(b)>>8), byte(len(b)), 0, 0
	}
	if whole, ok = parse(b); !ok || len(b) > maxDatagram {
		return packet{}, Count{}, givenUp.plus(seen), false
	}
	return whole, seen, givenUp, true
}

func (d *datagrams) drop(g *datagram, key datagramKey) Count {
	d.bytes -= g.bytes
	d.pending.drop(key)
	return g.seen
}
