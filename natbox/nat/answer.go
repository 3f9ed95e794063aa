package nat

import (
	"encoding/binary"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// Codes of destination unreachable: RFC 792; RFC 1812, Section 5.2.7.1.
const (
	codePort       = 3
	codeProhibited = 13
)

// unreachable is an ICMP error about a packet, with as much of it as RFC 1812, Section 4.3.2.3 allows.
func unreachable(code uint8, from uint32, about ipv4) []byte {
	body := about[:min(len(about), 576-ipHeader-icmpHeader)]
	p := answer(from, about.src(), icmp, icmpHeader+len(body))
	b := p.payload()
	b[0], b[1] = icmpUnreachable, code
	copy(b[icmpHeader:], body)
	binary.BigEndian.PutUint16(b[2:], ^checksum.Checksum(b, 0))
	return p
}

// answer is a packet of the box's own, whose payload is to be filled. Its identification
// is 0: it does not come in fragments. RFC 6864, Section 4.1.
func answer(src, dst uint32, proto uint8, payload int) ipv4 {
	p := make(ipv4, ipHeader+payload)
	p[0], p[8], p[9] = 4<<4|ipHeader/4, 64, proto
	if proto == icmp {
		p[1] = 6 << 5 // RFC 1812, Section 4.3.2.5
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[6:], flagDF)
	binary.BigEndian.PutUint32(p[12:], src)
	binary.BigEndian.PutUint32(p[16:], dst)
	p.setChecksum()
	return p
}

// reset is a RST in answer to a segment: RFC 793, Section 3.4.
func reset(about ipv4) []byte {
	a := about.payload()
	p := answer(about.dst(), about.src(), tcp, tcpHeader)
	b := p.payload()
	copy(b, a[2:4])
	copy(b[2:], a[:2])
	b[12] = tcpHeader / 4 << 4
	if a[13]&ack != 0 {
		copy(b[4:8], a[8:12])
		b[13] = rst
	} else {
		_, next := syncLen(about)
		binary.BigEndian.PutUint32(b[8:], next)
		b[13] = rst | ack
	}
	pseudo := checksum.Checksum(p[12:20], uint16(tcp)+tcpHeader)
	binary.BigEndian.PutUint16(b[16:], ^checksum.Checksum(b, pseudo))
	return p
}

// mayAnswer says whether a packet that was dropped may be answered at all: RFC 1812, Section 4.3.2.7.
func (t *Table) mayAnswer(p ipv4) bool {
	if t.cfg.ICMP.Silent || p.later() {
		return false
	}
	return p.proto() != icmp || len(p.payload()) > 0 && kindOf(p.payload()[0]) == icmpQueryKind
}

// refusal tells the sender of a packet from the inside that the box would not make room
// for it, or does not let it pass: RFC 5508, REQ-8.
func (t *Table) refusal(p ipv4, why reason) []byte {
	switch {
	case why == noSession && t.cfg.TCPRules.MidStream == MidStreamReset && flags(p)&rst == 0:
		return reset(p)
	case why.refuses() && t.mayAnswer(p):
		return unreachable(codeProhibited, t.inside, p)
	}
	return nil
}

// heldSYN is one from the outside that nobody has let in. RFC 5382, REQ-4.
type heldSYN struct {
	due  time.Duration
	flow flow
	p    ipv4 // as much as an ICMP error quotes
}

// patience is how long a SYN in the other direction may take: RFC 5382, REQ-4.
const patience = 6 * time.Second

// unsolicited answers a SYN that nobody has let in.
func (t *Table) unsolicited(p ipv4) []byte {
	switch t.cfg.TCPRules.Unsolicited {
	case UnsolicitedReset:
		return reset(p)
	case UnsolicitedICMP:
		if t.mayAnswer(p) {
			return unreachable(codePort, p.dst(), p)
		}
	case UnsolicitedLater:
		if t.mayAnswer(p) && len(t.held) < t.cfg.Limits.Held {
			f := inward(p)
			if slices.ContainsFunc(t.held, func(h heldSYN) bool { return h.flow == f }) {
				return nil // a repetition of one that waits
			}
			t.held = append(t.held, heldSYN{t.now + patience, f, slices.Clone(p[:min(len(p), p.header()+tcpHeader)])})
		}
	}
	return nil
}

// answerHeld tells the senders of SYNs whose time has come that nobody is there, unless a session has begun.
func (t *Table) answerHeld() (answers [][]byte) {
	n := 0
	for ; n < len(t.held) && t.held[n].due <= t.now; n++ {
		k := t.held[n].flow.key()
		if t.sessionOut.find(k.hash(&t.seed), k) == 0 {
			answers = append(answers, unreachable(codePort, t.held[n].p.dst(), t.held[n].p))
			t.counters.Answers++
		}
	}
	t.held = slices.Delete(t.held, 0, n)
	return answers
}
