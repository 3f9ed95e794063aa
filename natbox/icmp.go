package natbox

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// ICMP types, RFC 792.
const (
	icmpEchoReply    = 0
	icmpUnreachable  = 3
	icmpSourceQuench = 4
	icmpRedirect     = 5
	icmpEcho         = 8
	icmpTimeExceeded = 11
	icmpParameter    = 12
	icmpHeader       = 8
)

// Codes of destination unreachable and time exceeded, RFC 792.
const (
	codeNet                 = 0
	codeHost                = 1
	codeProtocol            = 2
	codePort                = 3
	codeFragmentationNeeded = 4
	codeSourceRouteFailed   = 5
	codeProhibited          = 13 // RFC 1812, Section 5.2.7.1

	codeTransit    = 0
	codeReassembly = 1
)

// maxICMPError is the length of a datagram with an ICMP error, RFC 1812, Section 4.3.2.3.
const maxICMPError = 576

// maxQuote is as much of a packet as an ICMP error quotes.
const maxQuote = maxICMPError - ipv4Header - icmpHeader

// internetworkControl is the precedence of ICMP errors, RFC 1812, Section 4.3.2.5.
const internetworkControl = 6 << 5

// icmpNames are for comments in the capture.
var icmpNames = map[[2]uint8]string{
	{icmpUnreachable, codeNet}:                 "network unreachable",
	{icmpUnreachable, codeHost}:                "host unreachable",
	{icmpUnreachable, codeProtocol}:            "protocol unreachable",
	{icmpUnreachable, codePort}:                "port unreachable",
	{icmpUnreachable, codeFragmentationNeeded}: "fragmentation needed",
	{icmpUnreachable, codeProhibited}:          "administratively prohibited",
	{icmpUnreachable, codeSourceRouteFailed}:   "source route failed",
	{icmpTimeExceeded, codeTransit}:            "TTL expired",
	{icmpTimeExceeded, codeReassembly}:         "reassembly time exceeded",
	{icmpParameter, 0}:                         "parameter problem",
}

// icmpError tells the sender of a packet what became of it, as much of the packet
// quoted as fits. It comes from the address of the interface that it leaves by
// (RFC 1812, Section 4.3.2.4), or from the address that the packet was sent to
// when that is the router's own.
func (r *Router) icmpError(typ, code uint8, rest uint32, about packet) {
	rt, ok := r.routes.lookup(about.src())
	if !ok || !mayReport(about) || !r.errors.allow(r.w.Now()) {
		r.counters.ICMPSuppressed++
		return
	}
	from := rt.out.source(about.src())
	if r.own(about.dst()) {
		from = about.dst()
	}
	quote := about[:min(len(about), maxQuote)]
	frame, p := r.newPacket(from, about.src(), protoICMP, internetworkControl, icmpHeader+len(quote))
	m := p.payload()
	m[0], m[1] = typ, code
	binary.BigEndian.PutUint32(m[4:], rest)
	copy(m[icmpHeader:], quote)
	binary.BigEndian.PutUint16(m[2:], ^checksum.Checksum(m, 0))
	p.setChecksum()
	r.counters.ICMPErrors++
	r.originate(rt, p, frame, fmt.Sprintf("router %s: %s", r.name, icmpNames[[2]uint8{typ, code}]))
}

// mayReport applies what of RFC 1812, Section 4.3.2.7 is left to check: no error
// about an ICMP error, nor about a fragment other than the first. Packets with bad
// headers, and those to or from other addresses than a host's, never get here.
func mayReport(p packet) bool {
	if p.offset() > 0 {
		return false
	}
	if p.proto() != protoICMP {
		return true
	}
	if len(p.payload()) == 0 {
		return false // its type is unknown
	}
	switch p.payload()[0] {
	case icmpUnreachable, icmpSourceQuench, icmpRedirect, icmpTimeExceeded, icmpParameter:
		return false
	}
	return true
}

// echo answers an echo request to the router, RFC 1812, Section 4.3.3.6. Options of the request are left out.
func (r *Router) echo(request packet) {
	rt, ok := r.routes.lookup(request.src())
	if !ok {
		r.drop(noRoute, request)
		return
	}
	frame, p := r.newPacket(request.dst(), request.src(), protoICMP, request[1], len(request.payload()))
	m := p.payload()
	copy(m, request.payload())
	m[0], m[2], m[3] = icmpEchoReply, 0, 0
	binary.BigEndian.PutUint16(m[2:], ^checksum.Checksum(m, 0))
	p.setChecksum()
	r.counters.EchoReplies++
	r.originate(rt, p, frame, "")
}

// limiter is a token bucket in virtual time. RFC 1812, Section 4.3.2.8.
type limiter struct {
	interval time.Duration // of one error; 0: no limit
	full     time.Duration // credit for a whole burst
	credit   time.Duration
	last     time.Duration
}

func newLimiter(rate, burst int) limiter {
	if rate < 0 {
		return limiter{}
	}
	interval := max(time.Second/time.Duration(rate), 1)
	full := interval * min(time.Duration(burst), math.MaxInt64/interval)
	return limiter{interval: interval, full: full, credit: full}
}

func (l *limiter) allow(now time.Duration) bool {
	if l.interval == 0 {
		return true
	}
	l.credit += min(now-l.last, l.full-l.credit)
	l.last = now
	if l.credit < l.interval {
		return false
	}
	l.credit -= l.interval
	return true
}

// deliver takes a packet to one of the router's own addresses. why, where there is one,
// says what becomes of it if the router has no use for it.
func (r *Router) deliver(p packet, why string) {
	if routed(p) {
		r.drop(sourceRouted, p)
		r.icmpError(icmpUnreachable, codeSourceRouteFailed, 0, p)
		return
	}
	if p.more() || p.offset() > 0 {
		if p = r.reassemble(p); p == nil {
			return
		}
	}
	r.counters.Delivered++
	m := p.payload()
	switch {
	case p.proto() == protoUDP:
		r.unserved(p, codePort, why)
	case p.proto() != protoICMP:
		r.unserved(p, codeProtocol, why)
	case len(m) < icmpHeader || checksum.Checksum(m, 0) != 0xffff:
		r.drop(badICMP, p)
	case m[0] == icmpEcho:
		r.echo(p)
	}
}

// unserved ends a packet for which the router has no service.
func (r *Router) unserved(p packet, code uint8, why string) {
	if why == "" {
		r.drop(noService, p)
	} else {
		r.stopped(noService, "nat", p.String(), why)
	}
	if r.nat == nil || !r.nat.silent || !r.nat.holds(p.dst()) {
		r.icmpError(icmpUnreachable, code, 0, p)
	}
}

// routed reports whether a source route has addresses left. RFC 791, Section 3.1.
func routed(p packet) (left bool) {
	eachOption(p.options(), func(o []byte) {
		if (o[0] == optionLSRR || o[0] == optionSSRR) && len(o) >= 3 && int(o[2]) <= len(o) {
			left = true
		}
	})
	return left
}
