package natbox

import (
	"encoding/binary"
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// ICMPv6 types, RFC 4443, Sections 3 and 4, and RFC 4861, Section 4.
const (
	icmp6Unreachable   = 1
	icmp6TooBig        = 2
	icmp6TimeExceeded  = 3
	icmp6Parameter     = 4
	icmp6Echo          = 128 // the first that is no error
	icmp6EchoReply     = 129
	icmp6RouterSolicit = 133
	icmp6Solicit       = 135
	icmp6Advertise     = 136
	icmp6Redirect      = 137
)

// Codes, RFC 4443, Section 3.
const (
	code6NoRoute     = 0
	code6Prohibited  = 1
	code6BeyondScope = 2
	code6Address     = 3
	code6Port        = 4

	code6Transit    = 0
	code6Reassembly = 1

	code6Field      = 0
	code6NextHeader = 1
)

// ownHops is the hop limit of the router's own packets, as in IPv4.
const ownHops = 64

// icmp6Names are for comments in the capture.
var icmp6Names = map[[2]uint8]string{
	{icmp6Unreachable, code6NoRoute}:     "no route",
	{icmp6Unreachable, code6Prohibited}:  "administratively prohibited",
	{icmp6Unreachable, code6BeyondScope}: "beyond the scope of the source address",
	{icmp6Unreachable, code6Address}:     "address unreachable",
	{icmp6Unreachable, code6Port}:        "port unreachable",
	{icmp6TooBig, 0}:                     "packet too big",
	{icmp6TimeExceeded, code6Transit}:    "hop limit exceeded",
	{icmp6TimeExceeded, code6Reassembly}: "reassembly time exceeded",
	{icmp6Parameter, code6Field}:         "parameter problem",
	{icmp6Parameter, code6NextHeader}:    "unrecognized next header",
}

// problem is what both families report, each with a type and code of its own.
type problem struct{ type4, code4, type6, code6 uint8 }

var (
	networkUnreachable = problem{icmpUnreachable, codeNet, icmp6Unreachable, code6NoRoute}
	hostUnreachable    = problem{icmpUnreachable, codeHost, icmp6Unreachable, code6Address}
	prohibited         = problem{icmpUnreachable, codeProhibited, icmp6Unreachable, code6Prohibited}
	hopsExceeded       = problem{icmpTimeExceeded, codeTransit, icmp6TimeExceeded, code6Transit}
	reassemblyExceeded = problem{icmpTimeExceeded, codeReassembly, icmp6TimeExceeded, code6Reassembly}
)

// report tells the sender of a packet what became of it.
func (r *Router) report(what problem, about datagram) {
	switch p := about.(type) {
	case packet:
		r.icmpError(what.type4, what.code4, 0, p)
	case packet6:
		r.icmp6Error(what.type6, what.code6, 0, p)
	}
}

// icmp6Error tells the sender of a packet what became of it, as much of the packet
// quoted as fits into what every link carries (RFC 4443, Section 2.4(c)). It comes
// from the address of the interface that it leaves by, or from the address that
// the packet was sent to when that is the router's own: Section 2.2.
func (r *Router) icmp6Error(typ, code uint8, rest uint32, about packet6) {
	rt, ok := r.wayBack(about)
	if !ok || !mayReport6(about) || !r.errors.allow(r.w.Now()) {
		r.counters.ICMPSuppressed++
		return
	}
	from := rt.out.source(about.src())
	if r.own(about.dst()) {
		from = about.dst()
	}
	quote := about.Bytes[:min(len(about.Bytes), ipv6.MinMTU-ipv6.HeaderLen-icmpHeader)]
	m := make([]byte, icmpHeader, icmpHeader+len(quote))
	m[0], m[1] = typ, code
	binary.BigEndian.PutUint32(m[4:], rest)
	frame, p := newPacket6(from, about.src(), 0, ownHops, append(m, quote...))
	r.counters.ICMPErrors++
	r.originate(rt, p, frame, fmt.Sprintf("router %s: %s", r.name, icmp6Names[[2]uint8{typ, code}]))
}

// mayReport6 applies what of RFC 4443, Section 2.4(e) is left to check: no error
// about an ICMPv6 error or redirect. Packets to or from other addresses than a
// host's never get here.
func mayReport6(p packet6) bool {
	if p.Proto != ipv6.ICMP || p.Offset() > 0 {
		return true
	}
	m := p.Payload()
	return len(m) > 0 && m[0] >= icmp6Echo && m[0] != icmp6Redirect
}

// deliver6 takes a packet to one of the router's own addresses.
func (r *Router) deliver6(p packet6) {
	if at, left := p.RouteLeft(); left {
		r.drop(sourceRouted, p)
		r.icmp6Error(icmp6Parameter, code6Field, uint32(at), p)
		return
	}
	if p.IsFragment() {
		whole := r.reassemble6(p)
		if whole == nil {
			return
		}
		parsed, err := ipv6.Parse(whole)
		if err != nil {
			r.dropBytes(badIPv6, whole)
			return
		}
		p = packet6{parsed, p.in}
	}
	r.counters.Delivered++
	m := p.Payload()
	switch {
	case p.Proto == protoUDP:
		r.drop(noService, p)
		r.icmp6Error(icmp6Unreachable, code6Port, 0, p)
	case p.Proto == ipv6.NoNext: // RFC 8200, Section 4.7
	case p.Proto != ipv6.ICMP:
		r.drop(noService, p)
		r.icmp6Error(icmp6Parameter, code6NextHeader, uint32(p.ProtoField()), p)
	case len(m) < icmpHeader || p.icmpChecksum() != 0:
		r.drop(badICMP, p)
	case m[0] == icmp6Echo:
		r.echo6(p)
	}
}

// echo6 answers an echo request to the router, RFC 4443, Section 4.2.
func (r *Router) echo6(request packet6) {
	rt, ok := r.wayBack(request)
	if !ok {
		r.drop(noRoute, request)
		return
	}
	m := append([]byte(nil), request.Payload()...)
	m[0], m[2], m[3] = icmp6EchoReply, 0, 0
	frame, p := newPacket6(request.dst(), request.src(), request.TrafficClass(), ownHops, m)
	r.counters.EchoReplies++
	r.originate(rt, p, frame, "")
}

// icmpChecksum is the checksum over the upper layer as ICMPv6, with the pseudo-header
// of RFC 8200, Section 8.1: 0 over a good message, its checksum included.
func (p packet6) icmpChecksum() uint16 {
	m := p.Payload()
	sum := checksum.Checksum(p.Bytes[8:ipv6.HeaderLen], 0)
	sum = checksum.Combine(sum, checksum.Combine(uint16(len(m)>>16), uint16(len(m)&0xffff)))
	sum = checksum.Combine(sum, uint16(ipv6.ICMP))
	return ^checksum.Checksum(m, sum)
}
