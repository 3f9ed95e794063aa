package nat

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// quote is what an ICMP error has of the packet that it is about: a header, eight octets
// or more, and perhaps all (RFC 792; RFC 1812, Section 4.3.2.3). Nothing is changed behind
// its transport header, so that padding and extensions may follow: RFC 4884; RFC 5508, REQ-3d.
type quote []byte

// quoteOf finds it. RFC 5508, REQ-3a and REQ-3b.
func quoteOf(b []byte) (quote, bool) {
	q := quote(b[icmpHeader:])
	if len(q) < ipHeader || q[0]>>4 != 4 {
		return nil, false
	}
	h, n := q.header(), int(binary.BigEndian.Uint16(q[2:]))
	if h < ipHeader || h+8 > len(q) || n < h+8 || checksum.Checksum(q[:h], 0) != 0xffff {
		return nil, false
	}
	return q[:min(len(q), n)], true
}

func (q quote) header() int     { return int(q[0]&15) * 4 }
func (q quote) payload() []byte { return q[q.header():] }
func (q quote) proto() uint8    { return q[9] }
func (q quote) src() uint32     { return binary.BigEndian.Uint32(q[12:]) }
func (q quote) dst() uint32     { return binary.BigEndian.Uint32(q[16:]) }
func (q quote) later() bool     { return binary.BigEndian.Uint16(q[6:])&offsetMask != 0 }

// endpoints are those that a packet gets.
type endpoints struct {
	src, dst uint32
	ports    bool // it gets these as well
	sp, dp   uint16
}

// quoteIn is what a packet was before it left by the outside: of an error from the outside.
func (t *Table) quoteIn(q quote) (to endpoints, ok bool) {
	if t.basic != nil {
		if in, ok := t.basic.inside[q.src()]; ok {
			return endpoints{src: in, dst: q.dst()}, true
		}
	}
	if q.later() { // nobody should report about those: RFC 1812, Section 4.3.2.7
		return to, false
	}
	b := q.payload()
	switch proto := q.proto(); {
	case !ported(proto):
		return t.portlessIn(q)
	case proto == icmp && kindOf(b[0]) != icmpQueryKind:
		return to, false
	case proto == udp && t.cookieIn(q, &to):
		return to, true
	}
	f := flow{inAddr: q.src(), remAddr: q.dst(), proto: q.proto()}
	f.inPort, f.remPort = quotedPorts(q)
	k := f.key()
	if i := t.sessionOut.find(k.hash(&t.seed), k); i != 0 {
		s := t.sessions.at(i)
		return endpoints{s.inAddr, s.seenAddr, true, s.inPort, s.seenPort}, true
	}
	k = f.local()
	if i := t.mappingOut.find(k.hash(&t.seed), k); i != 0 && !t.cfg.known[f.proto] {
		m := t.mappings.at(i)
		return endpoints{m.inAddr, f.remAddr, true, m.inPort, f.remPort}, true
	}
	return to, false
}

// quoteOut is what a packet was before it came in by the outside: of an error from the inside.
func (t *Table) quoteOut(q quote) (to endpoints, ok bool) {
	if t.basic != nil {
		if out, ok := t.basic.outside[q.dst()]; ok {
			return endpoints{src: q.src(), dst: out}, true
		}
	}
	if q.later() {
		return to, false
	}
	b := q.payload()
	switch proto := q.proto(); {
	case !ported(proto):
		return t.portlessOut(q)
	case proto == icmp && kindOf(b[0]) != icmpReplyKind:
		return to, false
	case proto == udp && t.cookieOut(q, &to):
		return to, true
	}
	f := flow{inAddr: q.dst(), remAddr: q.src(), proto: q.proto()}
	f.remPort, f.inPort = quotedPorts(q)
	if f.proto == icmp {
		f.inPort, f.remPort = f.remPort, 0
	}
	k := f.key()
	if i := t.sessionInside.find(k.hash(&t.seed), k); i != 0 {
		s := t.sessions.at(i)
		return endpoints{s.remAddr, s.outAddr, true, s.remPort, s.outPort}, true
	}
	if t.cfg.known[f.proto] {
		return to, false
	}
	k = f.depending(t.cfg.behaviour[f.proto].Mapping)
	if i := t.mappingInside.find(k.hash(&t.seed), k); i != 0 {
		m := t.mappings.at(i)
		return endpoints{f.remAddr, m.outAddr, true, f.remPort, m.outPort}, true
	}
	return to, false
}

// quotedPorts are source and destination; the identifier of an ICMP query is the source.
func quotedPorts(q quote) (src, dst uint16) {
	b := q.payload()
	if q.proto() == icmp {
		return binary.BigEndian.Uint16(b[4:]), 0
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
}

// rewriteQuote puts endpoints into a quote and adjusts its checksums, as far as they are
// quoted. Those of its payload are not verified: RFC 5508, REQ-3c.
func (t *Table) rewriteQuote(q quote, to endpoints, stale bool) {
	c := change(0).addr(q.src(), to.src).addr(q.dst(), to.dst)
	binary.BigEndian.PutUint32(q[12:], to.src)
	binary.BigEndian.PutUint32(q[16:], to.dst)
	if !stale {
		t.adjust(c, q[10:])
	}
	if q.later() {
		return
	}
	b := q.payload()
	if q.proto() == icmp {
		if !to.ports { // its checksum is not over addresses
			return
		}
		id := to.sp | to.dp // one of them is 0
		c = change(0).word(binary.BigEndian.Uint16(b[4:]), id)
		binary.BigEndian.PutUint16(b[4:], id)
		if !stale {
			t.adjust(c, b[2:])
		}
		return
	}
	if to.ports {
		c = c.word(binary.BigEndian.Uint16(b), to.sp).word(binary.BigEndian.Uint16(b[2:]), to.dp)
		binary.BigEndian.PutUint16(b, to.sp)
		binary.BigEndian.PutUint16(b[2:], to.dp)
	}
	if !stale {
		t.adjustTransport(q.proto(), c, b)
	}
}
