package natbox

import "fmt"

// receiveIPv4 sorts an arrived packet: for the router itself, to be forwarded, or neither.
func (i *iface) receiveIPv4(frame []byte, linkGroup bool) {
	r := i.r
	p, bad := parseIPv4(frame[etherHeader:])
	if bad != 0 {
		r.dropBytes(bad, frame[etherHeader:])
		return
	}
	frame = frame[:etherHeader+len(p)] // without Ethernet's padding
	r.counters.Received++
	dst := p.dst()
	switch {
	case !hostAddress(p.src()) || r.broadcast(p.src()):
		r.drop(badSource, p)
	case r.own(p.src()):
		r.drop(ownSource, p)
	case dst.IsMulticast():
		r.drop(multicast, p)
	case r.broadcast(dst):
		r.drop(broadcast, p)
	case !hostAddress(dst):
		r.drop(badDestination, p)
	case linkGroup: // RFC 1812, Section 5.3.4 and RFC 1122, Section 3.3.6
		r.drop(linkBroadcast, p)
	default:
		i.accept(p, outgoing{datagram: p, frame: frame, in: i})
	}
}

// accept takes a packet between hosts.
func (i *iface) accept(p packet, o outgoing) {
	if bad := eachOption(p.options(), func([]byte) {}); bad >= 0 {
		// RFC 1812, Section 4.3.3.5: the pointer names the octet.
		i.r.drop(badOptions, p)
		i.r.icmpError(icmpParameter, 0, uint32(ipv4Header+bad)<<24, p)
		return
	}
	i.r.arrive(p, o)
}

// pass takes a packet between hosts that is translated, if it had to be. why is what
// becomes of one to the router for which it has no use.
func (r *Router) pass(p packet, o outgoing, why string) {
	if !r.own(p.dst()) {
		r.forward(o)
	} else if r.crosses(o, nil) {
		r.deliver(p, why)
	}
}

// forward finds the way on. RFC 1812, Section 5.2.1: the route first, then the TTL.
func (r *Router) forward(o outgoing) {
	rt, ok := r.routes.lookup(o.dst())
	if !ok {
		r.drop(noRoute, o.datagram)
		r.report(networkUnreachable, o.asSent())
		return
	}
	if o.hops() <= 1 {
		r.drop(ttlExpired, o.datagram)
		r.report(hopsExceeded, o.asSent())
		return
	}
	if !r.crosses(o, rt.out) {
		return
	}
	if p, ok := o.datagram.(packet); ok && r.nat.faces(rt.out) && !r.nat.faces(o.in) && o.sent == nil {
		r.leave(p, rt, o)
		return
	}
	rt.out.output(rt.next(o.dst()), o)
}

// originate sends a packet of the router's own.
func (r *Router) originate(rt route, p datagram, frame []byte, comment string) {
	rt.out.output(rt.next(p.dst()), outgoing{datagram: p, frame: frame, comment: comment})
}

// emit puts a packet on the segment. Until here it is as it was received, so that
// an ICMP error can quote it.
func (i *iface) emit(to mac, o outgoing) {
	switch p := o.datagram.(type) {
	case packet:
		i.emit4(to, p, o)
	case packet6:
		i.emit6(to, p, o)
	}
}

// emit4 sends an IPv4 packet, in fragments where the link demands it.
func (i *iface) emit4(to mac, p packet, o outgoing) {
	r := i.r
	mtu := i.port.MTU()
	if len(p) > mtu && p.df() {
		r.drop(mustFragment, p)
		if about, ok := o.asSent().(packet); ok && o.in != nil {
			r.icmpError(icmpUnreachable, codeFragmentationNeeded, uint32(mtu), about) // RFC 1191, Section 4
		}
		return
	}
	frames := [][]byte{o.frame}
	if len(p) > mtu {
		if p.offset()+len(p.payload()) > maxIPv4-ipv4Header { // no offset could say where the pieces belong
			r.drop(oversized, p)
			return
		}
		if frames = fragment(p, mtu); frames == nil {
			r.drop(unfragmentable, p)
			return
		}
		r.counters.Fragmented++
		r.counters.Fragments += uint64(len(frames))
	}
	if o.in != nil {
		r.counters.Forwarded++
	}
	for n, f := range frames {
		if o.in != nil {
			packet(f[etherHeader:]).decrementTTL()
		}
		comment := o.comment
		if len(frames) > 1 && comment == "" {
			comment = fmt.Sprintf("router %s: fragment %d of %d", r.name, n+1, len(frames))
		}
		i.send(to, f, comment)
	}
}
