package nat

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// Types, RFC 792 and RFC 950.
const (
	icmpEchoReply    = 0
	icmpUnreachable  = 3
	icmpSourceQuench = 4
	icmpEcho         = 8
	icmpTimeExceeded = 11
	icmpParameter    = 12
	icmpTimestamp    = 13
	icmpTimestampRe  = 14
	icmpInfo         = 15
	icmpInfoRe       = 16
	icmpMask         = 17
	icmpMaskRe       = 18

	icmpHeader = 8
)

// icmpKind is what the box may do with a message: RFC 5508, Section 2.
type icmpKind uint8

const (
	icmpOther icmpKind = iota // neither: REQ-11 lets the box drop it
	icmpQueryKind
	icmpReplyKind
	icmpErrorKind
)

func kindOf(typ uint8) icmpKind {
	switch typ {
	case icmpEcho, icmpTimestamp, icmpInfo, icmpMask:
		return icmpQueryKind
	case icmpEchoReply, icmpTimestampRe, icmpInfoRe, icmpMaskRe:
		return icmpReplyKind
	case icmpUnreachable, icmpSourceQuench, icmpTimeExceeded, icmpParameter:
		return icmpErrorKind
	}
	return icmpOther
}

// outboundICMP translates a message from the inside. RFC 5508, REQ-1 and REQ-5.
func (t *Table) outboundICMP(p ipv4) reason {
	b := p.payload()
	if len(b) < icmpHeader {
		return malformed
	}
	switch kindOf(b[0]) {
	case icmpQueryKind:
		if t.cfg.ICMP.NoQueries {
			return queriesOff
		}
		return t.outboundFlow(p, outward(p))
	case icmpErrorKind:
		return t.icmpError(p, true)
	}
	return icmpDropped
}

// inboundICMP translates a message from the outside. RFC 5508, REQ-1 and REQ-4.
func (t *Table) inboundICMP(p ipv4) reason {
	b := p.payload()
	if len(b) < icmpHeader {
		return malformed
	}
	switch kindOf(b[0]) {
	case icmpReplyKind:
		return t.inboundFlow(p, inward(p))
	case icmpErrorKind:
		return t.icmpError(p, false)
	case icmpQueryKind:
		return noMapping
	}
	return icmpDropped
}

// icmpError translates an error about a packet that was translated, with the packet that
// it quotes. It neither keeps nor ends anything: RFC 5508, REQ-6; RFC 4787, REQ-12; RFC 5382, REQ-10.
func (t *Table) icmpError(p ipv4, outward bool) reason {
	b := p.payload()
	switch {
	case t.cfg.ICMP.Errors == ErrorsDropped:
		return errorsOff
	case p.fragmented(): // its checksum is over what the box does not see
		return errorFragmented
	case checksum.Checksum(b, 0) != 0xffff: // REQ-3
		return badError
	}
	q, ok := quoteOf(b)
	if !ok { // REQ-3a
		return badError
	}
	src, dst := p.src(), p.dst()
	var to endpoints
	if outward {
		about := q.src()
		to, ok = t.quoteOut(q)
		if src = to.dst; t.basic != nil { // REQ-5c: from its sender's own outside address, or else the box's
			if out, has := t.basic.outside[p.src()]; has {
				src = out
			}
		}
		if dst == about {
			dst = to.src
		}
	} else {
		to, ok = t.quoteIn(q)
		dst = to.src // REQ-4c
	}
	if !ok {
		return noQuoted
	}
	if t.cfg.ICMP.Errors == ErrorsTranslated {
		t.rewriteQuote(q, to, t.cfg.Faults.StaleQuote)
		b[2], b[3] = 0, 0
		binary.BigEndian.PutUint16(b[2:], ^checksum.Checksum(b, 0))
	}
	t.rewriteAddrs(p, src, dst)
	return none
}
