package firewall

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// Protocols of IP, IANA's numbers.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoESP    = 50
	protoAH     = 51
	protoICMPv6 = 58
)

// Flags of TCP. RFC 9293, Section 3.1.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// Packet is what a firewall reads of an IP packet.
type Packet struct {
	Src, Dst netip.Addr
	Proto    uint8
	ID       uint32 // of the datagram that it is a fragment of

	Fragment bool // a part of a datagram
	Later    bool // not the first one: no header of the upper layer is in it
	Offset   int  // of a fragment in its datagram, in bytes
	Tiny     bool // the header of the upper layer ends before what a firewall reads of it

	SrcPort, DstPort uint16 // of TCP and UDP
	Flags            uint8  // of TCP
	ICMPType         uint8
	ICMPCode         uint8

	Payload []byte // of the upper layer, from its header on
}

// Read reads a packet. ok is false for what is no IP packet.
func Read(b []byte) (p Packet, ok bool) { return read(b, ipv6.Parse) }

// read finds the upper layer. parse is for IPv6: of whole packets, or of what an ICMP error quotes.
func read(b []byte, parse func([]byte) (ipv6.Packet, error)) (p Packet, ok bool) {
	if len(b) > 0 && b[0]>>4 == 6 {
		six, err := parse(b)
		if err != nil {
			return Packet{}, false
		}
		p = Packet{
			Src: six.Src(), Dst: six.Dst(), Proto: six.Proto, ID: six.ID(),
			Fragment: six.IsFragment(), Later: six.Offset() > 0, Offset: six.Offset(), Payload: six.Payload(),
		}
		p.upper()
		return p, true
	}
	const header = 20 // RFC 791, Section 3.1
	if len(b) < header || b[0]>>4 != 4 {
		return Packet{}, false
	}
	at, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	if at < header || at > len(b) || total < at {
		return Packet{}, false
	}
	where := binary.BigEndian.Uint16(b[6:])
	p = Packet{
		Src: netip.AddrFrom4([4]byte(b[12:16])), Dst: netip.AddrFrom4([4]byte(b[16:20])), Proto: b[9],
		ID: uint32(binary.BigEndian.Uint16(b[4:])), Fragment: where&0x3fff != 0, Later: where&0x1fff != 0,
		Offset:  int(where&0x1fff) * 8,
		Payload: b[at:min(total, len(b))],
	}
	p.upper()
	return p, true
}

// upper reads the header of the upper layer.
func (p *Packet) upper() {
	if p.Later {
		return
	}
	b := p.Payload
	switch p.Proto {
	case protoTCP:
		const header = 20
		if len(b) >= 4 {
			p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		}
		if p.Tiny = len(b) < header; !p.Tiny {
			p.Flags = b[13]
		}
	case protoUDP:
		if p.Tiny = len(b) < 8; !p.Tiny {
			p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		}
	case protoICMP, protoICMPv6:
		if p.Tiny = len(b) < 8; !p.Tiny {
			p.ICMPType, p.ICMPCode = b[0], b[1]
		}
	}
}

// quoted is the packet that an ICMP error is about; false for all others. Of TCP eight
// bytes of the header may be all that is there (RFC 792).
func (p Packet) quoted() (q Packet, ok bool) {
	if p.Tiny || p.Later || !p.icmpError() {
		return Packet{}, false
	}
	q, ok = read(p.Payload[8:], ipv6.ParseStart)
	if !ok || q.Later {
		return Packet{}, false
	}
	if enough := len(q.Payload) >= 8; q.Tiny && !(enough && q.Proto == protoTCP) {
		return Packet{}, false
	}
	return q, true
}

// icmpError reports a message about another packet. RFC 792; RFC 4443, Section 2.1.
func (p Packet) icmpError() bool {
	switch p.Proto {
	case protoICMP:
		switch p.ICMPType {
		case 3, 4, 5, 11, 12: // unreachable, source quench, redirect, time exceeded, parameter problem
			return true
		}
	case protoICMPv6:
		return p.ICMPType < 128
	}
	return false
}

// query reports an ICMP request or its answer, and the type of the request. RFC 792,
// RFC 950 and RFC 4443, Section 4.
func (p Packet) query() (request uint8, answer, ok bool) {
	switch p.Proto {
	case protoICMP:
		switch t := p.ICMPType; t {
		case 8, 13, 15, 17: // echo, timestamp, information, address mask
			return t, false, true
		case 0:
			return 8, true, true
		case 14, 16, 18:
			return t - 1, true, true
		}
	case protoICMPv6:
		switch p.ICMPType {
		case 128:
			return 128, false, true
		case 129:
			return 128, true, true
		}
	}
	return 0, false, false
}

// protoNames are for reasons, the words of the rest of the trace.
var protoNames = map[uint8]string{
	protoICMP: "icmp", protoTCP: "tcp", protoUDP: "udp", protoESP: "esp", protoAH: "ah", protoICMPv6: "icmpv6",
}

// ProtocolName is the name of a protocol of IP, or its number.
func ProtocolName(p uint8) string {
	if name := protoNames[p]; name != "" {
		return name
	}
	return fmt.Sprint(p)
}
