package firewall

import "time"

// tcpState is how far a connection is, by the flags of its segments.
//
//	          SYN                SYN+ACK of the other          ACK
//	(nothing) ---> opening  ------------------------> answered ---> established
//	any, after a FIN: half closed, after both: closed; after a RST: closed
type tcpState struct {
	answered, established bool
	finLow, finHigh       bool // of the lower and the higher end
	reset                 bool
}

func (s tcpState) class() class {
	switch {
	case s.closed() || s.finLow || s.finHigh:
		return tcpClosing
	case s.established:
		return tcpEstablished
	}
	return tcpHandshake
}

func (s tcpState) closed() bool { return s.reset || s.finLow && s.finHigh }

// step takes a segment into account.
func (s *tcpState) step(flags uint8, byOpener, fromHigh bool) {
	switch {
	case flags&rst != 0:
		s.reset = true
		return
	case flags&syn != 0:
		s.answered = s.answered || !byOpener // also where both open at the same time
	case flags&ack != 0 && byOpener && s.answered:
		s.established = true
	}
	if flags&fin != 0 {
		if fromHigh {
			s.finHigh = true
		} else {
			s.finLow = true
		}
	}
}

// segment judges a segment of TCP.
func (f *Firewall) segment(now time.Duration, p *Packet, from, to side) Verdict {
	t := f.table
	opens := p.Flags&(syn|ack|rst|fin) == syn
	k, fromHigh := keyOf(p)
	s, i := t.find(k)
	if s != nil && !(opens && s.tcp.closed()) { // the same ports again are a new connection
		s.tcp.step(p.Flags, fromHigh == s.byHigh, fromHigh)
		t.touch(now, i, s.tcp.class())
		return Verdict{}
	}
	if !opens && !t.settings.MidStream {
		return Verdict{Why: noConnection}
	}
	v := f.begins(p, from, to, unsolicited)
	if v.Why != "" || p.Flags&rst != 0 {
		return v
	}
	if s != nil {
		t.remove(i)
		t.closed++
	}
	c := tcpHandshake
	if !opens {
		c = tcpEstablished
	}
	t.add(now, k, fromHigh, c).tcp = tcpState{answered: !opens, established: !opens}
	return v
}
