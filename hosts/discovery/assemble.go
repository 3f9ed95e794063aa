package discovery

import (
	"net/netip"
	"slices"
)

// assembly puts fragments of datagrams together, of a few at a time: each test waits for one.
type assembly struct{ open []*assembling }

type assembling struct {
	src    netip.Addr
	id     uint16
	proto  uint8
	pieces []piece
	length int // of the whole payload; 0: not known yet
}

type piece struct {
	offset int
	data   []byte
}

const (
	maxAssemblies = 8
	maxPieces     = 64
)

// add takes a packet. ok is true when it is whole, or makes a datagram whole.
func (a *assembly) add(b []byte) (packet, bool) {
	p, offset, more, ok := parse(b)
	if !ok || offset == 0 && !more {
		return p, ok
	}
	i := slices.IndexFunc(a.open, func(o *assembling) bool { return o.src == p.src && o.id == p.id && o.proto == p.proto })
	if i < 0 {
		if len(a.open) == maxAssemblies {
			a.open = slices.Delete(a.open, 0, 1)
		}
		i = len(a.open)
		a.open = append(a.open, &assembling{src: p.src, id: p.id, proto: p.proto})
	}
	o := a.open[i]
	if !more {
		o.length = offset + len(p.payload)
	}
	o.pieces = append(o.pieces, piece{offset, slices.Clone(p.payload)})
	whole, ok := o.whole()
	switch {
	case ok:
		p.payload, p.pieces = whole, len(o.pieces)
	case len(o.pieces) < maxPieces:
		return packet{}, false
	}
	a.open = slices.Delete(a.open, i, i+1)
	return p, ok
}

// whole is the payload, if all of it is there.
func (o *assembling) whole() ([]byte, bool) {
	if o.length == 0 {
		return nil, false
	}
	pieces := slices.Clone(o.pieces)
	slices.SortStableFunc(pieces, func(a, b piece) int { return a.offset - b.offset })
	var out []byte
	for _, p := range pieces {
		if p.offset > len(out) {
			return nil, false
		}
		if end := p.offset + len(p.data); end > len(out) {
			out = append(out, p.data[len(out)-p.offset:]...)
		}
	}
	return out, len(out) == o.length
}
