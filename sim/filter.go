package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// Filter selects frames by what an observer of the wire can read in them. All its
// conditions must hold; a zero one always does. Addresses, protocol and ports are
// those of IP, so that a Filter with one of them selects IP alone; in IPv6 protocol
// and ports are those behind the extension headers.
type Filter struct {
	EtherType       uint16       // IEEE 802 number: 0x0806 is ARP
	Protocol        uint8        // IANA number of the upper layer: 50 is ESP, 58 ICMPv6
	Source          netip.Prefix // of the IP header
	Destination     netip.Prefix
	Port            uint16 // of UDP or TCP, on either side; fragments but the first have none
	SourcePort      uint16
	DestinationPort uint16
	Fragments       bool // of IP datagrams, the first ones too, and nothing else
}

const (
	etherTypeIPv4 = 0x0800
	protocolTCP   = 6
	protocolUDP   = 17
)

func (f *Filter) check() error {
	for _, p := range []netip.Prefix{f.Source, f.Destination} {
		if p != (netip.Prefix{}) && !p.IsValid() {
			return fmt.Errorf("%s is no prefix", p)
		}
	}
	if f.Source.IsValid() && f.Destination.IsValid() && f.Source.Addr().Is4() != f.Destination.Addr().Is4() {
		return fmt.Errorf("no packet goes from %s to %s: they are of different families", f.Source, f.Destination)
	}
	if f.ip() && f.EtherType != 0 && f.EtherType != etherTypeIPv4 && f.EtherType != ipv6.EtherType {
		return errors.New("addresses, protocols and ports are selected in IP frames only")
	}
	if f.ports() && f.Protocol != 0 && f.Protocol != protocolTCP && f.Protocol != protocolUDP {
		return fmt.Errorf("protocol %s has no ports", protocolName(f.Protocol))
	}
	return nil
}

func (f *Filter) ports() bool { return f.Port != 0 || f.SourcePort != 0 || f.DestinationPort != 0 }

// ip reports whether the filter looks behind the Ethernet header.
func (f *Filter) ip() bool {
	return f.Protocol != 0 || f.Source.IsValid() || f.Destination.IsValid() || f.ports() || f.Fragments
}

// Matches reports whether the filter selects an Ethernet frame.
func (f *Filter) Matches(frame []byte) bool { return f.matches(Ethernet, frame) }

func (f *Filter) matches(m Medium, frame []byte) bool {
	packet, kind, ok := m.Packet(frame)
	if !ok || f.EtherType != 0 && f.EtherType != kind {
		return false
	}
	if !f.ip() {
		return true
	}
	var h ipHeader
	switch kind {
	case etherTypeIPv4:
		h, ok = readIPv4(packet)
	case ipv6.EtherType:
		h, ok = readIPv6(packet)
	default:
		return false
	}
	if !ok || f.Fragments && !h.fragment || f.Protocol != 0 && f.Protocol != h.protocol ||
		f.Source.IsValid() && !f.Source.Contains(h.src) || f.Destination.IsValid() && !f.Destination.Contains(h.dst) {
		return false
	}
	return !f.ports() || f.matchesPorts(&h)
}

// ipHeader is what a filter looks at in an IP packet.
type ipHeader struct {
	src, dst netip.Addr
	protocol uint8
	fragment bool
	upper    []byte // the upper layer; nil in a fragment but the first
}

func readIPv4(ip []byte) (h ipHeader, ok bool) {
	const offset, more = 0x1fff, 0x2000
	if len(ip) < 20 || ip[0]>>4 != 4 {
		return h, false
	}
	h = ipHeader{src: netip.AddrFrom4([4]byte(ip[12:16])), dst: netip.AddrFrom4([4]byte(ip[16:20])), protocol: ip[9]}
	h.fragment = binary.BigEndian.Uint16(ip[6:])&(offset|more) != 0
	if at := int(ip[0]&0xf) * 4; at >= 20 && at <= len(ip) && binary.BigEndian.Uint16(ip[6:])&offset == 0 {
		h.upper = ip[at:]
	}
	return h, true
}

func readIPv6(ip []byte) (h ipHeader, ok bool) {
	p, err := ipv6.ParseStart(ip)
	if err != nil {
		return h, false
	}
	h = ipHeader{src: p.Src(), dst: p.Dst(), protocol: p.Proto, fragment: p.IsFragment()}
	if p.Offset() == 0 {
		h.upper = p.Payload()
	}
	return h, true
}

func (f *Filter) matchesPorts(h *ipHeader) bool {
	if h.protocol != protocolTCP && h.protocol != protocolUDP || len(h.upper) < 4 {
		return false
	}
	src, dst := binary.BigEndian.Uint16(h.upper), binary.BigEndian.Uint16(h.upper[2:])
	return (f.Port == 0 || f.Port == src || f.Port == dst) &&
		(f.SourcePort == 0 || f.SourcePort == src) && (f.DestinationPort == 0 || f.DestinationPort == dst)
}

// String is the filter in words: "udp from 10.0.0.1/32 port 500"; "every frame" for the zero Filter.
func (f *Filter) String() string {
	var words []string
	add := func(there bool, format string, args ...any) {
		if there {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(f.EtherType == etherTypeARP, "arp")
	add(f.EtherType != 0 && f.EtherType != etherTypeARP, "EtherType %#04x", f.EtherType)
	add(f.Protocol != 0, "%s", protocolName(f.Protocol))
	add(f.Source.IsValid(), "from %s", f.Source)
	add(f.SourcePort != 0, "source port %d", f.SourcePort)
	add(f.Destination.IsValid(), "to %s", f.Destination)
	add(f.DestinationPort != 0, "destination port %d", f.DestinationPort)
	add(f.Port != 0, "port %d", f.Port)
	add(f.Fragments, "fragments")
	if len(words) == 0 {
		return "every frame"
	}
	return strings.Join(words, " ")
}

// protocolName is the word for an IP protocol in comments.
func protocolName(p uint8) string {
	switch p {
	case 1:
		return "icmp"
	case protocolTCP:
		return "tcp"
	case protocolUDP:
		return "udp"
	case 50:
		return "esp"
	case 51:
		return "ah"
	case ipv6.ICMP:
		return "icmpv6"
	}
	return fmt.Sprintf("protocol %d", p)
}
