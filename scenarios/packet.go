package scenarios

import (
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/sim"
)

// packetDecoder reads IP packets with gopacket.
type packetDecoder struct {
	eth  layers.Ethernet
	ip4  layers.IPv4
	ip6  layers.IPv6
	skip layers.IPv6ExtensionSkipper
}

// decoded is what the lab's observers look at in a frame.
type decoded struct {
	flow     ipsec.Flow
	id       uint32
	fragment bool   // a part of a datagram, the first or another
	spi      uint32 // of the outer of AH and ESP
	esp      bool   // ESP stands behind AH
	espSPI   uint32
	length   int       // of the IP packet
	payload  []byte    // of UDP, without the marker of a port of IKE
	udp      natt.Kind // what it is, on a port of IKE
	body     []byte    // of a whole datagram or a first fragment: all behind the IP headers
	tcpFlags uint8
	icmpID   uint16 // of echoes
	resolves bool   // neighbour discovery
}

// decode is false for a frame that is no IP, or broken.
func (d *packetDecoder) decode(f sim.Frame) (decoded, bool) {
	packet, kind, ok := d.inside(f)
	if !ok {
		return decoded{}, false
	}
	switch kind {
	case layers.EthernetTypeIPv4:
		return d.decode4(packet)
	case layers.EthernetTypeIPv6:
		return d.decode6(packet)
	}
	return decoded{}, false
}

// inside is what a frame carries.
func (d *packetDecoder) inside(f sim.Frame) (packet []byte, kind layers.EthernetType, ok bool) {
	if f.Medium == sim.PointToPoint { // no header says what it is: RFC 791, Section 3.1 and RFC 8200, Section 3
		switch {
		case len(f.Data) == 0:
			return nil, 0, false
		case f.Data[0]>>4 == 4:
			kind = layers.EthernetTypeIPv4
		case f.Data[0]>>4 == 6:
			kind = layers.EthernetTypeIPv6
		}
		return f.Data, kind, true
	}
	d.eth.EthernetType = 0
	if d.eth.DecodeFromBytes(f.Data, gopacket.NilDecodeFeedback) != nil {
		return nil, 0, false
	}
	return d.eth.Payload, d.eth.EthernetType, true
}

func (d *packetDecoder) decode4(packet []byte) (decoded, bool) {
	if d.ip4.DecodeFromBytes(packet, gopacket.NilDecodeFeedback) != nil {
		return decoded{}, false
	}
	src, _ := netip.AddrFromSlice(d.ip4.SrcIP.To4())
	dst, _ := netip.AddrFromSlice(d.ip4.DstIP.To4())
	p := decoded{
		flow:     ipsec.Flow{Src: src, Dst: dst, Proto: uint8(d.ip4.Protocol), Fragment: d.ip4.FragOffset != 0},
		id:       uint32(d.ip4.Id),
		length:   int(d.ip4.Length),
		fragment: d.ip4.FragOffset != 0 || d.ip4.Flags&layers.IPv4MoreFragments != 0,
	}
	p.upper(d.ip4.Payload)
	return p, true
}

func (d *packetDecoder) decode6(packet []byte) (decoded, bool) {
	if d.ip6.DecodeFromBytes(packet, gopacket.NilDecodeFeedback) != nil {
		return decoded{}, false
	}
	src, _ := netip.AddrFromSlice(d.ip6.SrcIP)
	dst, _ := netip.AddrFromSlice(d.ip6.DstIP)
	const header = 40
	p := decoded{flow: ipsec.Flow{Src: src, Dst: dst}, length: header + int(d.ip6.Length)}
	if p.length > len(packet) {
		return decoded{}, false
	}
	next, body := d.ip6.NextHeader, packet[header:p.length]
	for {
		switch next {
		case layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Routing, layers.IPProtocolIPv6Destination:
			if d.skip.DecodeFromBytes(body, gopacket.NilDecodeFeedback) != nil {
				return decoded{}, false
			}
			next, body = d.skip.NextHeader, d.skip.Payload
			continue
		case layers.IPProtocolIPv6Fragment: // RFC 8200, Section 4.5
			if len(body) < 8 {
				return decoded{}, false
			}
			offset := be16(body[2:])
			p.id = uint32(be16(body[4:]))<<16 | uint32(be16(body[6:]))
			p.flow.Fragment, p.fragment = offset&^7 != 0, offset&^6 != 0
			next, body = layers.IPProtocol(body[0]), body[8:]
			if !p.flow.Fragment {
				continue
			}
		}
		p.flow.Proto = uint8(next)
		p.upper(body)
		p.resolves = next == layers.IPProtocolICMPv6 && !p.fragment && d.ip6.HopLimit == 255 &&
			p.flow.ICMPType >= layers.ICMPv6TypeRouterSolicitation && p.flow.ICMPType <= layers.ICMPv6TypeRedirect
		return p, true
	}
}

