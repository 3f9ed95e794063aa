package esp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Packets made by hand, by none of the code under test.

// ip is an IPv4 datagram with DF clear, a TOS and options (a multiple of four bytes).
func ip(src, dst netip.Addr, proto uint8, payload []byte, options ...byte) []byte {
	h := 20 + len(options)
	b := make([]byte, h, h+len(payload))
	b[0], b[1], b[8], b[9] = byte(0x40|h/4), 0x10, 63, proto
	binary.BigEndian.PutUint16(b[2:], uint16(h+len(payload)))
	binary.BigEndian.PutUint16(b[4:], 0x4242)
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	copy(b[20:], options)
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return append(b, payload...)
}

// ext is an IPv6 extension header but for its first byte, which ip6 fills in.
type ext struct {
	kind uint8
	rest []byte
}

// Extension headers of 8 bytes, and a fragment header.
func hopByHop(options ...byte) ext    { return ext{extHopByHop, withLength(options)} }
func destination(options ...byte) ext { return ext{extDestination, withLength(options)} }

func fragmentOf(offset int, more bool) ext {
	field := uint16(offset)
	if more {
		field |= 1
	}
	return ext{extFragment, []byte{0, byte(field >> 8), byte(field), 0, 0, 0x42, 0x42}}
}

// routing is a routing header with stops to make.
func routing(kind, left byte, stops ...netip.Addr) ext {
	b := []byte{byte(2 * len(stops)), kind, left, 0, 0, 0, 0}
	for _, s := range stops {
		b = append(b, s.AsSlice()...)
	}
	return ext{extRouting, b}
}

// withLength puts the length in front of options and pads them with Pad1.
func withLength(options []byte) []byte {
	b := append([]byte{0}, options...)
	for len(b)%8 != 7 {
		b = append(b, 0)
	}
	b[0] = byte(len(b) / 8)
	return b
}

// ip6 is an IPv6 datagram with a traffic class, a flow label and extension headers.
func ip6(src, dst netip.Addr, proto uint8, payload []byte, exts ...ext) []byte {
	b := make([]byte, 40, 2048)
	b[0], b[1], b[3], b[7] = 0x6a, 0xb1, 0x77, 63
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	nextAt := 6
	for _, e := range exts {
		b[nextAt], nextAt = e.kind, len(b)
		b = append(append(b, 0), e.rest...)
	}
	b[nextAt] = proto
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

// flagged sets the flags and fragment offset field and renews the checksum.
func flagged(b []byte, field uint16) []byte {
	b = bytes.Clone(b)
	binary.BigEndian.PutUint16(b[6:], field)
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], checksum(b[:int(b[0]&15)*4]))
	return b
}

// checksum is that of RFC 1071 over an IPv4 header, as its Section 4.1 has it.
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

const dontFragment = 0x4000

// udp is a UDP datagram of n bytes of data.
func udp(srcPort, dstPort uint16, n int) []byte {
	b := make([]byte, 8+n)
	binary.BigEndian.PutUint16(b, srcPort)
	binary.BigEndian.PutUint16(b[2:], dstPort)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	for i := range n {
		b[8+i] = byte(i)
	}
	return b
}
