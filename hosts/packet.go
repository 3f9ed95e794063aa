package hosts

import "gvisor.dev/gvisor/pkg/tcpip/stack"

// copied is a copy of a packet from its IP header on, to read and to change until
// the next call of copied or peek.
func (d *driver) copied(pkt *stack.PacketBuffer) []byte {
	d.scratch = appendPacket(d.scratch[:0], pkt, len(pkt.LinkHeader().Slice()))
	return d.scratch
}

// peek is the same to read only. A packet that came in one frame is not copied.
func (d *driver) peek(pkt *stack.PacketBuffer) []byte {
	views, unused := pkt.AsViewList()
	if v := views.Front(); v != nil && v.Next() == nil {
		return v.AsSlice()[unused+len(pkt.LinkHeader().Slice()):]
	}
	return d.copied(pkt)
}

// appendPacket appends a packet without its first bytes, at once: views that
// netstack joins for a caller would be copied a second time.
func appendPacket(out []byte, pkt *stack.PacketBuffer, skip int) []byte {
	views, unused := pkt.AsViewList()
	skip += unused
	for v := views.Front(); v != nil; v = v.Next() {
		b := v.AsSlice()
		n := min(skip, len(b))
		skip -= n
		out = append(out, b[n:]...)
	}
	return out
}
