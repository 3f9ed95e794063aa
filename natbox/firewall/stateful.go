package firewall

import "time"

// stateful judges with what passed before.
func (f *Firewall) stateful(now time.Duration, p *Packet, from, to side) Verdict {
	t := f.table
	t.expire(now)
	if p.Later {
		if !t.fragment(now, p) {
			return Verdict{Why: orphan}
		}
		return Verdict{}
	}
	v := f.whole(now, p, from, to)
	if p.Fragment {
		t.firstFragment(now, p, v.Why == "")
	}
	return v
}

// whole judges a packet, or the first fragment of one.
func (f *Firewall) whole(now time.Duration, p *Packet, from, to side) Verdict {
	t := f.table
	switch {
	case p.icmpError():
		if q, ok := p.quoted(); ok && f.about(p, &q) {
			f.counters.Related++
			return Verdict{}
		}
		return f.begins(p, from, to, unrelated)
	case (p.Proto == protoESP || p.Proto == protoAH) && t.settings.IPsec != ByAddresses:
		if t.settings.IPsec == ByIKE && f.byIKE(now, p) {
			return Verdict{}
		}
		return f.begins(p, from, to, unsolicited)
	case p.Proto == protoTCP:
		return f.segment(now, p, from, to)
	}
	_, answer, query := p.query()
	if (p.Proto == protoICMP || p.Proto == protoICMPv6) && !query {
		return f.begins(p, from, to, unsolicited) // nothing answers it
	}
	k, fromHigh := keyOf(p)
	c := classOf(p.Proto)
	if s, i := t.find(k); s != nil && (!query || answer == (fromHigh != s.byHigh)) {
		t.touch(now, i, c)
		return Verdict{}
	}
	v := f.begins(p, from, to, unsolicited)
	if v.Why == "" && !answer {
		t.add(now, k, fromHigh, c)
	}
	return v
}

// begins asks the rules about what no state is for.
func (f *Firewall) begins(p *Packet, from, to side, otherwise string) Verdict {
	initial := f.initial
	if from.inside {
		initial = Permit
	}
	return f.listed(p, from, to, initial, otherwise)
}

// about reports whether an ICMP error, to the sender of the packet that it quotes, is
// about something that was let through. RFC 5508, Section 4.2 says the same of NATs.
func (f *Firewall) about(p, q *Packet) bool {
	if q.Src != p.Dst {
		return false
	}
	if (q.Proto == protoESP || q.Proto == protoAH) && f.table.settings.IPsec == ByIKE {
		s, _ := f.table.find(ikeKey(q))
		return s != nil
	}
	k, _ := keyOf(q)
	s, _ := f.table.find(k)
	return s != nil
}

// byIKE reports whether two addresses have a state of IKE, and uses it.
func (f *Firewall) byIKE(now time.Duration, p *Packet) bool {
	s, i := f.table.find(ikeKey(p))
	if s == nil {
		return false
	}
	f.table.touch(now, i, udpClass)
	return true
}

// ikeKey is that of IKE between the ends of a packet.
func ikeKey(p *Packet) key {
	k, _ := keyOf(&Packet{Src: p.Src, Dst: p.Dst, Proto: protoUDP, SrcPort: ikePort, DstPort: ikePort})
	return k
}

func classOf(proto uint8) class {
	switch proto {
	case protoUDP:
		return udpClass
	case protoICMP, protoICMPv6:
		return icmpClass
	case protoESP, protoAH:
		return ipsecClass
	}
	return otherClass
}
