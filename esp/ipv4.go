package esp

import "encoding/binary"

// Sizes of RFC 791, Section 3.1.
const (
	minHeader   = 20
	maxDatagram = 65535
)

// parseIPv4 checks lengths; see parse.
func (d *datagram) parseIPv4(b []byte) malformed {
	if len(b) < minHeader {
		return "packet is shorter than an IPv4 header"
	}
	headerLen, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case headerLen < minHeader:
		return "IPv4 header length is below 20 bytes"
	case total < headerLen:
		return "IPv4 total length is below the header length"
	case total > len(b):
		return "packet is shorter than its IPv4 total length"
	}
	d.b, d.headerLen, d.nextAt, d.upperAt, d.upper = b[:total], headerLen, 9, headerLen, b[9]
	d.part = binary.BigEndian.Uint16(b[6:]) & 0x3fff
	return ""
}

// finishIPv4 makes out a valid datagram: its header is that of from, which may
// overlap it or be out itself, but for protocol, total length and checksum.
// Identification, flags, TTL, TOS, addresses and options stay (RFC 4303, Section
// 3.1.1).
//
// The checksum is that of RFC 791, Section 3.1, added up in words of 32 bits and
// folded (RFC 1071, Section 2(C)). The words are added on their way, not read from
// the copy: to read what was just written takes longer than all of this.
func finishIPv4(out, from []byte, headerLen int, proto uint8) {
	f := from[:minHeader]
	w0, w1, w2 := binary.BigEndian.Uint32(f), binary.BigEndian.Uint32(f[4:]), binary.BigEndian.Uint32(f[8:])
	w3, w4 := binary.BigEndian.Uint32(f[12:]), binary.BigEndian.Uint32(f[16:])
	w0 = w0&0xffff0000 | uint32(uint16(len(out)))
	w2 = w2&0xff000000 | uint32(proto)<<16
	sum := uint64(w0) + uint64(w1) + uint64(w2) + uint64(w3) + uint64(w4)
	if headerLen > minHeader {
		options := out[minHeader:headerLen]
		for copy(options, from[minHeader:headerLen]); len(options) > 0; options = options[4:] {
			sum += uint64(binary.BigEndian.Uint32(options))
		}
	}
	h := out[:minHeader]
	binary.BigEndian.PutUint32(h, w0)
	binary.BigEndian.PutUint32(h[4:], w1)
	binary.BigEndian.PutUint32(h[8:], w2|uint32(^fold(sum)))
	binary.BigEndian.PutUint32(h[12:], w3)
	binary.BigEndian.PutUint32(h[16:], w4)
}

// fold is a sum of words in ones' complement of 16 bits.
func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}
