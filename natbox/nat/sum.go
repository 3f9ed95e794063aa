package nat

import "encoding/binary"

// change is what translation adds to a ones' complement sum: ~m + m' of all words that
// change (RFC 1624, Section 3; RFC 3022, Section 4.2 has the same by another way).
type change uint32

func (c change) word(old, now uint16) change { return c + change(^old) + change(now) }

func (c change) addr(old, now uint32) change {
	return c.word(uint16(old>>16), uint16(now>>16)).word(uint16(old), uint16(now))
}

// to adjusts the checksum at b: HC' = ~(~HC + ~m + m'), RFC 1624, Section 3.
func (c change) to(b []byte) {
	sum := uint32(^binary.BigEndian.Uint16(b)) + uint32(c)&0xffff + uint32(c)>>16
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b, ^uint16(sum))
}
