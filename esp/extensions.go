package esp

// What AH covers of the IPv6 header and of the extension headers in front of it.

// optPad1 is the one option without a length (RFC 8200, Section 4.2).
const optPad1 = 0

// optChanges is the bit of an option type that says that routers may change the
// option's data (RFC 8200, Section 4.2).
const optChanges = 0x20

// Types of routing headers whose last address is the datagram's destination.
const (
	routeSource = 0 // RFC 2460, Section 4.4; deprecated by RFC 5095
	routeHome   = 2 // RFC 6275, Section 6.4
)

// eachExtension calls f for each extension header in h, whole and with its kind.
// h is a valid header up to the payload.
func eachExtension(h []byte, f func(kind uint8, header []byte)) {
	for at, kind := ipv6Header, h[6]; at < len(h); {
		size := 8
		if kind != extFragment {
			size += 8 * int(h[at+1])
		}
		f(kind, h[at:at+size])
		kind, at = h[at], at+size
	}
}

// eachIPv6Option calls f for each option but Pad1 of a header, whole. It reports
// false when an option's length is wrong.
func eachIPv6Option(header []byte, f func(option []byte)) bool {
	for o := header[2:]; len(o) > 0; {
		if o[0] == optPad1 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || 2+int(o[1]) > len(o) {
			return false
		}
		f(o[:2+int(o[1])])
		o = o[2+int(o[1]):]
	}
	return true
}

// immutableIPv6 makes of headers what AH covers of them (RFC 4302, Section
// 3.3.3.1.2): traffic class, flow label, hop limit and the data of options that
// may change become zero. leaving: routing headers become what they will be when
// the datagram arrives, and the destination with them.
func immutableIPv6(h []byte, leaving bool) {
	h[0] &= 0xf0
	clear(h[1:4])
	h[7] = 0
	destination := (*[16]byte)(h[24:40])
	eachExtension(h, func(kind uint8, header []byte) {
		switch kind {
		case extHopByHop, extDestination:
			eachIPv6Option(header, func(o []byte) {
				if o[0]&optChanges != 0 {
					clear(o[2:])
				}
			})
		case extRouting:
			if leaving {
				follow(header, destination)
			}
		}
	})
}

// follow does to a routing header and the destination what the hops on the way
// will do: RFC 2460, Section 4.4. The header is one that AH can cover.
func follow(header []byte, destination *[16]byte) {
	addresses := header[8:]
	for left := int(header[3]); left > 0; left-- {
		next := (*[16]byte)(addresses[len(addresses)-16*left:])
		*next, *destination = *destination, *next
	}
	header[3] = 0
}

// uncoverableIPv6 is why AH cannot cover headers; empty if it can. Options must be
// well formed. A routing header with stops to make must be of a kind whose end is
// known. A fragment header, even that of a whole datagram (RFC 6946), does not
// reach the other end's AH.
func uncoverableIPv6(h []byte) (why defect) {
	eachExtension(h, func(kind uint8, header []byte) {
		switch kind {
		case extHopByHop, extDestination:
			if !eachIPv6Option(header, func([]byte) {}) {
				why = badOptions
			}
		case extRouting:
			addresses, left := len(header)-8, int(header[3])
			known := header[2] == routeSource || header[2] == routeHome
			if left > 0 && (!known || addresses%16 != 0 || 16*left > addresses) {
				why = openRoute
			}
		case extFragment:
			why = atomicPart
		}
	})
	return why
}
