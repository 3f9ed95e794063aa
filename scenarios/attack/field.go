package attack

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// place is where a field lies in a frame, in bits.
type place struct{ at, length int }

func bytesAt(at, n int) place { return place{at * 8, n * 8} }

// fields are what can be altered by name. A frame without the header, or that
// hides it, does not have the field.
var fields = map[string]func(view, []byte) (place, bool){
	// RFC 791, Section 3.1, and of IPv6 what stands for it: traffic class, hop limit,
	// the next header behind all extension headers (RFC 8200, Section 3).
	"ip.tos": func(v view, _ []byte) (place, bool) {
		if v.six {
			return place{v.ip*8 + 4, 8}, true
		}
		return bytesAt(v.ip+1, 1), true
	},
	"ip.id":            ipv4(4, 2),
	"ip.dont-fragment": func(v view, _ []byte) (place, bool) { return place{(v.ip+6)*8 + 1, 1}, !v.six },
	"ip.ttl": func(v view, _ []byte) (place, bool) {
		if v.six {
			return bytesAt(v.ip+7, 1), true
		}
		return bytesAt(v.ip+8, 1), true
	},
	"ip.protocol": func(v view, _ []byte) (place, bool) { return bytesAt(v.upperAt, 1), true },
	"ip.checksum": ipv4(10, 2),
	"ip.src":      inAddresses(0),
	"ip.dst":      inAddresses(1),

	"tcp.source-port":      inTransport(ipsec.ProtoTCP, 0, 2),
	"tcp.destination-port": inTransport(ipsec.ProtoTCP, 2, 2),
	"tcp.sequence":         inTransport(ipsec.ProtoTCP, 4, 4),
	"tcp.acknowledgment":   inTransport(ipsec.ProtoTCP, 8, 4),
	"tcp.flags":            inTransport(ipsec.ProtoTCP, 13, 1),
	"tcp.window":           inTransport(ipsec.ProtoTCP, 14, 2),
	"tcp.checksum":         inTransport(ipsec.ProtoTCP, 16, 2),
	"udp.source-port":      inTransport(ipsec.ProtoUDP, 0, 2),
	"udp.destination-port": inTransport(ipsec.ProtoUDP, 2, 2),
	"udp.length":           inTransport(ipsec.ProtoUDP, 4, 2),
	"udp.checksum":         inTransport(ipsec.ProtoUDP, 6, 2),
	"icmp.type":            inTransport(ipsec.ProtoICMP, 0, 1),
	"icmp.code":            inTransport(ipsec.ProtoICMP, 1, 1),
	"icmp.checksum":        inTransport(ipsec.ProtoICMP, 2, 2),
	"payload":              anyPayload,

	// RFC 4303, Section 2.
	"esp.spi":      inESP(0, 4),
	"esp.sequence": inESP(4, 4),
	"esp.payload":  espPayload,

	// RFC 4302, Section 2.
	"ah.next-header": inAH(0, 1),
	"ah.length":      inAH(1, 1),
	"ah.reserved":    inAH(2, 2),
	"ah.spi":         inAH(4, 4),
	"ah.sequence":    inAH(8, 4),
	"icv":            anyICV,

	// RFC 2408, Section 3.1.
	"ike.cookie-initiator": inIKE(0, 8),
	"ike.cookie-responder": inIKE(8, 8),
	"ike.next-payload":     inIKE(16, 1),
	"ike.version":          inIKE(17, 1),
	"ike.exchange":         inIKE(18, 1),
	"ike.flags":            inIKE(19, 1),
	"ike.message-id":       inIKE(20, 4),
	"ike.length":           inIKE(24, 4),
	"ike.payload": func(v view, f []byte) (place, bool) {
		return bytesAt(v.data+28, v.transportEnd-v.data-28), v.isIKE(f) && v.transportEnd > v.data+28
	},
}

// Fields are the names of all fields, sorted.
func Fields() []string { return slices.Sorted(maps.Keys(fields)) }

func ipv4(at, n int) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) { return bytesAt(v.ip+at, n), !v.six }
}

func inAddresses(which int) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) {
		at, length := v.addresses()
		return bytesAt(at+which*length, length), true
	}
}

