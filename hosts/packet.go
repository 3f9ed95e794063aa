package hosts

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/esp"
)

// inFront is the room in front of a packet in the driver's buffer.
const inFront = header.EthernetMinimumSize + esp.Headroom

// copied is a copy of a packet from its IP header on, buf[at:], to read and to change
// until the next call of copied or peek. There is room around it to protect it.
func (d *driver) copied(pkt *stack.PacketBuffer) (buf []byte, at int) {
	if n := inFront + pkt.Size() + esp.Tailroom; cap(d.buf) < n {
		d.buf = make([]byte, inFront, n)
	}
	d.buf = appendPacket(d.buf[:inFront], pkt, len(pkt.LinkHeader().Slice()))
	return d.buf, inFront
}

// peek is a packet from its IP header on, to read until the next call. One that came
// in one frame is not copied.
func (d *driver) peek(pkt *stack.PacketBuffer) []byte {
	views, unused := pkt.AsViewList()
	if v := views.Front(); v != nil && v.Next() == nil {
		return v.AsSlice()[unused+len(pkt.LinkHeader().Slice()):]
	}
	buf, at := d.copied(pkt)
	return buf[at:]
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
