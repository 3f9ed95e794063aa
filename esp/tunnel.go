package esp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// DF says what the Don't Fragment bit of a tunnel's outer header is, RFC 4301,
// Section 8.1. An outer IPv6 header has none; there it says whether the near end
// may fragment what does not fit the path.
type DF uint8

// The settings of DF.
const (
	DFCopy  DF = iota // that of the packet inside; for IPv6, set with TCP, which keeps to the path MTU
	DFSet             // set: what does not fit the path is TooBig, whatever the packet inside says
	DFClear           // clear: what does not fit the path is fragmented on it
)

func (d DF) String() string {
	switch d {
	case DFCopy:
		return "copy"
	case DFSet:
		return "set"
	case DFClear:
		return "clear"
	}
	return fmt.Sprintf("df(%d)", uint8(d))
}

// tunnels makes outer headers. One serves all SAs of a Pipeline, so that an
// identification does not come twice between two gateways.
type tunnels struct {
	df DF
	id uint16 // given out last
}

// outerTTL is the TTL of an outer header, which is its own packet's and not the
// inner one's (RFC 4301, Section 5.1.2.1, note 2).
const outerTTL = 64

// dontFragment reports whether the packet that carries d must stay whole. An IPv6
// datagram that every link can carry must arrive at any rate: RFC 2473, Section 7.1 (b).
func (t *tunnels) dontFragment(d *datagram) bool {
	if d.v6() && len(d.b) <= minIPv6Path {
		return false
	}
	return t.df == DFSet || t.df == DFCopy && d.staysWhole()
}

// header writes the header of a tunnel packet, up to lengths, checksum and what
// the payload is, and returns where that belongs: RFC 4301, Sections 5.1.2.1 and
// 5.1.2.2. The traffic class is the inner one, with its ECN bits; identification
// and TTL are new; the flow label is 0, as inner labels of several hosts may
// collide; options and extension headers are not copied. src and dst are of one
// family, whatever that of the inner datagram is.
func (t *tunnels) header(out []byte, inner *datagram, src, dst netip.Addr) (nextAt int) {
	class := inner.trafficClass()
	if dst.Is6() {
		clear(out[:ipv6Header])
		out[0], out[7] = 0x60, outerTTL
		(&datagram{b: out}).setTrafficClass(class)
		from, to := src.As16(), dst.As16()
		copy(out[8:], from[:])
		copy(out[24:], to[:])
		return 6
	}
	t.id++
	clear(out[:minHeader])
	out[0], out[1] = 0x45, class
	binary.BigEndian.PutUint16(out[4:], t.id)
	if t.dontFragment(inner) {
		out[6] = 0x40
	}
	out[8] = outerTTL
	from, to := src.As4(), dst.As4()
	copy(out[12:], from[:])
	copy(out[16:], to[:])
	return 9
}

// ECN codepoints, the low bits of the traffic class (RFC 3168, Section 5).
const (
	ecnMask = 3
	ecnCE   = 3 // congestion experienced
)

// decapsulate makes of a tunnel's packet the datagram that it carried. Its header
// stays as it is but for one thing: congestion that the outer packet met is
// passed on to transports that asked for it (RFC 4301, Section 5.1.2.1, note 6).
func (d *datagram) decapsulate(content []byte, next uint8) defect {
	if next != protoIPv4 && next != protoIPv6 {
		return notTunnelled
	}
	congested := d.trafficClass()&ecnMask == ecnCE
	bad := d.parse(content)
	switch {
	case bad != "":
		return defect("inside: " + bad)
	case d.v6() != (next == protoIPv6):
		return otherFamily
	}
	class := d.trafficClass()
	if ecn := class & ecnMask; congested && (ecn == 1 || ecn == 2) {
		d.setTrafficClass(class | ecnCE)
		d.finish(d.b, d.proto())
	}
	return ""
}
