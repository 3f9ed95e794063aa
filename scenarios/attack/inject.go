package attack

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Packet is one to be made. Lengths and checksums are right.
type Packet struct {
	Segment string
	To      string     // the node there that gets the frame
	Src     netip.Addr // of the family of Dst
	Dst     netip.Addr
	TTL     uint8  // the hop limit in IPv6; 0: 128, as Windows
	TOS     uint8  // the traffic class in IPv6
	ID      uint16 // of IPv4
	DF      bool   // of IPv4
	Flow    uint32 // the flow label of IPv6, 20 bits

	Protocol uint8 // of Data; without a header here
	TCP      *TCP
	UDP      *UDP
	ICMP     *ICMP // ICMPv6 over IPv6
	ESP      *ESP
	Data     []byte // behind the header

	Words string // what it is, for people
}

// TCP is a TCP header, RFC 9293, Section 3.1.
type TCP struct {
	SrcPort, DstPort         uint16
	Sequence, Acknowledgment uint32
	Flags                    []string // syn, ack, rst, fin, psh, urg
	Window                   uint16
}

// UDP is a UDP header, RFC 768.
type UDP struct{ SrcPort, DstPort uint16 }

// ICMP is an ICMP header, RFC 792, or one of ICMPv6 and the first word of its body, RFC 4443.
type ICMP struct {
	Type, Code uint8
	Rest       uint32 // the four bytes behind the checksum
}

// ESP is the header of a packet that pretends to be encrypted, RFC 4303, Section 2.
type ESP struct{ SPI, Sequence uint32 }

// defaultTTL is that of Windows Server 2003 and its contemporaries.
const defaultTTL = 128

// Inject makes a packet and puts it on its segment.
func (a *Attacker) Inject(p Packet) error { return a.put(p, "injected") }

func (a *Attacker) put(p Packet, act string) error {
	by, err := a.port(p.Segment)
	if err != nil {
		return err
	}
	to, err := a.neighbour(by, p.To)
	if err != nil {
		return err
	}
	frame, err := p.frame(medium(by), to.MAC())
	if err != nil {
		return err
	}
	a.send(by, to, frame, trace.Attack{Act: act, Detail: p.Words})
	return nil
}

// frame is the packet, on Ethernet with a header whose source is left empty.
func (p *Packet) frame(m sim.Medium, to [6]byte) ([]byte, error) {
	if !p.Src.IsValid() || !p.Dst.IsValid() || p.Src.Is4() != p.Dst.Is4() {
		return nil, fmt.Errorf("attack: a packet from %s to %s: there is no packet between different versions of IP", p.Src, p.Dst)
	}
	proto, stack := p.upper()
	ip := p.header(proto)
	for _, l := range stack {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := l.SetNetworkLayerForChecksum(ip); err != nil {
				return nil, fmt.Errorf("attack: %w", err)
			}
		}
	}
	stack = append([]gopacket.SerializableLayer{ip}, append(stack, gopacket.Payload(p.Data))...)
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...)
	if err != nil {
		return nil, fmt.Errorf("attack: making a packet from %s to %s: %w", p.Src, p.Dst, err)
	}
	if m == sim.PointToPoint {
		return b.Bytes(), nil
	}
	kind := uint16(etherTypeIPv4)
	if p.Src.Is6() {
		kind = ipv6.EtherType
	}
	header := append(to[:], make([]byte, 6)...)
	return append(binary.BigEndian.AppendUint16(header, kind), b.Bytes()...), nil // links here do not pad short frames
}

// ipLayer is a header of either version of IP.
type ipLayer interface {
	gopacket.SerializableLayer
	gopacket.NetworkLayer
}

func (p *Packet) header(proto layers.IPProtocol) ipLayer {
	ttl := p.TTL
	if ttl == 0 {
		ttl = defaultTTL
	}
	if p.Src.Is6() {
		return &layers.IPv6{
			Version: 6, TrafficClass: p.TOS, FlowLabel: p.Flow, NextHeader: proto, HopLimit: ttl,
			SrcIP: p.Src.AsSlice(), DstIP: p.Dst.AsSlice(),
		}
	}
	ip := &layers.IPv4{Version: 4, TOS: p.TOS, Id: p.ID, TTL: ttl, Protocol: proto, SrcIP: p.Src.AsSlice(), DstIP: p.Dst.AsSlice()}
	if p.DF {
		ip.Flags = layers.IPv4DontFragment
	}
	return ip
}

// upper is the header behind that of IP, and its number.
func (p *Packet) upper() (layers.IPProtocol, []gopacket.SerializableLayer) {
	switch {
	case p.TCP != nil:
		return layers.IPProtocolTCP, []gopacket.SerializableLayer{p.TCP.layer()}
	case p.UDP != nil:
		return layers.IPProtocolUDP, []gopacket.SerializableLayer{&layers.UDP{SrcPort: layers.UDPPort(p.UDP.SrcPort), DstPort: layers.UDPPort(p.UDP.DstPort)}}
	case p.ICMP != nil && p.Src.Is6():
		return layers.IPProtocolICMPv6, []gopacket.SerializableLayer{
			&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(p.ICMP.Type, p.ICMP.Code)},
			gopacket.Payload(binary.BigEndian.AppendUint32(nil, p.ICMP.Rest)),
		}
	case p.ICMP != nil:
		return layers.IPProtocolICMPv4, []gopacket.SerializableLayer{&layers.ICMPv4{
			TypeCode: layers.CreateICMPv4TypeCode(p.ICMP.Type, p.ICMP.Code),
			Id:       uint16(p.ICMP.Rest >> 16), Seq: uint16(p.ICMP.Rest),
		}}
	case p.ESP != nil:
		header := binary.BigEndian.AppendUint32(nil, p.ESP.SPI)
		return layers.IPProtocolESP, []gopacket.SerializableLayer{gopacket.Payload(binary.BigEndian.AppendUint32(header, p.ESP.Sequence))}
	}
	return layers.IPProtocol(p.Protocol), nil
}

// flags are the words for TCP's control bits.
var flags = map[string]func(*layers.TCP) *bool{
	"fin": func(t *layers.TCP) *bool { return &t.FIN },
	"syn": func(t *layers.TCP) *bool { return &t.SYN },
	"rst": func(t *layers.TCP) *bool { return &t.RST },
	"psh": func(t *layers.TCP) *bool { return &t.PSH },
	"ack": func(t *layers.TCP) *bool { return &t.ACK },
	"urg": func(t *layers.TCP) *bool { return &t.URG },
}

func (t *TCP) layer() *layers.TCP {
	out := &layers.TCP{
		SrcPort: layers.TCPPort(t.SrcPort), DstPort: layers.TCPPort(t.DstPort),
		Seq: t.Sequence, Ack: t.Acknowledgment, Window: t.Window,
	}
	for _, f := range t.Flags {
		if bit := flags[f]; bit != nil {
			*bit(out) = true
		}
	}
	return out
}
