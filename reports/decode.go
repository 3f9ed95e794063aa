package reports

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// What protects a frame, as the reports name it.
const (
	classESP   = "ESP"
	classAH    = "AH"
	classIKE   = "IKE"
	classARP   = "ARP"
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
	id       uint16 // of the IP packet, the same in all its fragments
}

// decodeFrame decodes an Ethernet frame.
func decodeFrame(data []byte) decoded { return decode(data, layers.LayerTypeEthernet) }

// decodeInner decodes an IPv4 packet that may have been cut.
func decodeInner(data []byte) decoded { return decode(data, layers.LayerTypeIPv4) }

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
	ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if !ok {
		if e := p.ErrorLayer(); e != nil && (eth == nil || eth.EthernetType == layers.EthernetTypeIPv4 || eth.EthernetType == layers.EthernetTypeARP) {
			d.summary += ", cannot be decoded: " + e.Error().Error()
		}
		return d
	}
	d.class, d.length, d.id = classClear, int(ip.Length), ip.Id
	d.src, d.dst = ip.SrcIP.String(), ip.DstIP.String()
	known := false
	if d.proto, known = protocols[ip.Protocol]; !known {
		d.proto = fmt.Sprintf("protocol %d", uint8(ip.Protocol))
	}
	d.transport(p, ip)
	if e := p.ErrorLayer(); e != nil && known && !d.later {
		d.summary += ", cannot be decoded further: " + e.Error().Error()
	}
	if ip.FragOffset != 0 || ip.Flags&layers.IPv4MoreFragments != 0 {
		d.summary += fmt.Sprintf(", fragment: %d bytes at %d", len(ip.Payload), int(ip.FragOffset)*8)
		if ip.Flags&layers.IPv4MoreFragments != 0 {
			d.summary += ", more follow"
		}
	}
	return d
}

// protocols are the IP protocols that the reports call by name.
var protocols = map[layers.IPProtocol]string{
	layers.IPProtocolICMPv4: "icmp", layers.IPProtocolTCP: "tcp", layers.IPProtocolUDP: "udp",
	layers.IPProtocolESP: "esp", layers.IPProtocolAH: "ah",
}

// transport fills in what stands behind the IP header.
func (d *decoded) transport(p gopacket.Packet, ip *layers.IPv4) {
	ends := func(src, dst uint16) string {
		return fmt.Sprintf("%s:%d → %s:%d", d.src, src, d.dst, dst)
	}
	d.summary = fmt.Sprintf("%s %s → %s, %d bytes", d.proto, d.src, d.dst, d.length)
	d.later = ip.FragOffset != 0
	switch ip.Protocol {
	case layers.IPProtocolESP:
		d.class = classESP
	case layers.IPProtocolAH:
		d.class = classAH
	}
	body := ip.Payload
	if d.later || len(body) < 8 {
		return
	}
	switch ip.Protocol {
	case layers.IPProtocolESP: // RFC 4303, Section 2; gopacket stops before it in a fragment
		d.spi, d.sequence = binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
		d.summary = fmt.Sprintf("esp %s → %s, SPI %s, sequence %d, %d bytes", d.src, d.dst, spi(d.spi), d.sequence, d.length)
	case layers.IPProtocolICMPv4:
		if icmp, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok {
			d.summary = fmt.Sprintf("icmp %s → %s, %s", d.src, d.dst, icmpSummary(icmp))
		}
	case layers.IPProtocolTCP:
		if tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
			n := d.length - int(ip.IHL)*4 - int(tcp.DataOffset)*4
			d.summary = fmt.Sprintf("tcp %s [%s] seq %d ack %d, %d bytes of data", ends(uint16(tcp.SrcPort), uint16(tcp.DstPort)), tcpFlags(tcp), tcp.Seq, tcp.Ack, max(n, 0))
		}
	case layers.IPProtocolUDP:
		src, dst := binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
		d.summary = fmt.Sprintf("udp %s, %d bytes of data", ends(src, dst), max(int(binary.BigEndian.Uint16(body[4:]))-8, 0))
		if src == 500 || dst == 500 {
			d.class = classIKE
			if s, ok := isakmpSummary(body[8:]); ok {
				d.summary = fmt.Sprintf("IKE %s, %s", ends(src, dst), s)
			}
		}
	}
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
		2: "main mode", 4: "aggressive mode", 5: "informational", 32: "quick mode",
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