func inTransport(proto uint8, at, n int) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) {
		same := v.proto == proto || isICMP(v.proto) && isICMP(proto)
		return bytesAt(v.transport+at, n), v.transport != 0 && same
	}
}

func inESP(at, n int) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) { return bytesAt(v.esp+at, n), v.esp != 0 }
}

func inAH(at, n int) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) { return bytesAt(v.ah+at, n), v.ah != 0 }
}

func inIKE(at, n int) func(view, []byte) (place, bool) {
	return func(v view, f []byte) (place, bool) {
		return bytesAt(v.data+at, n), v.isIKE(f) && v.transportEnd-v.data >= at+n
	}
}

// isIKE reports a message from or to UDP port 500 in the clear.
func (v view) isIKE(f []byte) bool {
	return v.proto == ipsec.ProtoUDP && v.transport != 0 && v.esp == 0 && v.ah == 0 &&
		(binary.BigEndian.Uint16(f[v.transport:]) == 500 || binary.BigEndian.Uint16(f[v.transport+2:]) == 500)
}

func espPayload(v view, _ []byte) (place, bool) {
	return bytesAt(v.esp+8, v.end-v.esp-8), v.esp != 0 && v.end > v.esp+8
}

// anyPayload is the data of UDP, TCP or ICMP where they can be read, and else what
// encryption makes of it: everything behind the header of ESP and room for an IV,
// but the last bytes, which may be the ICV.
func anyPayload(v view, f []byte) (place, bool) {
	if v.transport != 0 {
		return bytesAt(v.data, v.transportEnd-v.data), v.transportEnd > v.data
	}
	const iv, tail = 16, 32
	if at := v.esp + 8 + iv; v.hidden && v.end-tail > at {
		return bytesAt(at, v.end-tail-at), true
	}
	p, ok := espPayload(v, f)
	return p, ok && v.hidden
}

// anyICV is that of AH, or the last 12 bytes of ESP: the shortest ICV, or the end of a longer one.
func anyICV(v view, f []byte) (place, bool) {
	if v.ah != 0 {
		n := (int(f[v.ah+1])+2)*4 - 12
		return bytesAt(v.ah+12, n), n > 0 && v.ah+12+n <= v.end
	}
	return bytesAt(v.end-12, 12), v.esp != 0 && v.end-12 >= v.esp+8
}

// Change alters one field.
type Change struct {
	Field string // one of Fields
	Flip  int    // without a Value: the bit to flip, counted from the field's first, the highest
	Value []byte // in network order, of the length of the field or, in a field of many bytes, shorter
	At    int    // with a Value shorter than the field: the byte at which it begins
	Words string // what was done, for people
}

// apply alters a frame; the view is of the frame before any change.
func (c *Change) apply(v view, f []byte) error {
	find, known := fields[c.Field]
	if !known {
		return fmt.Errorf("attack: no field is called %q", c.Field)
	}
	p, ok := find(v, f)
	switch {
	case !ok:
		return fmt.Errorf("the frame has no %s that can be read", c.Field)
	case c.Value == nil && c.Flip >= p.length:
		return fmt.Errorf("%s has %d bits, and none with the number %d", c.Field, p.length, c.Flip)
	case c.Value == nil:
		at := p.at + c.Flip
		f[at/8] ^= 0x80 >> (at % 8)
	case p.length < 8: // a flag
		mask := byte(0x80 >> (p.at % 8))
		f[p.at/8] &^= mask
		if c.Value[len(c.Value)-1] != 0 {
			f[p.at/8] |= mask
		}
	case p.at%8 != 0: // it begins within a byte
		for i := range p.length {
			at, bit := p.at+i, c.Value[len(c.Value)-1]>>(p.length-1-i)&1
			f[at/8] = f[at/8]&^(0x80>>(at%8)) | bit<<(7-at%8)
		}
	case (c.Field == "ip.src" || c.Field == "ip.dst") && len(c.Value)*8 != p.length:
		return fmt.Errorf("%s has %d bytes, and the value is of the other family", c.Field, p.length/8)
	case (c.At+len(c.Value))*8 > p.length:
		return fmt.Errorf("%s has %d bytes: %d bytes from byte %d on do not fit", c.Field, p.length/8, len(c.Value), c.At)
	default:
		copy(f[p.at/8+c.At:], c.Value)
	}
	return nil
}
