package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Filter selects frames by what an observer of the wire can read in them. All its
// conditions must hold; a zero one always does. Addresses, protocol and ports are
// those of IPv4, so that a Filter with one of them selects IPv4 alone.
type Filter struct {
	EtherType       uint16       // IEEE 802 number: 0x0806 is ARP
	Protocol        uint8        // IANA number: 50 is ESP
	Source          netip.Prefix // of the IP header
	Destination     netip.Prefix
	Port            uint16 // of UDP or TCP, on either side; fragments but the first have none
	SourcePort      uint16
	DestinationPort uint16
}

const (
	etherTypeIPv4 = 0x0800
	protocolTCP   = 6
	protocolUDP   = 17
)

func (f *Filter) check() error {
	for _, p := range []netip.Prefix{f.Source, f.Destination} {
		if p != (netip.Prefix{}) && (!p.IsValid() || !p.Addr().Is4()) {
			return fmt.Errorf("unsupported: %s is no IPv4 prefix", p)
		}
	}
	if f.ip() && f.EtherType != 0 && f.EtherType != etherTypeIPv4 {
		return errors.New("addresses, protocols and ports are selected in IPv4 frames only")
	}
	if f.ports() && f.Protocol != 0 && f.Protocol != protocolTCP && f.Protocol != protocolUDP {
		return fmt.Errorf("protocol %s has no ports", protocolName(f.Protocol))
	}
	return nil
}

func (f *Filter) ports() bool { return f.Port != 0 || f.SourcePort != 0 || f.DestinationPort != 0 }

// ip reports whether the filter looks behind the Ethernet header.
func (f *Filter) ip() bool {
	return f.Protocol != 0 || f.Source.IsValid() || f.Destination.IsValid() || f.ports()
}

// Matches reports whether the filter selects a frame.
func (f *Filter) Matches(frame []byte) bool {
	if len(frame) < etherHeader {
		return false
	}
	kind := binary.BigEndian.Uint16(frame[12:])
	if f.EtherType != 0 && f.EtherType != kind {
		return false
	}
	if !f.ip() {
		return true
	}
	ip := frame[etherHeader:]
	if kind != etherTypeIPv4 || len(ip) < 20 || ip[0]>>4 != 4 {
		return false
	}
	if f.Protocol != 0 && f.Protocol != ip[9] ||
		f.Source.IsValid() && !f.Source.Contains(netip.AddrFrom4([4]byte(ip[12:16]))) ||
		f.Destination.IsValid() && !f.Destination.Contains(netip.AddrFrom4([4]byte(ip[16:20]))) {
		return false
	}
	return !f.ports() || f.matchesPorts(ip)
}

func (f *Filter) matchesPorts(ip []byte) bool {
	const offset = 0x1fff
	at := int(ip[0]&0xf) * 4
	if ip[9] != protocolTCP && ip[9] != protocolUDP || binary.BigEndian.Uint16(ip[6:])&offset != 0 ||
		at < 20 || len(ip) < at+4 {
		return false
	}
	src, dst := binary.BigEndian.Uint16(ip[at:]), binary.BigEndian.Uint16(ip[at+2:])
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
	}
	return fmt.Sprintf("protocol %d", p)
}
