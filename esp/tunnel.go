package esp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// DF says what the Don't Fragment bit of a tunnel's outer header is, RFC 4301,
// Section 8.1.
type DF uint8

// The settings of DF.
const (
	DFCopy  DF = iota // that of the packet inside
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

// dontFragment reports whether the outer header of a packet with this bit has it set.
func (t *tunnels) dontFragment(inner bool) bool { return t.df == DFSet || t.df == DFCopy && inner }

// header writes the header of a tunnel packet, up to protocol, length and
// checksum: RFC 4301, Section 5.1.2.1. TOS is the inner one, with its ECN bits;
// identification and TTL are new; options are not copied.
func (t *tunnels) header(out []byte, inner datagram, src, dst netip.Addr) {
	t.id++
	clear(out[:minHeader])
	out[0], out[1] = 0x45, inner.b[1]
	binary.BigEndian.PutUint16(out[4:], t.id)
	if t.dontFragment(inner.df()) {
		out[6] = 0x40
	}
	out[8] = outerTTL
	from, to := src.As4(), dst.As4()
	copy(out[12:], from[:])
	copy(out[16:], to[:])
}

// ECN codepoints, the low bits of TOS (RFC 3168, Section 5).
const (
	ecnMask = 3
	ecnCE   = 3 // congestion experienced
)

// decapsulate makes the inner datagram of what a tunnel carried. Its header
// stays as it is but for one thing: congestion that the outer packet met is
// passed on to transports that asked for it (RFC 4301, Section 5.1.2.1, note 6).
func decapsulate(content []byte, next uint8, outer datagram) (datagram, defect) {
	if next != protoIPv4 {
		return datagram{}, notTunnelled
	}
	d, bad := parseIPv4(content)
	if bad != "" {
		return datagram{}, defect("inside: " + bad)
	}
	if ecn := d.b[1] & ecnMask; outer.b[1]&ecnMask == ecnCE && (ecn == 1 || ecn == 2) {
		d.b[1] |= ecnCE
		finish(d.b, d.headerLen, d.proto())
	}
	return d, ""
}
