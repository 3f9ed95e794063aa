package nat

import "encoding/binary"

// Flags, RFC 793, Section 3.1.
const (
	fin = 1 << iota
	syn
	rst
	_
	ack
)

const tcpHeader = 20

// tcpState is what the box knows of a connection: RFC 7857, Section 2.1, Figure 1, from RFC 6146, Section 3.5.2.
type tcpState uint8

const (
	tcpClosed  tcpState = iota // no segment yet
	tcpOutInit                 // SYN from the inside
	tcpInInit                  // SYN from the outside
	tcpOpen                    // SYN both ways; or a segment of which the box has not seen the SYN
	tcpOutFin                  // FIN from the inside
	tcpInFin                   // FIN from the outside
	tcpBothFin                 // FIN both ways: ends TCPClosing later, whatever comes
	tcpTrans                   // RST: ends TCPClosing later, unless something else comes
)

var tcpStateNames = []string{"", "syn-out", "syn-in", "established", "fin-out", "fin-in", "closing", "reset"}

func (s tcpState) String() string { return tcpStateNames[s] }

// flags are those of a segment.
func flags(p ipv4) uint8 { return p.payload()[13] }

// opens says whether a segment may begin a connection.
func opens(p ipv4) bool { return flags(p)&(syn|ack|rst|fin) == syn }

// mayBegin says whether a segment of no session may begin one. A RST never does.
func (t *Table) mayBegin(p ipv4) reason {
	switch {
	case opens(p):
		return none
	case flags(p)&rst != 0 || t.cfg.TCPRules.MidStream != MidStreamAdopt:
		return noSession
	}
	return none
}

// follow lets a connection go on by a segment, from the inside or the outside.
func (t *Table) follow(i uint32, s *session, p ipv4, outward bool) reason {
	f := flags(p)
	if s.state == tcpClosed {
		t.watch(s, p, outward)
	} else if s.window != 0 {
		if opens(p) && s.state >= tcpBothFin {
			t.watch(s, p, outward)
		} else if why := t.inWindow(s, p, outward); why != none {
			return why
		}
	}
	is := func(out, in tcpState) tcpState {
		if outward {
			return out
		}
		return in
	}
	was := s.state
	switch {
	case f&rst != 0:
		if t.cfg.TCPRules.Reset == ResetEnds {
			s.state = tcpTrans
			t.keepSession(i, s, tcpClosing)
			t.ending = i // once it has been translated
			return none
		}
		// A connection that has not begun is still no more than that.
		if was >= tcpOpen && was < tcpBothFin {
			s.state = tcpTrans
		}
	case was == tcpClosed && opens(p):
		s.state = is(tcpOutInit, tcpInInit)
	case was == tcpClosed:
		s.state = tcpOpen
	// SYN in the other direction: with ACK in the three-way handshake, without in
	// simultaneous open. RFC 5382, REQ-2.
	case f&syn != 0 && was == is(tcpInInit, tcpOutInit):
		s.state = tcpOpen
	case (was == tcpBothFin || was == tcpTrans) && opens(p):
		s.state = is(tcpOutInit, tcpInInit) // the ports are used again: a choice of the lab
	case was == tcpTrans:
		s.state = tcpOpen
	case f&fin != 0 && was == tcpOpen:
		s.state = is(tcpOutFin, tcpInFin)
	case f&fin != 0 && was == is(tcpInFin, tcpOutFin):
		s.state = tcpBothFin
	}
	switch s.state {
	case tcpOutInit, tcpInInit:
		// Only the SYN of a new connection counts: what else comes is no sign of life of the other end.
		if was != s.state || opens(p) {
			t.keepSession(i, s, tcpOpening)
		}
	case tcpOpen, tcpOutFin, tcpInFin:
		t.keepSession(i, s, tcpEstablished)
	default:
		if was != s.state { // the time goes on from there
			t.keepSession(i, s, tcpClosing)
		}
	}
	return none
}

// syncLen is what a segment takes of the sequence space.
func syncLen(p ipv4) (seq, next uint32) {
	b := p.payload()
	seq = binary.BigEndian.Uint32(b[4:])
	n := uint32(0)
	if data := int(b[12]>>4) * 4; data >= tcpHeader && data <= len(b) {
		n = uint32(len(b) - data)
	}
	f := b[13]
	if f&syn != 0 {
		n++
	}
	if f&fin != 0 {
		n++
	}
	return seq, seq + n
}
