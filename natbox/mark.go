package natbox

import "time"

// Marker sets the differentiated services codepoint of packets that are forwarded, as a
// router at the edge of a domain does: RFC 2475, Section 2.3.2. AH does not cover it (RFC 4302,
// Section 3.3.3.1.1.1), and ESP does not cover the header at all.
type Marker interface {
	// Mark is asked about each packet that is forwarded, after the observers were shown it.
	// false leaves it as it is.
	Mark(now time.Duration, c Crossing) (dscp uint8, ok bool)
}

// mark has the markers change a packet; the last one that wants to does.
func (r *Router) mark(o outgoing, c Crossing) {
	if c.To == "" {
		return
	}
	for _, m := range r.markers {
		if dscp, ok := m.Mark(r.w.Now(), c); ok {
			setDSCP(o.frame[etherHeader:], dscp)
		}
	}
}

// setDSCP writes a codepoint and leaves the bits of explicit congestion notification: RFC 3168, Section 5.
func setDSCP(p []byte, dscp uint8) {
	if p[0]>>4 == 6 {
		class := dscp<<2 | p[1]>>4&3
		p[0], p[1] = 6<<4|class>>4, class<<4|p[1]&15
		return
	}
	p[1] = dscp<<2 | p[1]&3
	packet(p).setChecksum()
}
