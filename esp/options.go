package esp

// What AH covers of an IPv4 header.

// Types of IPv4 options (RFC 791, Section 3.1) that AH treats each in its own
// way. RFC 4302, Appendix A1, lists them.
const (
	optEnd              = 0x00
	optNop              = 0x01
	optSecurity         = 0x82 // RFC 1108
	optExtendedSecurity = 0x85 // RFC 1108
	optCIPSO            = 0x86 // draft-ietf-cipso-ipsecurity
	optRouterAlert      = 0x94 // RFC 2113
	optSenderDirected   = 0x95 // RFC 1770
	optLooseRoute       = 0x83 // RFC 791
	optStrictRoute      = 0x89 // RFC 791
)

// eachOption calls f for each option but End and No Operation, whole, with type
// and length. It reports false when an option's length is wrong.
func eachOption(options []byte, f func(option []byte)) bool {
	for len(options) > 0 && options[0] != optEnd {
		if options[0] == optNop {
			options = options[1:]
			continue
		}
		if len(options) < 2 || int(options[1]) < 2 || int(options[1]) > len(options) {
			return false
		}
		f(options[:options[1]])
		options = options[options[1]:]
	}
	return true
}

// zeroMutable clears the options that may change on the way, types and lengths
// included: all but those that RFC 4302, Appendix A1, calls immutable. An option
// that it does not list may change.
func zeroMutable(options []byte) {
	eachOption(options, func(o []byte) {
		switch o[0] {
		case optSecurity, optExtendedSecurity, optCIPSO, optRouterAlert, optSenderDirected:
		default:
			clear(o)
		}
	})
}

// immutableIPv4 makes of a header what AH covers of it (RFC 4302, Section
// 3.3.3.1.1.1 and Appendix A1): TOS, flags and fragment offset, TTL, checksum and
// some options become zero. leaving: the destination becomes the last one of a
// source route, where it will be when it arrives.
func immutableIPv4(h []byte, leaving bool) {
	h[1] = 0
	clear(h[6:9])
	clear(h[10:12])
	if leaving {
		copy(h[16:20], lastStop(h[minHeader:]))
	}
	zeroMutable(h[minHeader:])
}

// immutableOldIPv4 is immutableIPv4 for AH of RFC 1826, which is said to have covered TOS
// and the Don't Fragment bit, too, and the rest of the header as its successors do. What
// it made of options is taken from them: a choice of the lab.
func immutableOldIPv4(h []byte, leaving bool) {
	tos, df := h[1], h[6]&0x40
	immutableIPv4(h, leaving)
	h[1], h[6] = tos, df
}

// lastStop is the last address of a source route that is not used up; nil when
// there is none. RFC 4302, Section 3.3.3.1.1.2 has the sender of AH use it.
func lastStop(options []byte) (last []byte) {
	eachOption(options, func(o []byte) {
		// Type, length, pointer, addresses; the pointer counts from 1 and lies
		// behind the last address when all have been visited (RFC 791, Section 3.1).
		if (o[0] == optLooseRoute || o[0] == optStrictRoute) && len(o) >= 7 && int(o[2]) <= len(o) {
			last = o[len(o)-4:]
		}
	})
	return last
}

// uncoverable is why AH cannot cover what stands in front of a datagram's
// payload; empty if it can.
func (d *datagram) uncoverable() defect {
	if d.v6() {
		return uncoverableIPv6(d.b[:d.headerLen])
	}
	if !eachOption(d.b[minHeader:d.headerLen], func([]byte) {}) {
		return badOptions
	}
	return ""
}
