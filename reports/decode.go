package reports

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// What protects a frame, as the reports name it.
const (
	classESP   = "ESP"
	classAH    = "AH"
	classIKE   = "IKE"
	classAlive = "keep-alive" // of NAT traversal
	classARP   = "ARP"
	classND    = "ND" // neighbour discovery of IPv6
	classClear = "clear"
	classOther = "other"
)

// decoded is what the reports say about one packet.
type decoded struct {
	class    string
	mac      string // of the sender, for frames
	src, dst string // IP addresses; "" for none
	proto    string // icmp, tcp, udp, esp …
	summary  string
	length   int    // bytes of the IP packet
	spi      uint32 // with classESP, in the first fragment
	sequence uint32
	later    bool   // a fragment that is not the first
	id       uint32 // the same in all fragments of a datagram
}

// decodeFrame decodes a frame of a link type.
func decodeFrame(data []byte, link pcapng.LinkType) decoded {
	if link == pcapng.LinkRaw {
		return decodeInner(data)
	}
	return decode(data, layers.LayerTypeEthernet)
}

// decodeInner decodes an IP packet that may have been cut.
func decodeInner(data []byte) decoded {
	if len(data) > 0 && data[0]>>4 == 6 {
		return decode(data, layers.LayerTypeIPv6)
	}
	return decode(data, layers.LayerTypeIPv4)
}

func decode(data []byte, first gopacket.LayerType) decoded {
	// Decoding of damaged bytes stops with an error layer; NewPacket recovers from panics.
	p := gopacket.NewPacket(data, first, gopacket.DecodeOptions{NoCopy: true})
	d := decoded{class: classOther, summary: fmt.Sprintf("%d bytes", len(data))}
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	if eth != nil {
		d.mac = eth.SrcMAC.String()
		d.summary = fmt.Sprintf("Ethernet type 0x%04x, %d bytes", uint16(eth.EthernetType), len(data))
	}
	if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
		d.class, d.proto, d.summary = classARP, "arp", arpSummary(arp)
		return d
	}
	ip, ok := ipLayer(p)
	if !ok {
		if e := p.ErrorLayer(); e != nil && (eth == nil || resolvable[eth.EthernetType]) {
			d.summary += ", cannot be decoded: " + e.Error().Error()
		}
		return d
	}
	d.class, d.length, d.id = classClear, ip.length, ip.id
	d.src, d.dst = ip.src, ip.dst
	known := false
	if d.proto, known = protocols[ip.proto]; !known {
		d.proto = fmt.Sprintf("protocol %d", uint8(ip.proto))
	}
	d.transport(p, ip)
	if e := p.ErrorLayer(); e != nil && known && !d.later {
		d.summary += ", cannot be decoded further: " + e.Error().Error()
	}
	if ip.offset != 0 || ip.more {
		d.summary += fmt.Sprintf(", fragment: %d bytes at %d", len(ip.payload), ip.offset)
		if ip.more {
			d.summary += ", more follow"
		}
	}
	return d
}

// resolvable are the EtherTypes that the reports know to decode.
var resolvable = map[layers.EthernetType]bool{layers.EthernetTypeIPv4: true, layers.EthernetTypeIPv6: true, layers.EthernetTypeARP: true}

// ipHeader is what the reports look at in an IP packet of either family.
type ipHeader struct {
	src, dst string
	proto    layers.IPProtocol // of the upper layer
	length   int               // of the packet, as its header says
	headers  int               // bytes before the upper layer
	payload  []byte            // the upper layer, or a part of it
	id       uint32
	offset   int // of a fragment, in bytes
	more     bool
}

