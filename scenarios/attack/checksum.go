package attack

import (
	"encoding/binary"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// sum adds bytes in ones' complement of 16 bits, RFC 1071.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return s
}

// pseudo reports whether the transport checksum covers the addresses: those of TCP
// and UDP do, RFC 9293, Section 3.1 and RFC 768, and that of ICMPv6, RFC 8200, Section 8.1.
func (v *view) pseudo() bool { return ipsec.HasPorts(v.proto) || v.proto == ipsec.ProtoICMPv6 }

// addressed is the sum of what the transport checksum covers in the IP header and
// may change. With a routing header the destination that counts is the final one,
// which the lab does not look for.
func (v *view) addressed(f []byte) uint32 {
	src, dst, size := v.addresses()
	switch {
	case !v.pseudo():
		return 0
	case v.routed:
		return sum(0, f[src:src+size])
	}
	return sum(0, f[src:dst+size])
}

// transportSum is the sum over a whole transport packet: 0xffff when its checksum is right.
func (v *view) transportSum(f []byte) uint32 {
	s := v.addressed(f)
	if v.pseudo() {
		s += uint32(v.proto) + uint32(v.transportEnd-v.transport)
	}
	return sum(s, f[v.transport:v.transportEnd])
}

// repair makes the checksums of a changed frame what they would be had it been
// sent so: right ones stay right, wrong ones wrong. They are updated by the
// difference, RFC 1624, Section 3, so that it also works on a fragment. A checksum
// that was itself changed is left alone.
func (v *view) repair(before, after []byte, which Repair) {
	if which == RepairNone {
		return
	}
	adjust := func(at int, was, is uint32) {
		if old := binary.BigEndian.Uint16(before[at:]); old == binary.BigEndian.Uint16(after[at:]) && was != is {
			s := sum(uint32(^old)+uint32(^uint16(was))+is, nil)
			binary.BigEndian.PutUint16(after[at:], ^uint16(s))
		}
	}
	if !v.v6 { // IPv6 has no checksum of its header
		header := func(f []byte) uint32 { return sum(sum(0, f[v.ip:v.ip+10]), f[v.ip+12:v.upper]) }
		adjust(v.ip+10, header(before), header(after))
	}
	if which == RepairIP || v.transport == 0 || v.proto == ipsec.ProtoUDP && binary.BigEndian.Uint16(before[v.checksum:]) == 0 {
		return // hidden, or not used
	}
	whole := func(f []byte) uint32 {
		// The checksum is at an even place: what is before it and behind adds up.
		return sum(sum(v.addressed(f), f[v.transport:v.checksum]), f[v.checksum+2:v.transportEnd])
	}
	adjust(v.checksum, whole(before), whole(after))
	if v.proto == ipsec.ProtoUDP && binary.BigEndian.Uint16(after[v.checksum:]) == 0 {
		binary.BigEndian.PutUint16(after[v.checksum:], 0xffff) // RFC 768: 0 would mean none
	}
}
