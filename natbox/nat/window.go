package nat

import "encoding/binary"

// window is what both ends of a connection have shown of their windows: G. van Rooij,
// "Real Stateful TCP Packet Filtering in IP Filter" (10th USENIX Security Symposium, 2001).
type window struct {
	ends [2]windowEnd // of the inside and the outside
}

type windowEnd struct {
	next    uint32 // the highest number sent, and one
	allowed uint32 // the highest that the other end lets it send
	widest  uint32 // the widest window that it has offered
	scale   uint8
	scales  bool // its SYN had the option: RFC 7323, Section 2.2
	known   bool
}

// slack is how old an acknowledgement may be, at the least: a choice of van Rooij's.
const slack = 66000

// watch begins to follow the windows of a connection that starts with this segment. One
// whose SYN the box has not seen is not followed: its scale is unknown.
func (t *Table) watch(s *session, p ipv4, outward bool) {
	if t.cfg.TCPRules.Window == WindowIgnored {
		return
	}
	if s.window != 0 {
		t.windows.give(s.window)
		s.window = 0
	}
	if opens(p) {
		i, w := t.windows.take()
		s.window = i
		w.ends[side(outward)].begin(p)
	}
}

func side(outward bool) int {
	if outward {
		return 0
	}
	return 1
}

// begin takes up a SYN.
func (e *windowEnd) begin(p ipv4) {
	_, next := syncLen(p)
	e.next, e.allowed, e.known = next, next, true
	e.widest = max(uint32(binary.BigEndian.Uint16(p.payload()[14:])), 1)
	e.scale, e.scales = windowScale(p.payload())
}

// inWindow says whether a segment lies in the windows, and lets them move on.
func (t *Table) inWindow(s *session, p ipv4, outward bool) reason {
	w := t.windows.at(s.window)
	from, to := &w.ends[side(outward)], &w.ends[1-side(outward)]
	f := flags(p)
	if !from.known {
		if f&rst != 0 {
			return none // a connection refused
		}
		if f&syn == 0 {
			return none // what comes without a SYN is judged by others
		}
		from.begin(p)
		if !(from.scales && to.scales) { // RFC 7323, Section 2.2: both or none
			from.scale, to.scale = 0, 0
		}
	}
	seq, next := syncLen(p)
	b := p.payload()
	acked := binary.BigEndian.Uint32(b[8:])
	if f&ack == 0 {
		acked = to.next
	}
	outside := after(next, from.allowed) || // beyond what was allowed
		after(from.next-to.widest, seq) || // before what can still be on its way
		after(acked, to.next) || // acknowledges what was not sent
		after(to.next-max(slack, to.widest), acked)
	if outside && to.known && (t.cfg.TCPRules.Window == WindowOfAll || f&rst != 0) {
		return outOfWindow
	}
	if outside {
		return none
	}
	offered := uint32(binary.BigEndian.Uint16(b[14:]))
	if f&syn == 0 {
		offered <<= from.scale
	}
	from.widest = max(from.widest, offered, 1)
	if after(next, from.next) {
		from.next = next
	}
	if f&ack != 0 {
		if limit := acked + max(offered, 1); after(limit, to.allowed) {
			to.allowed = limit
		}
	}
	return none
}

// after says whether a comes after b in the sequence space: RFC 793, Section 3.3.
func after(a, b uint32) bool { return int32(a-b) > 0 }

// windowScale is the option of a SYN: RFC 7323, Section 2.2.
func windowScale(b []byte) (uint8, bool) {
	end := min(int(b[12]>>4)*4, len(b))
	for i := tcpHeader; i < end && b[i] != 0; {
		if b[i] == 1 {
			i++
			continue
		}
		if i+1 >= end || b[i+1] < 2 || i+int(b[i+1]) > end {
			break
		}
		if b[i] == 3 && b[i+1] == 3 {
			return min(b[i+2], 14), true
		}
		i += int(b[i+1])
	}
	return 0, false
}
