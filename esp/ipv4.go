package esp

import "encoding/binary"

// Sizes of RFC 791, Section 3.1.
const (
	minHeader   = 20
	maxDatagram = 65535
)

// parseIPv4 checks lengths; see parse.
func parseIPv4(b []byte) (datagram, malformed) {
	if len(b) < minHeader {
		return datagram{}, "packet is shorter than an IPv4 header"
	}
	headerLen, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case headerLen < minHeader:
		return datagram{}, "IPv4 header length is below 20 bytes"
	case total < headerLen:
		return datagram{}, "IPv4 total length is below the header length"
	case total > len(b):
		return datagram{}, "packet is shorter than its IPv4 total length"
	}
	return datagram{
		b: b[:total], headerLen: headerLen, nextAt: 9, upperAt: headerLen, upper: b[9],
		part: binary.BigEndian.Uint16(b[6:]) & 0x3fff,
	}, ""
}

// finishIPv4 makes out a valid datagram with a header copied from another one:
// protocol, total length and checksum are new; identification, flags, TTL, TOS,
// addresses and options stay (RFC 4303, Section 3.1.1).
//
// The checksum is that of RFC 791, Section 3.1, added up in words of 32 bits and
// folded (RFC 1071, Section 2(C)). The new fields go into the sum before they go
// into memory: to read a word of which a part was just written stalls the
// processor for longer than all of this takes.
func finishIPv4(out []byte, headerLen int, proto uint8) {
	h := out[:headerLen:headerLen]
	first := binary.BigEndian.Uint32(h)&0xffff0000 | uint32(uint16(len(out)))
	third := binary.BigEndian.Uint32(h[8:])&0xff000000 | uint32(proto)<<16
	sum := uint64(first) + uint64(third) + uint64(binary.BigEndian.Uint32(h[4:]))
	for rest := h[12:]; len(rest) >= 4; rest = rest[4:] {
		sum += uint64(binary.BigEndian.Uint32(rest))
	}
	binary.BigEndian.PutUint32(h, first)
	binary.BigEndian.PutUint32(h[8:], third|uint32(^fold(sum)))
}

// fold is a sum of words in ones' complement of 16 bits.
func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}
