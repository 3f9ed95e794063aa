package esp

import (
	"encoding/binary"
	"net/netip"
)

// Sizes of RFC 791, Section 3.1.
const (
	minHeader   = 20
	maxDatagram = 65535
)

// datagram is a valid IPv4 packet, cut to its total length.
type datagram struct {
	b         []byte
	headerLen int
}

// malformed is why a packet is no valid IPv4; empty for one that is.
type malformed string

func (m malformed) Error() string { return "esp: " + string(m) }

// parseIPv4 checks what the rest relies on: version and lengths. Bytes after
// the total length (padding of short Ethernet frames) are cut off.
func parseIPv4(b []byte) (datagram, malformed) {
	if len(b) < minHeader {
		return datagram{}, "packet is shorter than an IPv4 header"
	}
	if b[0]>>4 != 4 {
		return datagram{}, "packet is not IPv4"
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
	return datagram{b[:total], headerLen}, ""
}

func (d datagram) src() netip.Addr { return netip.AddrFrom4([4]byte(d.b[12:16])) }
func (d datagram) dst() netip.Addr { return netip.AddrFrom4([4]byte(d.b[16:20])) }
func (d datagram) proto() uint8    { return d.b[9] }
func (d datagram) payload() []byte { return d.b[d.headerLen:] }
func (d datagram) df() bool        { return d.b[6]&0x40 != 0 }

// fragment reports whether the packet is only a part of a datagram.
func (d datagram) fragment() bool { return binary.BigEndian.Uint16(d.b[6:])&0x3fff != 0 }

// offset is the fragment offset in bytes.
func (d datagram) offset() int { return int(binary.BigEndian.Uint16(d.b[6:])&0x1fff) * 8 }

// finish makes out a valid datagram with a header copied from another one:
// protocol, total length and checksum are new; identification, flags, TTL, TOS,
// addresses and options stay (RFC 4303, Section 3.1.1).
func finish(out []byte, headerLen int, proto uint8) {
	out[9] = proto
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	out[10], out[11] = 0, 0
	binary.BigEndian.PutUint16(out[10:], checksum(out[:headerLen]))
}

// checksum is that of RFC 791, Section 3.1 and RFC 1071 over a header, whose
// length is even.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
