package observe

import (
	"encoding/binary"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// packet is an IP packet as an observer reads it.
type packet struct {
	src, dst netip.Addr
	proto    uint8 // of the upper layer; of a fragment, as far as it says it
	class    uint8 // type of service or traffic class: the DSCP and, in the last two bits, ECN
	length   int   // of the whole packet
	body     []byte

	fragment bool // a part of a datagram
	offset   int  // of the part
	more     bool // fragments follow
	id       uint32
	bytes    []byte
	v6       ipv6.Packet

	seen Count // what is counted for it: itself, what it was in, or its fragments
}

// Sizes in bytes. RFC 791, RFC 768, RFC 9293, RFC 4302, RFC 4303, RFC 792.
const (
	ipv4Header = 20
	udpHeader  = 8
	tcpHeader  = 20
	ahFixed    = 12
	espHeader  = 8
	icmpHeader = 8
)

// Numbers of protocols beside those of package ipsec. RFC 2003, RFC 2473.
const (
	protoIPv4 = 4
	protoIPv6 = 41
)

// parse reads the headers of IP; false for what is no IP packet. A checksum is not looked at.
func parse(b []byte) (packet, bool) {
	if len(b) == 0 {
		return packet{}, false
	}
	switch b[0] >> 4 {
	case 4:
		return parse4(b)
	case 6:
		return parse6(b)
	}
	return packet{}, false
}

func parse4(b []byte) (packet, bool) {
	if len(b) < ipv4Header {
		return packet{}, false
	}
	header, length := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4Header || length < header || length > len(b) {
		return packet{}, false
	}
	flags := binary.BigEndian.Uint16(b[6:])
	p := packet{
		src: netip.AddrFrom4([4]byte(b[12:])), dst: netip.AddrFrom4([4]byte(b[16:])), proto: b[9], class: b[1], length: length,
		body: b[header:length], bytes: b[:length],
		offset: int(flags&0x1fff) * 8, more: flags&0x2000 != 0, id: uint32(binary.BigEndian.Uint16(b[4:])),
	}
	p.fragment = p.offset > 0 || p.more
	return p, true
}

func parse6(b []byte) (packet, bool) {
	v, err := ipv6.Parse(b)
	if err != nil {
		return packet{}, false
	}
	return packet{
		src: v.Src(), dst: v.Dst(), proto: v.Proto, class: v.TrafficClass(), length: len(v.Bytes), body: v.Payload(),
		fragment: v.IsFragment(), offset: v.Offset(), more: v.More(), id: v.ID(), bytes: v.Bytes, v6: v,
	}, true
}

// flow is the 5-tuple; without ports where the protocol has none, or where what has
// them is not there.
func (p *packet) flow() ipsec.Flow {
	f := ipsec.Flow{Src: p.src, Dst: p.dst, Proto: p.proto, Fragment: p.offset > 0}
	if ipsec.HasPorts(p.proto) && p.offset == 0 && len(p.body) >= 4 {
		f.SrcPort, f.DstPort = binary.BigEndian.Uint16(p.body), binary.BigEndian.Uint16(p.body[2:])
	}
	return f
}

// within is a packet with the same addresses, for what stands behind AH or in ESP.
func (p *packet) within(proto uint8, body []byte) packet {
	return packet{src: p.src, dst: p.dst, proto: proto, class: p.class, length: p.length, body: body, seen: p.seen}
}

// ah takes the Authentication Header off: RFC 4302, Section 2. Its length is in words
// of 32 bits, less 2, in IPv6 too.
func (p *packet) ah() (inner packet, ok bool) {
	if len(p.body) < ahFixed {
		return packet{}, false
	}
	n := 4 * (int(p.body[1]) + 2)
	if n < ahFixed || n > len(p.body) {
		return packet{}, false
	}
	return p.within(p.body[0], p.body[n:]), true
}
