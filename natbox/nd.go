package natbox

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// Neighbour discovery for IPv6 on Ethernet, RFC 4861. The router solicits and
// advertises; it sends no router advertisements and no redirects, and takes none.
const (
	ndHops          = 255 // of every message: it comes from this link, Section 11.2
	ndTarget        = 8   // where the target address stands in a solicitation and an advertisement
	ndOptions       = ndTarget + 16
	optionSourceMAC = 1 // Section 4.6.1
	optionTargetMAC = 2

	flagRouter    = 0x80 // in an advertisement, Section 4.4
	flagSolicited = 0x40
	flagOverride  = 0x20
)

// solicit asks for the MAC address of a neighbour. Section 7.2.2.
func (i *iface) solicit(target netip.Addr) {
	group, to := ipv6.SolicitedNode(target)
	i.sendND(to, icmp6Solicit, 0, i.source(target), group, target, optionSourceMAC)
}

func (i *iface) sendND(to mac, typ, flags uint8, src, dst, target netip.Addr, option uint8) {
	from := i.port.MAC()
	m := make([]byte, ndTarget, ndOptions+8)
	m[0], m[4] = typ, flags
	m = append(m, target.AsSlice()...)
	m = append(append(m, option, 1), from[:]...) // a length of 1: 8 bytes
	frame, _ := newPacket6(src, dst, 0, ndHops, m)
	i.transmit(to, frame, "")
}

// receiveND takes the messages of neighbour discovery. It reports whether the
// packet was one.
func (i *iface) receiveND(p packet6) bool {
	m := p.Payload()
	if p.Proto != ipv6.ICMP || p.Offset() > 0 || len(m) == 0 || m[0] < icmp6RouterSolicit || m[0] > icmp6Redirect {
		return false
	}
	// Sections 6.1 and 7.1, and RFC 6980, Section 5.
	valid := p.HopLimit() == ndHops && !p.HasFragmentHeader() && len(m) >= icmpHeader && m[1] == 0 && p.icmpChecksum() == 0
	switch {
	case !valid:
		i.r.dropBytes(malformedND, p.Bytes)
	case m[0] == icmp6Solicit || m[0] == icmp6Advertise:
		i.neighbourMessage(p, m)
	}
	return true
}

func (i *iface) neighbourMessage(p packet6, m []byte) {
	if len(m) < ndOptions {
		i.r.dropBytes(malformedND, p.Bytes)
		return
	}
	option := uint8(optionSourceMAC)
	if m[0] == icmp6Advertise {
		option = optionTargetMAC
	}
	from, ok := linkAddress(m[ndOptions:], option)
	target := netip.AddrFrom16([16]byte(m[ndTarget:]))
	switch {
	case !ok || target.IsMulticast():
		i.r.dropBytes(malformedND, p.Bytes)
	case m[0] == icmp6Solicit:
		i.solicited(p, target, from)
	case i.own(target):
		i.r.dropBytes(addressConflict, p.Bytes)
	default:
		i.advertised(m, target, from)
	}
}

// linkAddress finds the option with a MAC address; the zero one when it is not
// there. ok is false for options that make no sense. Section 4.6.
func linkAddress(options []byte, want uint8) (m mac, ok bool) {
	for len(options) > 0 {
		n := 0
		if len(options) >= 2 {
			n = int(options[1]) * 8
		}
		if n == 0 || n > len(options) {
			return mac{}, false
		}
		if options[0] == want {
			m = mac(options[2:8])
		}
		options = options[n:]
	}
	return m, !m.group()
}

// solicited answers who asks for an address of the router, and notes where the
// answer goes. Sections 7.2.3 and 7.2.4.
func (i *iface) solicited(p packet6, target netip.Addr, from mac) {
	r, src := i.r, p.src()
	probe := src.IsUnspecified() // duplicate address detection: RFC 4862, Section 5.4.3
	_, near := i.onLink(src)
	switch {
	case !i.own(target):
		return
	case probe != (from == mac{}):
		r.dropBytes(malformedND, p.Bytes) // Sections 4.3 and 7.1.1
		return
	case !probe && !near:
		r.dropBytes(foreignND, p.Bytes)
		return
	case i.own(src):
		r.dropBytes(addressConflict, p.Bytes)
		return
	}
	r.counters.Advertisements++
	if probe {
		allNodes := netip.IPv6LinkLocalAllNodes()
		i.sendND(mac{0x33, 0x33, 0, 0, 0, 1}, icmp6Advertise, flagRouter|flagOverride, target, allNodes, target, optionTargetMAC)
		return
	}
	n := i.neighbours[src]
	if n == nil {
		n = i.addNeighbour(src)
	}
	if n != nil {
		i.learn(n, from)
	}
	i.sendND(from, icmp6Advertise, flagRouter|flagSolicited|flagOverride, target, src, target, optionTargetMAC)
}

// advertised notes the address of a neighbour that the router knows or asks for.
// Without the override flag it does not replace another one. Section 7.2.5.
func (i *iface) advertised(m []byte, target netip.Addr, from mac) {
	n := i.neighbours[target]
	switch resolved := n != nil && n.timer == nil; {
	case n == nil || from == mac{}:
	case resolved && from != n.mac && m[4]&flagOverride == 0:
	default:
		i.learn(n, from)
	}
}
