package hosts

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// datagram is an IP packet of either family, as far as the driver looks into it.
type datagram struct {
	bytes    []byte
	family   family
	src, dst netip.Addr
	proto    uint8 // of the upper layer; IPv6's extension headers lie before it
	at       int   // where that begins
	fragment bool  // a part of a datagram
	first    bool  // the upper layer begins here: a whole datagram or its first fragment
	v6       ipv6.Packet
}

// readDatagram is false for what is no IP packet.
func readDatagram(packet []byte) (datagram, bool) { return readHeaders(packet, ipv6.Parse) }

// readQuoted reads a packet that may have been cut, as ICMP errors quote it.
func readQuoted(packet []byte) (datagram, bool) { return readHeaders(packet, ipv6.ParseStart) }

func readHeaders(packet []byte, parse func([]byte) (ipv6.Packet, error)) (datagram, bool) {
	if familyOfPacket(packet) == ip6 {
		p, err := parse(packet)
		if err != nil {
			return datagram{}, false
		}
		return datagram{
			bytes: p.Bytes, family: ip6, src: p.Src(), dst: p.Dst(), proto: p.Proto, at: p.At,
			fragment: p.IsFragment(), first: p.Offset() == 0, v6: p,
		}, true
	}
	ip := header.IPv4(packet)
	if len(packet) < header.IPv4MinimumSize || int(ip.HeaderLength()) < header.IPv4MinimumSize || int(ip.HeaderLength()) > len(packet) {
		return datagram{}, false
	}
	return datagram{
		bytes: packet, family: ip4, src: addrOf(ip.SourceAddress()), dst: addrOf(ip.DestinationAddress()),
		proto: ip.Protocol(), at: int(ip.HeaderLength()),
		fragment: ip.More() || ip.FragmentOffset() != 0, first: ip.FragmentOffset() == 0,
	}, true
}

// payload is what lies behind the IP headers.
func (d datagram) payload() []byte { return d.bytes[d.at:] }

// protected reports ESP or AH.
func (d datagram) protected() bool { return d.proto == ipsec.ProtoESP || d.proto == ipsec.ProtoAH }

// tcp is the segment that begins here; false when its header is not whole.
func (d datagram) tcp() (header.TCP, bool) {
	if d.proto != ipsec.ProtoTCP || !d.first || len(d.payload()) < header.TCPMinimumSize {
		return nil, false
	}
	return header.TCP(d.payload()), true
}