func ipLayer(p gopacket.Packet) (ipHeader, bool) {
	if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
		return ipHeader{
			src: ip.SrcIP.String(), dst: ip.DstIP.String(), proto: ip.Protocol, length: int(ip.Length), headers: int(ip.IHL) * 4, payload: ip.Payload,
			id: uint32(ip.Id), offset: int(ip.FragOffset) * 8, more: ip.Flags&layers.IPv4MoreFragments != 0,
		}, true
	}
	ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	if !ok {
		return ipHeader{}, false
	}
	const header = 40 // RFC 8200, Section 3
	h := ipHeader{src: ip.SrcIP.String(), dst: ip.DstIP.String(), proto: ip.NextHeader, length: header + int(ip.Length), headers: header, payload: ip.Payload}
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.IPv6HopByHop:
			h.behind(l.NextHeader, l.BaseLayer)
		case *layers.IPv6Routing:
			h.behind(l.NextHeader, l.BaseLayer)
		case *layers.IPv6Destination:
			h.behind(l.NextHeader, l.BaseLayer)
		case *layers.IPv6Fragment:
			h.behind(l.NextHeader, l.BaseLayer)
			h.id, h.offset, h.more = l.Identification, int(l.FragmentOffset)*8, l.MoreFragments
		}
	}
	return h, true
}

// behind goes on behind an extension header.
func (h *ipHeader) behind(next layers.IPProtocol, l layers.BaseLayer) {
	h.proto, h.payload = next, l.Payload
	h.headers += len(l.Contents)
}

// protocols are the IP protocols that the reports call by name.
var protocols = map[layers.IPProtocol]string{
	layers.IPProtocolICMPv4: "icmp", layers.IPProtocolTCP: "tcp", layers.IPProtocolUDP: "udp",
	layers.IPProtocolESP: "esp", layers.IPProtocolAH: "ah", layers.IPProtocolICMPv6: "icmpv6",
}

// transport fills in what stands behind the IP headers.
func (d *decoded) transport(p gopacket.Packet, ip ipHeader) {
	ends := func(src, dst uint16) string {
		return fmt.Sprintf("%s → %s", net.JoinHostPort(d.src, fmt.Sprint(src)), net.JoinHostPort(d.dst, fmt.Sprint(dst)))
	}
	d.summary = fmt.Sprintf("%s %s → %s, %d bytes", d.proto, d.src, d.dst, d.length)
	d.later = ip.offset != 0
	switch ip.proto {
	case layers.IPProtocolESP:
		d.class = classESP
	case layers.IPProtocolAH:
		d.class = classAH
	}
	body := ip.payload
	if d.later || len(body) < 8 {
		return
	}
	switch ip.proto {
	case layers.IPProtocolESP: // RFC 4303, Section 2; gopacket stops before it in a fragment
		d.spi, d.sequence = binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
		d.summary = fmt.Sprintf("esp %s → %s, SPI %s, sequence %d, %d bytes", d.src, d.dst, spi(d.spi), d.sequence, d.length)
	case layers.IPProtocolICMPv4:
		if icmp, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok {
			d.summary = fmt.Sprintf("icmp %s → %s, %s", d.src, d.dst, icmpSummary(icmp))
		}
	case layers.IPProtocolICMPv6:
		if icmp, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok {
			d.icmpv6(p, icmp, body)
		}
	case layers.IPProtocolTCP:
		if tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
			n := d.length - ip.headers - int(tcp.DataOffset)*4
			d.summary = fmt.Sprintf("tcp %s [%s] seq %d ack %d, %d bytes of data", ends(uint16(tcp.SrcPort), uint16(tcp.DstPort)), tcpFlags(tcp), tcp.Seq, tcp.Ack, max(n, 0))
		}
	case layers.IPProtocolUDP:
		src, dst := binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
		d.summary = fmt.Sprintf("udp %s, %d bytes of data", ends(src, dst), max(int(binary.BigEndian.Uint16(body[4:]))-8, 0))
		switch kind, rest := onPortOfIKE(src, dst, body[8:]); kind {
		case natt.IKE:
			d.class = classIKE
			if s, ok := isakmpSummary(rest); ok {
				d.summary = fmt.Sprintf("IKE %s, %s", ends(src, dst), s)
			}
		case natt.ESP:
			d.class = classESP
			if len(rest) >= 8 {
				d.spi, d.sequence = binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])
				d.summary = fmt.Sprintf("esp in udp %s, SPI %s, sequence %d, %d bytes", ends(src, dst), spi(d.spi), d.sequence, d.length)
			}
		case natt.KeepAlive:
			d.class, d.summary = classAlive, "NAT keep-alive "+ends(src, dst)
		}
	}
}