// upper reads the upper layer of a whole datagram or a first fragment.
func (p *decoded) upper(body []byte) {
	if p.flow.Fragment {
		return
	}
	p.body = body
	switch layers.IPProtocol(p.flow.Proto) {
	case layers.IPProtocolTCP, layers.IPProtocolUDP:
		if len(body) >= 4 {
			p.flow.SrcPort, p.flow.DstPort = be16(body), be16(body[2:])
		}
		if len(body) >= 8 && layers.IPProtocol(p.flow.Proto) == layers.IPProtocolUDP {
			p.payload = body[8:]
			p.onPortOfIKE()
		}
		if len(body) > 13 && layers.IPProtocol(p.flow.Proto) == layers.IPProtocolTCP {
			p.tcpFlags = body[13] // RFC 793, Section 3.1
		}
	case layers.IPProtocolICMPv4, layers.IPProtocolICMPv6:
		if len(body) > 0 {
			p.flow.ICMPType = body[0]
		}
		if len(body) >= 8 {
			p.icmpID = be16(body[4:]) // RFC 792
		}
	case layers.IPProtocolESP:
		if len(body) >= 4 {
			p.spi = uint32(be16(body))<<16 | uint32(be16(body[2:]))
		}
	case layers.IPProtocolAH: // RFC 4302, Section 2
		if len(body) >= 8 {
			p.spi = uint32(be16(body[4:]))<<16 | uint32(be16(body[6:]))
			p.esp = layers.IPProtocol(body[0]) == layers.IPProtocolESP
			// The length of AH is in words of 32 bits, less 2: Section 2.2.
			if n := 4 * (int(body[1]) + 2); p.esp && len(body) >= n+4 {
				p.espSPI = uint32(be16(body[n:]))<<16 | uint32(be16(body[n+2:]))
			}
		}
	}
}

// resolves reports whether a frame resolves addresses: by ARP (RFC 826), or by
// neighbour discovery (RFC 4861).
func (d *packetDecoder) resolves(f sim.Frame) bool {
	_, kind, ok := d.inside(f)
	if ok && kind == layers.EthernetTypeIPv6 {
		p, ok := d.decode(f)
		return ok && p.resolves
	}
	return ok && kind == layers.EthernetTypeARP
}

// soughtIn is the address that a frame asks for: the target protocol address of an ARP
// request (RFC 826), or the target of a neighbour solicitation (RFC 4861, Section 4.3).
func (d *packetDecoder) soughtIn(f sim.Frame) (addr netip.Addr, ok bool) {
	body, kind, ok := d.inside(f)
	switch {
	case ok && kind == layers.EthernetTypeARP:
		const request, arp = 1, 28
		if len(body) < arp || be16(body[6:]) != request {
			return addr, false
		}
		return netip.AddrFrom4([4]byte(body[24:28])), true
	case ok && kind == layers.EthernetTypeIPv6:
		const header, solicitation = 40, 24
		if len(body) < header+solicitation || body[6] != ipsec.ProtoICMPv6 || body[header] != layers.ICMPv6TypeNeighborSolicitation {
			return addr, false
		}
		return netip.AddrFrom16([16]byte(body[header+8 : header+24])), true
	}
	return addr, false
}

// onPortOfIKE tells IKE, ESP and keep-alives apart, which share its ports. No message of
// IKE begins with eight zeros, so that on port 500 too all of them can be told.
func (p *decoded) onPortOfIKE() {
	switch {
	case p.flow.SrcPort == natt.Port || p.flow.DstPort == natt.Port:
		p.udp, p.payload = natt.Read(natt.NonESP, p.payload)
	case p.flow.SrcPort == isakmpPort || p.flow.DstPort == isakmpPort:
		p.udp, p.payload = natt.Read(natt.NonIKE, p.payload)
	}
	if p.udp == natt.ESP && len(p.payload) >= 4 {
		p.spi = uint32(be16(p.payload))<<16 | uint32(be16(p.payload[2:]))
	}
}

// isakmpPort is UDP port 500, RFC 2408, Section 2.5.1.
const isakmpPort = 500

// encapsulated reports ESP in UDP.
func (p decoded) encapsulated() bool { return p.udp == natt.ESP }

// protected reports whether the packet calls itself ESP or AH.
func (p decoded) protected() bool {
	return p.flow.Proto == ipsec.ProtoESP || p.flow.Proto == ipsec.ProtoAH || p.encapsulated()
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }
