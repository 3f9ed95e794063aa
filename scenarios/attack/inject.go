package attack

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Packet is one to be made. Lengths and checksums are right.
type Packet struct {
	Segment string
	To      [6]byte // Ethernet address of the next hop
	Src     netip.Addr
	Dst     netip.Addr
	TTL     uint8 // 0: 128, as Windows
	TOS     uint8
	ID      uint16
	DF      bool

	Protocol uint8 // of Data; without a header here
	TCP      *TCP
	UDP      *UDP
	ICMP     *ICMP
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

// ICMP is an ICMP header, RFC 792.
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
	port, err := a.port(p.Segment)
	if err != nil {
		return err
	}
	frame, err := p.frame()
	if err != nil {
		return err
	}
	a.send(port, frame, trace.Attack{Act: act, Detail: p.Words})
	return nil
}

// frame is the packet with an Ethernet header whose source is left empty.
func (p *Packet) frame() ([]byte, error) {
	if !p.Src.Is4() || !p.Dst.Is4() {
		return nil, fmt.Errorf("attack: a packet from %s to %s: unsupported: both have to be IPv4 addresses", p.Src, p.Dst)
	}
	ip := &layers.IPv4{
		Version: 4, TOS: p.TOS, Id: p.ID, TTL: p.TTL, Protocol: layers.IPProtocol(p.Protocol),
		SrcIP: p.Src.AsSlice(), DstIP: p.Dst.AsSlice(),
	}
	if ip.TTL == 0 {
		ip.TTL = defaultTTL
	}
	if p.DF {
		ip.Flags = layers.IPv4DontFragment
	}
	stack := []gopacket.SerializableLayer{
		&layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: p.To[:], EthernetType: layers.EthernetTypeIPv4}, ip,
	}
	switch {
	case p.TCP != nil:
		tcp := p.TCP.layer()
		ip.Protocol = layers.IPProtocolTCP
		tcp.SetNetworkLayerForChecksum(ip)
		stack = append(stack, tcp)
	case p.UDP != nil:
		udp := &layers.UDP{SrcPort: layers.UDPPort(p.UDP.SrcPort), DstPort: layers.UDPPort(p.UDP.DstPort)}
		ip.Protocol = layers.IPProtocolUDP
		udp.SetNetworkLayerForChecksum(ip)
		stack = append(stack, udp)
	case p.ICMP != nil:
		ip.Protocol = layers.IPProtocol(ipsec.ProtoICMP)
		stack = append(stack, &layers.ICMPv4{
			TypeCode: layers.CreateICMPv4TypeCode(p.ICMP.Type, p.ICMP.Code),
			Id:       uint16(p.ICMP.Rest >> 16), Seq: uint16(p.ICMP.Rest),
		})
	case p.ESP != nil:
		ip.Protocol = layers.IPProtocolESP
		header := binary.BigEndian.AppendUint32(nil, p.ESP.SPI)
		stack = append(stack, gopacket.Payload(binary.BigEndian.AppendUint32(header, p.ESP.Sequence)))
	}
	stack = append(stack, gopacket.Payload(p.Data))
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...)
	if err != nil {
		return nil, fmt.Errorf("attack: making a packet from %s to %s: %w", p.Src, p.Dst, err)
	}
	return b.Bytes()[:etherHeader+int(ip.Length)], nil // links here do not pad short frames
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
