package esp

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

// validOptions reports whether the options can be told apart, which AH has to.
func (d datagram) validOptions() bool {
	return eachOption(d.b[minHeader:d.headerLen], func([]byte) {})
}

// finalDestination is the destination that a datagram will have when it arrives:
// the last address of a source route that is not used up, else the one in its
// header. RFC 4302, Section 3.3.3.1.1.2 has the sender of AH use it.
func (d datagram) finalDestination() [4]byte {
	final := [4]byte(d.b[16:20])
	eachOption(d.b[minHeader:d.headerLen], func(o []byte) {
		// Type, length, pointer, addresses; the pointer counts from 1 and lies
		// behind the last address when all have been visited (RFC 791, Section 3.1).
		if (o[0] == optLooseRoute || o[0] == optStrictRoute) && len(o) >= 7 && int(o[2]) <= len(o) {
			final = [4]byte(o[len(o)-4:])
		}
	})
	return final
}
