package esp

import (
	"encoding/binary"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Sizes of RFC 8200, Section 3.
const (
	ipv6Header  = 40
	maxIPv6     = ipv6Header + 65535 // jumbograms (RFC 2675) are not built
	minIPv6Path = 1280               // the MTU that every link has, RFC 8200, Section 5
)

// Extension headers of RFC 8200, Section 4, other than ESP and AH. Headers that
// are defined elsewhere count as an upper layer.
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extDestination = 60
)

// parseIPv6 checks lengths and walks the extension headers, up to the first
// that is none or hides the rest: ESP, AH, an upper layer, or what a non-first
// fragment goes on with. See parse.
func (d *datagram) parseIPv6(b []byte) malformed {
	if len(b) < ipv6Header {
		return "packet is shorter than an IPv6 header"
	}
	total := ipv6Header + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return "packet is shorter than its IPv6 payload length"
	}
	d.b, d.headerLen, d.nextAt, d.part = b[:total], ipv6Header, 6, 0
	for at, nextAt := ipv6Header, 6; ; {
		kind := d.b[nextAt]
		switch kind {
		case extHopByHop:
			if at != ipv6Header { // RFC 8200, Section 4.1
				return "IPv6 hop-by-hop options are not right behind the header"
			}
		case extRouting, extFragment, extDestination:
		case ipsec.ProtoESP, ipsec.ProtoAH:
			d.headerLen, d.nextAt, d.upperAt, d.upper = at, nextAt, at, kind
			return ""
		default:
			d.upperAt, d.upper = at, kind
			return ""
		}
		size := 8
		if len(d.b) >= at+size && kind != extFragment {
			size += 8 * int(d.b[at+1])
		}
		if len(d.b) < at+size {
			return "packet ends within its IPv6 extension headers"
		}
		if kind == extFragment {
			field := binary.BigEndian.Uint16(d.b[at+2:])
			d.part |= field>>3 | field&1*moreFragments
		}
		nextAt, at = at, at+size
		if kind != extDestination {
			d.headerLen, d.nextAt = at, nextAt
		}
		if d.offset() > 0 {
			if d.upperAt, d.upper = at, d.b[nextAt]; extension(d.upper) {
				d.upper = ipsec.ProtoAny
			}
			return ""
		}
	}
}

// extension reports whether a protocol is one of the extension headers above.
func extension(proto uint8) bool {
	return proto == extHopByHop || proto == extRouting || proto == extFragment || proto == extDestination
}
