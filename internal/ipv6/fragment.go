package ipv6

import (
	"encoding/binary"
	"errors"
)

// ErrNoRoom is for a datagram whose headers leave no room for data in packets of the MTU.
var ErrNoRoom = errors.New("ipv6: the MTU leaves no room for a fragment")

// Fragments cuts a whole datagram into packets of at most mtu bytes, each with
// room for reserve bytes before it, as its source does: RFC 8200, Section 4.5.
func Fragments(p Packet, mtu int, id uint32, reserve int) (packets [][]byte, err error) {
	data := p.Bytes[p.split:]
	fits := mtu - p.split - FragmentHeaderLen
	room := fits &^ (fragmentUnit - 1)
	if room <= 0 || p.HasFragmentHeader() {
		return nil, ErrNoRoom
	}
	for offset, n := 0, 0; offset < len(data); offset += n {
		if n = room; len(data)-offset <= fits { // the last piece need not be a multiple of the unit
			n = len(data) - offset
		}
		frame := make([]byte, reserve+p.split+FragmentHeaderLen+n)
		b := frame[reserve:]
		copy(b, p.Bytes[:p.split])
		b[p.splitField] = Fragment
		h := b[p.split:]
		h[0] = p.Bytes[p.splitField]
		field := uint16(offset)
		if offset+n < len(data) {
			field |= 1
		}
		binary.BigEndian.PutUint16(h[2:], field)
		binary.BigEndian.PutUint32(h[4:], id)
		copy(h[FragmentHeaderLen:], data[offset:offset+n])
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-HeaderLen))
		packets = append(packets, frame)
	}
	return packets, nil
}

// Whole makes a datagram out of its first fragment and all its data: without the
// fragment header, and with the length that it has then. A first without a fragment
// header is copied with its data replaced.
func Whole(first Packet, data []byte) []byte {
	at := first.At
	if first.HasFragmentHeader() {
		at = first.fragment
	}
	out := append(append(make([]byte, 0, at+len(data)), first.Bytes[:at]...), data...)
	if first.HasFragmentHeader() {
		out[first.before()] = first.Bytes[first.fragment]
	}
	binary.BigEndian.PutUint16(out[4:], uint16(len(out)-HeaderLen))
	return out
}

// before is where the number of the fragment header stands.
func (p Packet) before() int {
	field, kind, at := 6, p.Bytes[6], HeaderLen
	for kind != Fragment {
		field, kind, at = at, p.Bytes[at], at+8+8*int(p.Bytes[at+1])
	}
	return field
}
