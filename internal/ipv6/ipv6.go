// Package ipv6 reads IPv6 packets: the fixed header and the extension headers
// up to the upper layer (RFC 8200, Sections 3 and 4). It also does what a source
// and a destination do to datagrams in fragments (Section 4.5), and knows the
// addresses that follow from others.
//
// ESP and AH count as upper layers here: what stands behind them is for who has
// the keys, and policies name them as protocols.
package ipv6

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Sizes in bytes. RFC 8200, Sections 3, 4.5 and 5.
const (
	HeaderLen         = 40
	FragmentHeaderLen = 8
	MinMTU            = 1280  // that every link carries
	MaxPayload        = 65535 // behind the fixed header
	fragmentUnit      = 8     // what fragment offsets count in
)

// Numbers of headers, in the registry of IP protocols. RFC 8200, Section 4 and RFC 4443, Section 1.
const (
	HopByHop           uint8 = 0
	Routing            uint8 = 43
	Fragment           uint8 = 44
	ICMP               uint8 = 58
	NoNext             uint8 = 59
	DestinationOptions uint8 = 60
)

// EtherType is the number of IPv6 in Ethernet frames. RFC 2464, Section 3.
const EtherType = 0x86dd

// Packet is a packet whose headers have been read.
type Packet struct {
	Bytes []byte // cut to the length that its header gives
	Proto uint8  // of the upper layer; in a fragment but the first, what the fragment header says follows
	At    int    // where that begins in Bytes

	field      int // where the number Proto stands
	routing    int // where the routing header stands; 0: there is none
	fragment   int // where the fragment header stands; 0: there is none
	split      int // where the part ends that each fragment repeats
	splitField int // where the number of the header behind that part stands
}

// Why a packet cannot be read.
var (
	ErrShort   = errors.New("ipv6: shorter than its headers or its length")
	ErrVersion = errors.New("ipv6: the version is not 6")
	ErrOrder   = errors.New("ipv6: a Hop-by-Hop Options header that is not the first")
)

// Parse reads a whole packet. What lies behind its length, such as the padding
// of a frame, is cut off.
func Parse(b []byte) (Packet, error) {
	if len(b) < HeaderLen {
		return Packet{}, ErrShort
	}
	n := HeaderLen + int(binary.BigEndian.Uint16(b[4:]))
	if n > len(b) {
		return Packet{}, ErrShort
	}
	return ParseStart(b[:n])
}

// ParseStart reads a packet that may have been cut behind its headers, as ICMPv6
// errors quote it (RFC 4443, Section 2.4(c)). It does not look at the length.
func ParseStart(b []byte) (Packet, error) {
	switch {
	case len(b) < HeaderLen:
		return Packet{}, ErrShort
	case b[0]>>4 != 6:
		return Packet{}, ErrVersion
	}
	p := Packet{Bytes: b, Proto: b[6], At: HeaderLen, field: 6, split: HeaderLen, splitField: 6}
	for {
		size := 0
		switch p.Proto {
		case HopByHop, Routing, DestinationOptions:
			if p.Proto == HopByHop && p.At != HeaderLen {
				return Packet{}, ErrOrder // RFC 8200, Section 4.1
			}
			if len(b) < p.At+8 {
				return Packet{}, ErrShort
			}
			size = 8 + 8*int(b[p.At+1])
		case Fragment:
			if len(b) < p.At+FragmentHeaderLen {
				return Packet{}, ErrShort
			}
			size, p.fragment = FragmentHeaderLen, p.At
		default:
			return p, nil
		}
		if len(b) < p.At+size {
			return Packet{}, ErrShort
		}
		kind, at := p.Proto, p.At
		p.field, p.Proto, p.At = at, b[at], at+size
		if kind == Routing {
			p.routing = at
		}
		// The headers up to the Routing header, or else the Hop-by-Hop Options, are for each node on the way.
		if p.fragment == 0 && (kind == HopByHop || kind == Routing) {
			p.split, p.splitField = p.At, p.field
		}
		if kind == Fragment && p.Offset() > 0 {
			return p, nil // the rest is data
		}
	}
}

// Src is the source address.
func (p Packet) Src() netip.Addr { return netip.AddrFrom16([16]byte(p.Bytes[8:24])) }

// Dst is the destination address.
func (p Packet) Dst() netip.Addr { return netip.AddrFrom16([16]byte(p.Bytes[24:40])) }

// HopLimit is how many more nodes may forward the packet.
func (p Packet) HopLimit() uint8 { return p.Bytes[7] }

// TrafficClass is the Traffic Class field.
func (p Packet) TrafficClass() uint8 { return p.Bytes[0]<<4 | p.Bytes[1]>>4 }

// ProtoField is where the number of the upper layer stands, as ICMPv6 parameter
// problems point to it (RFC 4443, Section 3.4).
func (p Packet) ProtoField() int { return p.field }

// RouteLeft reports whether a routing header names nodes that the packet has yet to
// visit, and where its type stands. RFC 8200, Section 4.4.
func (p Packet) RouteLeft() (typeField int, left bool) {
	if p.routing == 0 {
		return 0, false
	}
	return p.routing + 2, p.Bytes[p.routing+3] > 0
}

// Payload is the upper layer.
func (p Packet) Payload() []byte { return p.Bytes[p.At:] }

// HasFragmentHeader reports whether there is a fragment header, be it that of a
// whole datagram (an atomic fragment, RFC 6946).
func (p Packet) HasFragmentHeader() bool { return p.fragment > 0 }

// IsFragment reports whether the packet is only a part of a datagram.
func (p Packet) IsFragment() bool { return p.Offset() > 0 || p.More() }

// Offset is where the data of a fragment belong, in bytes; 0 without a fragment header.
func (p Packet) Offset() int {
	if p.fragment == 0 {
		return 0
	}
	return int(binary.BigEndian.Uint16(p.Bytes[p.fragment+2:])>>3) * fragmentUnit
}

// More reports whether fragments follow this one.
func (p Packet) More() bool { return p.fragment > 0 && p.Bytes[p.fragment+3]&1 != 0 }

// ID is the identification in the fragment header, the same in all fragments of a datagram; 0 without one.
func (p Packet) ID() uint32 {
	if p.fragment == 0 {
		return 0
	}
	return binary.BigEndian.Uint32(p.Bytes[p.fragment+4:])
}

// FragmentData is what a fragment holds of the datagram, headers behind the fragment header included.
func (p Packet) FragmentData() []byte { return p.Bytes[p.fragment+FragmentHeaderLen:] }
