package nat

import (
	"encoding/binary"
	"time"
)

// Outbound translates a packet from the inside that is about to leave by the outside interface.
func (t *Table) Outbound(now time.Duration, packet []byte) Result {
	t.enter(now)
	p, ok := parse(packet)
	if !ok {
		return t.drop(malformed)
	}
	if p.proto() != udp {
		return t.drop(unsupported)
	}
	b := p.payload()
	if len(b) < 8 {
		return t.drop(malformed)
	}
	f := flow{p.src(), p.dst(), binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), udp}
	if why := t.outboundFlow(p, f); why != 0 {
		return t.drop(why)
	}
	t.counters.Outbound++
	return t.pass(p)
}

// Inbound translates a packet from the outside for one of Addresses.
func (t *Table) Inbound(now time.Duration, packet []byte) Result {
	t.enter(now)
	p, ok := parse(packet)
	if !ok {
		return t.drop(malformed)
	}
	if p.proto() != udp {
		return t.own(unsupported)
	}
	b := p.payload()
	if len(b) < 8 {
		return t.drop(malformed)
	}
	f := flow{p.dst(), p.src(), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b), udp}
	switch why := t.inboundFlow(p, f); why {
	case 0:
	case noMapping:
		return t.own(why)
	default:
		return t.drop(why)
	}
	t.counters.Inbound++
	return t.pass(p)
}

// Hairpin translates a packet from the inside for one of Addresses, both ways at once. RFC 4787, REQ-9.
func (t *Table) Hairpin(now time.Duration, packet []byte) Result {
	t.enter(now)
	p, ok := parse(packet)
	if !ok {
		return t.drop(malformed)
	}
	if p.proto() != udp {
		return t.own(unsupported)
	}
	b := p.payload()
	if len(b) < 8 {
		return t.drop(malformed)
	}
	to := key{a: p.dst(), ap: binary.BigEndian.Uint16(b[2:]), proto: udp}
	switch {
	case t.mappingOut.find(to.hash(&t.seed), to) == 0:
		return t.own(noMapping)
	case t.cfg.Hairpin == NoHairpin:
		return t.drop(noHairpin)
	}
	f := flow{p.src(), p.dst(), binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), udp}
	if t.cfg.Hairpin == ExternalSource {
		if why := t.outboundFlow(p, f); why != none {
			return t.drop(why)
		}
	}
	f = flow{p.dst(), p.src(), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b), udp}
	if why := t.inboundFlow(p, f); why != none {
		return t.drop(why)
	}
	t.counters.Hairpinned++
	return t.pass(p)
}

// Undo is the packet from which Outbound made this one, for an ICMP error about it: a copy. false: it made none such.
func (t *Table) Undo(now time.Duration, packet []byte) ([]byte, bool) {
	t.enter(now)
	p, ok := parse(packet)
	if !ok || p.proto() != udp || len(p.payload()) < 8 {
		return nil, false
	}
	p = append(ipv4(nil), p...)
	b := p.payload()
	k := key{p.src(), p.dst(), binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), udp}
	if i := t.sessionOut.find(k.hash(&t.seed), k); i != 0 {
		s := t.sessions.at(i)
		t.rewrite(p, s.inAddr, s.inPort, s.seenAddr, s.seenPort)
		return p, true
	}
	k.b, k.bp = 0, 0
	if i := t.mappingOut.find(k.hash(&t.seed), k); i != 0 {
		m := t.mappings.at(i)
		t.rewrite(p, m.inAddr, m.inPort, p.dst(), binary.BigEndian.Uint16(b[2:]))
		return p, true
	}
	return nil, false
}
