package attack

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// place is where a field lies in a frame, in bits.
type place struct{ at, length int }

func bytesAt(at, n int) place { return place{at * 8, n * 8} }

// fields are what can be altered by name. A frame without the header, or that
// hides it, does not have the field.
var fields = map[string]func(view, []byte) (place, bool){
	// RFC 791, Section 3.1 and RFC 8200, Section 3.
	"ip.tos":           inIP(bytesAt(1, 1), place{4, 8}),
	"ip.flow-label":    inIP(place{}, place{12, 20}),
	"ip.id":            inIP(bytesAt(4, 2), place{}),
	"ip.dont-fragment": inIP(place{6*8 + 1, 1}, place{}),
	"ip.ttl":           inIP(bytesAt(8, 1), bytesAt(7, 1)),
	"ip.protocol":      func(v view, _ []byte) (place, bool) { return bytesAt(v.number, 1), true },
	"ip.checksum":      inIP(bytesAt(10, 2), place{}),
	"ip.options":       ipOptions,
	"ip.src":           inIP(bytesAt(12, 4), bytesAt(8, 16)),
	"ip.dst":           inIP(bytesAt(16, 4), bytesAt(24, 16)),

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
	"icmp.type":            inICMP(0, 1),
	"icmp.code":            inICMP(1, 1),
	"icmp.checksum":        inICMP(2, 2),
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
		return bytesAt(v.message+28, v.transportEnd-v.message-28), v.message != 0 && v.transportEnd > v.message+28
	},
}

// inIP is a field of the IP header, counted from its start, in either version; one of no length is not in that version.
func inIP(v4, v6 place) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) {
		p := v4
		if v.v6 {
			p = v6
		}
		return place{v.ip*8 + p.at, p.length}, p.length > 0
	}
}

// ipOptions are those of IPv4, all of them.
func ipOptions(v view, f []byte) (place, bool) {
	if v.v6 {
		return place{}, false
	}
	n := int(f[v.ip]&15)*4 - 20
	return bytesAt(v.ip+20, n), n > 0
}

func inICMP(at, n int) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) {
		return bytesAt(v.transport+at, n), v.transport != 0 && v.proto == v.icmp()
	}
}

func inTransport(proto uint8, at, n int) func(view, []byte) (place, bool) {
	return func(v view, _ []byte) (place, bool) {
		return bytesAt(v.transport+at, n), v.transport != 0 && v.proto == proto
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
		return bytesAt(v.message+at, n), v.message != 0 && v.transportEnd-v.message >= at+n
	}
}

func espPayload(v view, _ []byte) (place, bool) {
	return bytesAt(v.esp+8, v.end-v.esp-8), v.esp != 0 && v.end > v.esp+8
}

// anyPayload is the data of UDP, TCP or ICMP where they can be read, and else what
// encryption makes of it: everything behind the header of ESP and room for an IV,
// but the last bytes, which may be the ICV.
func anyPayload(v view, f []byte) (place, bool) {
	if v.transport != 0 && !v.encapsulated {
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

func (c *Change) isAddress() bool { return c.Field == "ip.src" || c.Field == "ip.dst" }

// put writes the lowest bits of a number, in network order, to a place between bytes.
func (p place) put(f, number []byte) {
	for i := range min(p.length, len(number)*8) { // from the lowest bit up
		at, bit := p.at+p.length-1-i, number[len(number)-1-i/8]>>(i%8)&1
		mask := byte(0x80 >> (at % 8))
		f[at/8] &^= mask
		f[at/8] |= bit << (7 - at%8)
	}
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
	case c.isAddress() && len(c.Value)*8 != p.length:
		return fmt.Errorf("%s is an address of the other version of IP", c.Field)
	case p.at%8 != 0 || p.length%8 != 0:
		p.put(f, c.Value)
	case (c.At+len(c.Value))*8 > p.length:
		return fmt.Errorf("%s has %d bytes: %d bytes from byte %d on do not fit", c.Field, p.length/8, len(c.Value), c.At)
	default:
		copy(f[p.at/8+c.At:], c.Value)
	}
	return nil
}
