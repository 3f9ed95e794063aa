package nat

import "encoding/binary"

// rewrite puts endpoints into a packet of UDP, TCP or an ICMP query and adjusts its
// checksums. Of an ICMP query, the identifier is the port of whichever end has one.
func (t *Table) rewrite(p ipv4, src uint32, sp uint16, dst uint32, dp uint16) {
	c := t.rewriteAddrs(p, src, dst)
	b := p.payload()
	switch p.proto() {
	case icmp: // its checksum is not over addresses: RFC 792
		id := sp | dp // one of them is 0
		t.adjust(change(0).word(binary.BigEndian.Uint16(b[4:]), id), b[2:])
		binary.BigEndian.PutUint16(b[4:], id)
	default:
		c = c.word(binary.BigEndian.Uint16(b), sp).word(binary.BigEndian.Uint16(b[2:]), dp)
		binary.BigEndian.PutUint16(b, sp)
		binary.BigEndian.PutUint16(b[2:], dp)
		t.adjustTransport(p.proto(), c, b)
	}
}

// rewriteAddrs puts addresses into a header, and tells what changed.
func (t *Table) rewriteAddrs(p ipv4, src, dst uint32) (c change) {
	c = c.addr(p.src(), src).addr(p.dst(), dst)
	binary.BigEndian.PutUint32(p[12:], src)
	binary.BigEndian.PutUint32(p[16:], dst)
	t.adjust(c, p[10:])
	return c
}

// rewriteAll puts addresses into a packet of any protocol, whose checksum may be over
// them. Those of AH, and of what ESP protects, cannot be helped: RFC 3715, Section 2.1 (a) and (b).
func (t *Table) rewriteAll(p ipv4, src, dst uint32) {
	c := t.rewriteAddrs(p, src, dst)
	if !p.later() {
		t.adjustTransport(p.proto(), c, p.payload())
	}
}

const (
	dccp    = 33
	udpLite = 136
)

// adjustTransport adjusts the checksum of a transport header, if b reaches that far: RFC
// 3022, Section 4.2. Those of DCCP (RFC 4340, Section 9.1; RFC 5597) and UDP-Lite (RFC 3828, Section 3.2) are over the addresses as well; SCTP's is not.
func (t *Table) adjustTransport(proto uint8, c change, b []byte) {
	switch {
	case proto == tcp && len(b) >= 18 && !t.cfg.Faults.NoTCPChecksum:
		t.adjust(c, b[16:])
	case proto == udp && len(b) >= 8 && !t.cfg.Faults.NoUDPChecksum:
		// A checksum of 0 is none, and stays: RFC 3022, Section 4.1; RFC 3948, Section 3.1.2.
		if b[6]|b[7] == 0 && !t.cfg.Faults.ZeroFilled {
			return
		}
		t.adjust(c, b[6:])
		if b[6]|b[7] == 0 { // RFC 768: a sum of 0 is sent as all ones
			b[6], b[7] = 0xff, 0xff
		}
	case (proto == dccp || proto == udpLite) && len(b) >= 8:
		t.adjust(c, b[6:])
		if proto == udpLite && b[6]|b[7] == 0 {
			b[6], b[7] = 0xff, 0xff
		}
	}
}

// adjust adjusts the checksum at b.
func (t *Table) adjust(c change, b []byte) {
	if t.cfg.Faults.LostCarry {
		// HC' = HC - (m' - m), in the arithmetic of the processor.
		binary.BigEndian.PutUint16(b, binary.BigEndian.Uint16(b)-uint16(c%0xffff))
		return
	}
	c.to(b)
}
