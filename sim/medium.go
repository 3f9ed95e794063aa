package sim

import (
	"encoding/binary"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// Medium is what a segment is made of, and so what its frames look like.
type Medium uint8

// The media.
const (
	// Ethernet joins any number of ports by a learning switch. Frames begin with an
	// Ethernet header.
	Ethernet Medium = iota
	// PointToPoint is a line between two ports without link-layer addresses, and so
	// without address resolution: a frame is a bare IP packet, and goes to the other end.
	PointToPoint
)

func (m Medium) String() string {
	if m == PointToPoint {
		return "point-to-point"
	}
	return "ethernet"
}

// HeaderLen is how many bytes stand before the packet in a frame.
func (m Medium) HeaderLen() int {
	if m == PointToPoint {
		return 0
	}
	return etherHeader
}

// Packet is what a frame carries, with its EtherType, which the version of the IP
// header stands for where there is none (RFC 791 and RFC 8200, Sections 3.1 and 3).
// It is false for a frame that is too short to tell.
func (m Medium) Packet(frame []byte) (packet []byte, etherType uint16, ok bool) {
	if m == Ethernet {
		if len(frame) < etherHeader {
			return nil, 0, false
		}
		return frame[etherHeader:], binary.BigEndian.Uint16(frame[12:]), true
	}
	switch {
	case len(frame) == 0:
		return nil, 0, false
	case frame[0]>>4 == 4:
		return frame, etherTypeIPv4, true
	case frame[0]>>4 == 6:
		return frame, ipv6.EtherType, true
	}
	return frame, 0, true
}

// linkType is how captures say it.
func (m Medium) linkType() pcapng.LinkType {
	if m == PointToPoint {
		return pcapng.LinkRaw
	}
	return pcapng.LinkEthernet
}
