package natbox

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// packet6 is a valid IPv6 packet, cut to its length, and where it came in: a
// link-local address means something on that link alone.
type packet6 struct {
	ipv6.Packet
	in *iface
}

func (p packet6) src() netip.Addr { return p.Src() }
func (p packet6) dst() netip.Addr { return p.Dst() }
func (p packet6) hops() uint8     { return p.HopLimit() }

// String is protocol, addresses and ports, as in the rest of the trace.
func (p packet6) String() string {
	return describe(p.Proto, p.src(), p.dst(), p.Payload(), p.Offset() > 0)
}

// receiveIPv6 sorts an arrived packet: neighbour discovery, for the router itself, to be forwarded, or neither.
func (i *iface) receiveIPv6(frame []byte, linkGroup bool) {
	r := i.r
	parsed, err := ipv6.Parse(frame[etherHeader:])
	if err != nil {
		r.dropBytes(badIPv6, frame[etherHeader:])
		return
	}
	p := packet6{parsed, i}
	if i.receiveND(p) {
		return
	}
	frame = frame[:etherHeader+len(p.Bytes)] // without Ethernet's padding
	r.counters.Received++
	src, dst := p.src(), p.dst()
	switch {
	case !hostAddress(src):
		r.drop(badSource, p)
	case r.own(src):
		r.drop(ownSource, p)
	case dst.IsMulticast():
		r.drop(multicast, p)
	case !hostAddress(dst):
		r.drop(badDestination, p)
	case linkGroup: // RFC 4443, Section 2.4(e.4)
		r.drop(linkBroadcast, p)
	case r.own(dst):
		if r.crosses(outgoing{datagram: p, frame: frame, in: i}, nil) {
			r.deliver6(p)
		}
	case dst.IsLinkLocalUnicast(): // RFC 4291, Section 2.5.6
		r.drop(linkLocalScope, p)
	case src.IsLinkLocalUnicast():
		r.drop(linkLocalScope, p)
		r.icmp6Error(icmp6Unreachable, code6BeyondScope, 0, p)
	default:
		r.forward(outgoing{datagram: p, frame: frame, in: i})
	}
}

// wayBack is the route to the source of a packet.
func (r *Router) wayBack(p packet6) (route, bool) {
	if p.src().IsLinkLocalUnicast() {
		return route{out: p.in}, true
	}
	return r.routes.lookup(p.src())
}

// emit6 sends an IPv6 packet. Only its source may fragment it: RFC 8200, Section 5.
func (i *iface) emit6(to mac, p packet6, o outgoing) {
	r, mtu := i.r, i.port.MTU()
	switch {
	case len(p.Bytes) <= mtu && o.in == nil:
		i.send(to, o.frame, o.comment)
	case len(p.Bytes) <= mtu:
		r.counters.Forwarded++
		p.Bytes[7]-- // the hop limit
		i.send(to, o.frame, o.comment)
	case o.in != nil:
		r.drop(mustFragment, p)
		r.icmp6Error(icmp6TooBig, 0, uint32(mtu), p)
	default:
		frames, err := ipv6.Fragments(p.Packet, mtu, uint32(r.ids.Uint64()), etherHeader)
		if err != nil {
			r.drop(unfragmentable, p)
			return
		}
		r.counters.Fragmented++
		r.counters.Fragments += uint64(len(frames))
		for n, f := range frames {
			i.send(to, f, fmt.Sprintf("router %s: fragment %d of %d", r.name, n+1, len(frames)))
		}
	}
}

// newPacket6 makes a frame with room for the Ethernet header and a datagram of the
// router's own with an ICMPv6 message, whose bytes the caller has filled but for the checksum.
func newPacket6(src, dst netip.Addr, class, hops uint8, message []byte) (frame []byte, p packet6) {
	frame = make([]byte, etherHeader+ipv6.HeaderLen, etherHeader+ipv6.HeaderLen+len(message))
	frame = append(frame, message...)
	b := frame[etherHeader:]
	b[0], b[1] = 6<<4|class>>4, class<<4
	binary.BigEndian.PutUint16(b[4:], uint16(len(message)))
	b[6], b[7] = ipv6.ICMP, hops
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	p.Packet, _ = ipv6.ParseStart(b) // made above: a header and ICMPv6
	binary.BigEndian.PutUint16(p.Payload()[2:], p.icmpChecksum())
	return frame, p
}
