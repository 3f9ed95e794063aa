package esp

import (
	"encoding/binary"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// datagram is a valid IPv4 or IPv6 packet, cut to its length.
//
// Options of IPv4 are part of the header. Extension headers of IPv6 stand before
// or behind the place of ESP and AH (RFC 4303 and RFC 4302, Section 3.1.1): in
// front of the payload are those that nodes on the way look at, hop-by-hop
// options, routing and fragment header with the destination options before them;
// destination options for the end alone are payload, as they are better protected.
type datagram struct {
	b         []byte
	headerLen int    // of what stands in front of the payload
	nextAt    int    // of the byte there that names the payload's protocol
	upperAt   int    // of the upper-layer header
	upper     uint8  // the upper-layer protocol; ipsec.ProtoAny where a fragment hides it
	part      uint16 // offset in units of eight bytes, and moreFragments
}

// moreFragments is the flag of that name in datagram.part; its place is that of IPv4.
const moreFragments = 0x2000

// malformed is why a packet is no valid datagram; empty for one that is.
type malformed string

func (m malformed) Error() string { return "esp: " + string(m) }

// parse checks what the rest relies on: version, lengths, and that all IPv6
// extension headers are there. Bytes behind the length that the header gives
// (padding of short Ethernet frames) are cut off.
//
// A datagram is filled and passed by reference: it is too large for registers,
// and copies of what was just written stall the processor.
func (d *datagram) parse(b []byte) malformed {
	switch {
	case len(b) == 0:
		return "packet is empty"
	case b[0]>>4 == 4:
		return d.parseIPv4(b)
	case b[0]>>4 == 6:
		return d.parseIPv6(b)
	}
	return "packet is neither IPv4 nor IPv6"
}

func (d *datagram) v6() bool { return d.b[0]>>4 == 6 }

func (d *datagram) src() netip.Addr {
	if d.v6() {
		return netip.AddrFrom16([16]byte(d.b[8:24]))
	}
	return netip.AddrFrom4([4]byte(d.b[12:16]))
}

func (d *datagram) dst() netip.Addr {
	if d.v6() {
		return netip.AddrFrom16([16]byte(d.b[24:40]))
	}
	return netip.AddrFrom4([4]byte(d.b[16:20]))
}

// proto is the protocol of the payload: with IPv6 perhaps that of another extension header.
func (d *datagram) proto() uint8 { return d.b[d.nextAt] }

func (d *datagram) payload() []byte { return d.b[d.headerLen:] }

// staysWhole reports whether a datagram's sender fits it to the path MTU and wants
// to hear when it does not fit. IPv4 says so with DF. IPv6 has no such flag: its
// senders fragment what is longer than the path, and here datagrams are seen before
// that. TCP alone cuts its segments to fit; so that it is told, and what others
// send is fragmented once it is protected. What every link can carry is never
// refused (RFC 8200, Section 5).
func (d *datagram) staysWhole() bool {
	if d.v6() {
		return d.upper == ipsec.ProtoTCP && len(d.b) > minIPv6Path
	}
	return d.b[6]&0x40 != 0
}

// fragment reports whether the packet is only a part of a datagram.
func (d *datagram) fragment() bool { return d.part != 0 }

// offset is the fragment offset in bytes.
func (d *datagram) offset() int { return int(d.part&^moreFragments) * 8 }

// trafficClass is the TOS of IPv4 and the traffic class of IPv6: DSCP and ECN
// (RFC 2474, Section 3; RFC 3168, Section 5).
func (d *datagram) trafficClass() uint8 {
	if d.v6() {
		return d.b[0]<<4 | d.b[1]>>4
	}
	return d.b[1]
}

func (d *datagram) setTrafficClass(class uint8) {
	if d.v6() {
		d.b[0], d.b[1] = 0x60|class>>4, class<<4|d.b[1]&15
		return
	}
	d.b[1] = class
}

// finish makes a valid datagram of one whose content is in its place: its header is
// that of from, which may overlap it or be its own, but for lengths, checksum and
// what the payload is.
func (d *datagram) finish(from []byte, proto uint8) {
	if from[0]>>4 == 4 {
		finishIPv4(d.b, from, d.headerLen, proto)
		return
	}
	copy(d.b, from[:d.headerLen])
	d.b[d.nextAt] = proto
	binary.BigEndian.PutUint16(d.b[4:], uint16(len(d.b)-ipv6Header))
}

// headerOf is the length of a header without options towards an address.
func headerOf(a netip.Addr) int {
	if a.Is4() {
		return minHeader
	}
	return ipv6Header
}

// maxSize is the length of the largest datagram towards an address.
func maxSize(a netip.Addr) int {
	if a.Is4() {
		return maxDatagram
	}
	return maxIPv6
}
