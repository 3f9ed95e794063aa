package nat

import "encoding/binary"

// renumber gives a packet that leaves for the outside an identification of the box's own:
// those of two inside hosts may meet, and their fragments would then be put together
// wrongly. Packets that cannot come in fragments keep theirs: RFC 7857, Section 10; RFC 6864, Section 5.3.1.
func (t *Table) renumber(p ipv4) {
	if !t.cfg.RewriteID || binary.BigEndian.Uint16(p[6:])&flagDF != 0 && !p.fragmented() {
		return
	}
	t.nextID++
	t.setID(p, t.nextID)
}

func (t *Table) setID(p ipv4, id uint16) {
	if old := p.id(); old != id {
		binary.BigEndian.PutUint16(p[4:], id)
		t.adjust(change(0).word(old, id), p[10:])
	}
}