// onPortOfIKE tells what shares the ports of IKE apart. No message of IKE begins with
// eight zeros, so that on port 500 too ESP can be told.
func onPortOfIKE(src, dst uint16, payload []byte) (natt.Kind, []byte) {
	switch {
	case src == natt.Port || dst == natt.Port:
		return natt.Read(natt.NonESP, payload)
	case src == 500 || dst == 500:
		return natt.Read(natt.NonIKE, payload)
	}
	return natt.Nothing, nil
}

func arpSummary(a *layers.ARP) string {
	ip := func(b []byte) string {
		if len(b) != 4 {
			return "?"
		}
		return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3])
	}
	if a.Operation == layers.ARPRequest {
		return fmt.Sprintf("who has %s? tell %s", ip(a.DstProtAddress), ip(a.SourceProtAddress))
	}
	return fmt.Sprintf("%s is at %x", ip(a.SourceProtAddress), a.SourceHwAddress)
}

func icmpSummary(m *layers.ICMPv4) string {
	switch m.TypeCode.Type() {
	case layers.ICMPv4TypeEchoRequest:
		return fmt.Sprintf("echo request %d/%d", m.Id, m.Seq)
	case layers.ICMPv4TypeEchoReply:
		return fmt.Sprintf("echo reply %d/%d", m.Id, m.Seq)
	case layers.ICMPv4TypeDestinationUnreachable:
		if m.TypeCode.Code() == layers.ICMPv4CodeFragmentationNeeded {
			return fmt.Sprintf("fragmentation needed, next MTU %d", m.Seq) // RFC 1191, Section 4
		}
	}
	return m.TypeCode.String()
}

// icmpv6 fills in what an ICMPv6 message says: RFC 4443 and RFC 4861, Section 4.
func (d *decoded) icmpv6(p gopacket.Packet, m *layers.ICMPv6, body []byte) {
	text := m.TypeCode.String()
	switch m.TypeCode.Type() {
	case layers.ICMPv6TypeEchoRequest:
		text = fmt.Sprintf("echo request %d/%d", binary.BigEndian.Uint16(body[4:]), binary.BigEndian.Uint16(body[6:]))
	case layers.ICMPv6TypeEchoReply:
		text = fmt.Sprintf("echo reply %d/%d", binary.BigEndian.Uint16(body[4:]), binary.BigEndian.Uint16(body[6:]))
	case layers.ICMPv6TypePacketTooBig:
		text = fmt.Sprintf("packet too big, next MTU %d", binary.BigEndian.Uint32(body[4:]))
	case layers.ICMPv6TypeNeighborSolicitation:
		if s, ok := p.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation); ok {
			d.class, d.summary = classND, fmt.Sprintf("who has %s? tell %s", s.TargetAddress, d.src)
			return
		}
	case layers.ICMPv6TypeNeighborAdvertisement:
		if a, ok := p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement); ok {
			d.class, d.summary = classND, fmt.Sprintf("%s is at %s", a.TargetAddress, strings.ReplaceAll(d.mac, ":", ""))
			return
		}
	}
	d.summary = fmt.Sprintf("icmpv6 %s → %s, %s", d.src, d.dst, text)
}

func tcpFlags(t *layers.TCP) string {
	var names []string
	for _, f := range []struct {
		set  bool
		name string
	}{{t.SYN, "SYN"}, {t.ACK, "ACK"}, {t.PSH, "PSH"}, {t.FIN, "FIN"}, {t.RST, "RST"}, {t.URG, "URG"}} {
		if f.set {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, " ")
}

// isakmpSummary reads the ISAKMP header, RFC 2408, Section 3.1.
func isakmpSummary(b []byte) (string, bool) {
	if len(b) < 28 {
		return "", false
	}
	exchange := map[byte]string{ // RFC 2408, Section 3.1 and RFC 2409, Appendix A
		2: "main mode", 4: "aggressive mode", 5: "informational", 6: "transaction", 32: "quick mode", 33: "new group mode",
		34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL",
	}[b[18]]
	if exchange == "" {
		exchange = fmt.Sprintf("exchange %d", b[18])
	}
	s := fmt.Sprintf("%s, message id 0x%08x, %d bytes", exchange, binary.BigEndian.Uint32(b[20:]), binary.BigEndian.Uint32(b[24:]))
	if b[17] == 0x10 && b[19]&1 != 0 {
		s += ", encrypted"
	}
	return s, true
}
