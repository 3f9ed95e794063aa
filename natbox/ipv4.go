package natbox

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// RFC 791, Section 3.1.
const (
	ipv4Header   = 20
	maxIPv4      = 65535
	flagDF       = 0x4000
	flagMF       = 0x2000
	offsetMask   = 0x1fff
	protoICMP    = 1
	protoTCP     = 6
	protoUDP     = 17
	fragmentUnit = 8 // bytes that the offset field counts in
)

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// packet is a valid IPv4 datagram or fragment, cut to its total length.
type packet []byte

// parseIPv4 validates a header as RFC 1812, Section 5.2.2 demands; bad is 0 when it is valid.
func parseIPv4(b []byte) (p packet, bad reason) {
	switch {
	case len(b) < ipv4Header:
		return nil, shortHeader
	case b[0]>>4 != 4:
		return nil, badVersion
	}
	p = packet(b)
	switch ihl := int(b[0]&0x0f) * 4; {
	case ihl < ipv4Header || ihl > len(b):
		return nil, badIHL
	case p.totalLen() < ihl || p.totalLen() > len(b):
		return nil, badTotalLength
	case checksum.Checksum(b[:ihl], 0) != 0xffff: // RFC 1071: the sum over a good header, its checksum included
		return nil, badChecksum
	}
	return p[:p.totalLen()], 0
}

func (p packet) totalLen() int   { return int(binary.BigEndian.Uint16(p[2:])) }
func (p packet) headerLen() int  { return int(p[0]&0x0f) * 4 }
func (p packet) options() []byte { return p[ipv4Header:p.headerLen()] }
func (p packet) payload() []byte { return p[p.headerLen():] }
func (p packet) id() uint16      { return binary.BigEndian.Uint16(p[4:]) }
func (p packet) df() bool        { return binary.BigEndian.Uint16(p[6:])&flagDF != 0 }
func (p packet) more() bool      { return binary.BigEndian.Uint16(p[6:])&flagMF != 0 }
func (p packet) offset() int     { return int(binary.BigEndian.Uint16(p[6:])&offsetMask) * fragmentUnit }
func (p packet) hops() uint8     { return p[8] }
func (p packet) proto() uint8    { return p[9] }
func (p packet) src() netip.Addr { return netip.AddrFrom4([4]byte(p[12:16])) }
func (p packet) dst() netip.Addr { return netip.AddrFrom4([4]byte(p[16:20])) }

// setChecksum computes the header checksum afresh.
func (p packet) setChecksum() {
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], ^checksum.Checksum(p[:p.headerLen()], 0))
}

// decrementTTL updates the checksum by the difference alone, so that a packet
// damaged in the router would not get a good one (RFC 1812, Section 4.2.2.5):
// HC' = ~(~HC + ~m + m'), RFC 1624, Section 3.
func (p packet) decrementTTL() {
	old := binary.BigEndian.Uint16(p[8:])
	p[8]--
	sum := uint32(^binary.BigEndian.Uint16(p[10:])) + uint32(^old) + uint32(binary.BigEndian.Uint16(p[8:]))
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum))
}

var protoNames = map[uint8]string{protoICMP: "icmp", protoTCP: "tcp", protoUDP: "udp", 50: "esp", 51: "ah", ipv6.ICMP: "icmpv6"}

// String is protocol, addresses and ports, as in the rest of the trace.
func (p packet) String() string {
	return describe(p.proto(), p.src(), p.dst(), p.payload(), p.offset() > 0)
}

// describe names a packet whose upper layer is payload, unless it is a later fragment.
func describe(proto uint8, src, dst netip.Addr, payload []byte, later bool) string {
	name := protoNames[proto]
	if name == "" {
		name = fmt.Sprint(proto)
	}
	switch {
	case later:
		return fmt.Sprintf("%s %s > %s (fragment)", name, src, dst)
	case (proto == protoTCP || proto == protoUDP) && len(payload) >= 4:
		from := netip.AddrPortFrom(src, binary.BigEndian.Uint16(payload))
		to := netip.AddrPortFrom(dst, binary.BigEndian.Uint16(payload[2:]))
		return fmt.Sprintf("%s %s > %s", name, from, to)
	}
	return fmt.Sprintf("%s %s > %s", name, src, dst)
}

// newPacket makes a frame with room for the Ethernet header and a datagram of
// the router's own; the caller fills the payload and calls setChecksum. The TTL
// is the one of RFC 1700, page 64, which RFC 1812, Section 4.2.2.9 takes up.
func (r *Router) newPacket(src, dst netip.Addr, proto, tos uint8, payload int) (frame []byte, p packet) {
	frame = make([]byte, etherHeader+ipv4Header+payload)
	p = packet(frame[etherHeader:])
	p[0], p[1], p[8], p[9] = 4<<4|ipv4Header/4, tos, 64, proto
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], uint16(r.ids.Uint64()))
	copy(p[12:], src.AsSlice())
	copy(p[16:], dst.AsSlice())
	return frame, p
}

// hostAddress reports whether an address can be that of one host on a network: of
// IPv4 not in 0.0.0.0/8, 127.0.0.0/8, multicast or reserved (RFC 1812, Sections
// 4.2.2.11 and 5.3.7), of IPv6 not unspecified, loopback, multicast or a mapped
// IPv4 address (RFC 4291, Section 2).
func hostAddress(a netip.Addr) bool {
	if a.Is6() {
		return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.Is4In6()
	}
	b := a.As4()
	return b[0] != 0 && b[0] != 127 && b[0] < 224
}

// broadcastOf reports whether a is the broadcast address of a prefix, or the old
// form of it with zeros (RFC 1812, Section 4.2.3.1). A /31 has none (RFC 3021), nor
// has IPv6.
func broadcastOf(prefix netip.Prefix, a netip.Addr) bool {
	if a.Is6() || prefix.Bits() > 30 || !prefix.Contains(a) {
		return false
	}
	b := a.As4()
	host := uint32(1)<<(32-prefix.Bits()) - 1
	bits := binary.BigEndian.Uint32(b[:]) & host
	return bits == 0 || bits == host
}

// Options, RFC 791, Section 3.1.
const (
	optionEnd    = 0
	optionNop    = 1
	optionLSRR   = 131
	optionSSRR   = 137
	optionCopied = 0x80 // in the type: goes into every fragment
)

// eachOption calls f for each option but padding. bad is the index of the first
// octet that makes no sense, -1 when all do.
func eachOption(options []byte, f func(option []byte)) (bad int) {
	for i := 0; i < len(options) && options[i] != optionEnd; {
		if options[i] == optionNop {
			i++
			continue
		}
		if i+1 >= len(options) {
			return i
		}
		n := int(options[i+1])
		if n < 2 || i+n > len(options) {
			return i + 1
		}
		f(options[i : i+n])
		i += n
	}
	return -1
}
