package nat

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// Protocol numbers, IANA.
const (
	icmp = 1
	tcp  = 6
	udp  = 17
	esp  = 50
	ah   = 51
)

// RFC 791, Section 3.1.
const (
	ipHeader   = 20
	flagDF     = 0x4000
	flagMF     = 0x2000
	offsetMask = 0x1fff
)

// ipv4 is a packet of IPv4, cut to its total length.
type ipv4 []byte

// parse takes a packet whose header the device has found valid, and looks at no more of it
// than what keeps the table from reading beyond its end.
func parse(b []byte) (ipv4, bool) {
	if len(b) < ipHeader || b[0]>>4 != 4 {
		return nil, false
	}
	h, n := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if h < ipHeader || n < h || n > len(b) {
		return nil, false
	}
	return ipv4(b[:n:n]), true
}

func (p ipv4) header() int     { return int(p[0]&15) * 4 }
func (p ipv4) payload() []byte { return p[p.header():] }
func (p ipv4) proto() uint8    { return p[9] }
func (p ipv4) src() uint32     { return binary.BigEndian.Uint32(p[12:]) }
func (p ipv4) dst() uint32     { return binary.BigEndian.Uint32(p[16:]) }
func (p ipv4) id() uint16      { return binary.BigEndian.Uint16(p[4:]) }
func (p ipv4) fragmented() bool {
	return binary.BigEndian.Uint16(p[6:])&(flagMF|offsetMask) != 0
}
func (p ipv4) later() bool { return binary.BigEndian.Uint16(p[6:])&offsetMask != 0 }

func toAddr(a uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a)
	return netip.AddrFrom4(b)
}

func fromAddr(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func toAddrPort(a uint32, port uint16) netip.AddrPort { return netip.AddrPortFrom(toAddr(a), port) }

// setChecksum computes the header checksum afresh.
func (p ipv4) setChecksum() {
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], ^checksum.Checksum(p[:p.header()], 0))
}
