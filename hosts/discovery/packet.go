package discovery

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// The IP protocols of the tests.
const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
	protoESP  = 50
	protoAH   = 51
)

// mtu is that of the links for which fragments are made.
const mtu = 1500

// packet is a whole IPv4 datagram, read.
type packet struct {
	src, dst netip.Addr
	id       uint16
	proto    uint8
	payload  []byte
	pieces   int // fragments that it came in; 1: it came whole
}

// ports are of UDP and TCP.
func (p packet) ports() (src, dst uint16) {
	if len(p.payload) < 4 {
		return 0, 0
	}
	return binary.BigEndian.Uint16(p.payload), binary.BigEndian.Uint16(p.payload[2:])
}

// from is the source with its port.
func (p packet) from() netip.AddrPort {
	src, _ := p.ports()
	return netip.AddrPortFrom(p.src, src)
}

// to is the destination with its port.
func (p packet) to() netip.AddrPort {
	_, dst := p.ports()
	return netip.AddrPortFrom(p.dst, dst)
}

// udp is the payload of a UDP datagram, and whether its checksum is right or absent.
func (p packet) udp() (payload []byte, sum, ok bool) {
	if p.proto != protoUDP || len(p.payload) < header.UDPMinimumSize {
		return nil, false, false
	}
	return p.payload[header.UDPMinimumSize:], header.UDP(p.payload).Checksum() == 0 || p.sumOK(), true
}

// tcp is a segment; false when its header is not whole.
func (p packet) tcp() (header.TCP, bool) {
	t := header.TCP(p.payload)
	if p.proto != protoTCP || len(t) < header.TCPMinimumSize || int(t.DataOffset()) < header.TCPMinimumSize || int(t.DataOffset()) > len(t) {
		return nil, false
	}
	return t, true
}

// icmp is a message of ICMP.
func (p packet) icmp() (header.ICMPv4, bool) {
	if p.proto != protoICMP || len(p.payload) < header.ICMPv4MinimumSize {
		return nil, false
	}
	return header.ICMPv4(p.payload), true
}

// sumOK reports whether the checksum of UDP or TCP is right.
func (p packet) sumOK() bool { return sum(p.proto, p.src, p.dst, p.payload) == 0xffff }

// sum is over a pseudo-header and what is behind the IP header.
func sum(proto uint8, src, dst netip.Addr, b []byte) uint16 {
	pseudo := header.PseudoHeaderChecksum(tcpip.TransportProtocolNumber(proto), addressOf(src), addressOf(dst), uint16(len(b)))
	return checksum.Checksum(b, pseudo)
}

func addressOf(a netip.Addr) tcpip.Address { return tcpip.AddrFrom4(a.As4()) }

// ipv4 is a datagram around a payload.
func ipv4(src, dst netip.Addr, proto uint8, id uint16, payload []byte) []byte {
	b := make([]byte, header.IPv4MinimumSize, header.IPv4MinimumSize+len(payload))
	encodeIPv4(b, src, dst, proto, id, 0, 0, len(payload))
	return append(b, payload...)
}

func encodeIPv4(b []byte, src, dst netip.Addr, proto uint8, id uint16, flags uint8, offset, payload int) {
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(header.IPv4MinimumSize + payload), ID: id, Flags: flags, FragmentOffset: uint16(offset), TTL: 64, Protocol: proto,
		SrcAddr: addressOf(src), DstAddr: addressOf(dst),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
}

// fragmented is a datagram in pieces that fit the MTU, in order.
func fragmented(src, dst netip.Addr, proto uint8, id uint16, payload []byte) (pieces [][]byte) {
	const most = (mtu - header.IPv4MinimumSize) &^ 7
	for at := 0; at < len(payload); at += most {
		end := min(at+most, len(payload))
		var flags uint8
		if end < len(payload) {
			flags = header.IPv4FlagMoreFragments
		}
		b := make([]byte, header.IPv4MinimumSize, mtu)
		encodeIPv4(b, src, dst, proto, id, flags, at, end-at)
		pieces = append(pieces, append(b, payload[at:end]...))
	}
	return pieces
}

// udpSegment is a UDP header with its checksum and a payload.
func udpSegment(src, dst netip.AddrPort, payload []byte) []byte {
	b := make([]byte, header.UDPMinimumSize, header.UDPMinimumSize+len(payload))
	u := header.UDP(b)
	u.Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: uint16(header.UDPMinimumSize + len(payload))})
	u = append(u, payload...)
	u.SetChecksum(^sum(protoUDP, src.Addr(), dst.Addr(), u))
	if u.Checksum() == 0 {
		u.SetChecksum(0xffff) // RFC 768: all ones stand for zero
	}
	return u
}

// segment is what stands in a TCP header.
type segment struct {
	seq, ack uint32
	flags    header.TCPFlags
	data     []byte
}

// tcpSegment is a TCP header with its checksum, and data.
func tcpSegment(src, dst netip.AddrPort, s segment) []byte {
	b := make([]byte, header.TCPMinimumSize, header.TCPMinimumSize+len(s.data))
	t := header.TCP(b)
	t.Encode(&header.TCPFields{
		SrcPort: src.Port(), DstPort: dst.Port(), SeqNum: s.seq, AckNum: s.ack, DataOffset: header.TCPMinimumSize, Flags: s.flags, WindowSize: window,
	})
	t = append(t, s.data...)
	t.SetChecksum(^sum(protoTCP, src.Addr(), dst.Addr(), t))
	return t
}

// window is what both ends of the test connections offer.
const window = 16384

// icmpEcho is an echo request or reply.
func icmpEcho(typ header.ICMPv4Type, id, sequence uint16, data []byte) []byte {
	b := make([]byte, header.ICMPv4MinimumSize, header.ICMPv4MinimumSize+len(data))
	m := header.ICMPv4(b)
	m.SetType(typ)
	m.SetIdent(id)
	m.SetSequence(sequence)
	m = append(m, data...)
	m.SetChecksum(^checksum.Checksum(m, 0))
	return m
}

// parse reads an IPv4 packet; more is true for all fragments but the last, and offset is
// where the payload of a fragment belongs. false: it is none, or its header is wrong.
func parse(b []byte) (p packet, offset int, more, ok bool) {
	ip := header.IPv4(b)
	if len(b) < header.IPv4MinimumSize || !ip.IsValid(len(b)) || !ip.IsChecksumValid() {
		return packet{}, 0, false, false
	}
	src, dst := ip.SourceAddress(), ip.DestinationAddress()
	return packet{
		src: netip.AddrFrom4(src.As4()), dst: netip.AddrFrom4(dst.As4()), id: ip.ID(), proto: ip.Protocol(),
		payload: b[ip.HeaderLength():ip.TotalLength()], pieces: 1,
	}, int(ip.FragmentOffset()), ip.More(), true
}
