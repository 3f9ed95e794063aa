package hosts

import (
	"bytes"
	"slices"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// taker is a program that speaks protocols of its own: it gets IPv4 packets, fragments one
// by one, before netstack does, and writes whole packets.
type taker struct {
	wants func(packet []byte) bool
	keeps func(packet []byte) bool // nil: nothing; else the stack gets these as well
	take  func(packet []byte)      // the packet is the program's
}

// addTaker starts one. It ends when remove is called, or the host is stopped.
func (h *Host) addTaker(t *taker) (remove func()) {
	h.takers = append(h.takers, t)
	return func() { h.takers = slices.DeleteFunc(h.takers, func(o *taker) bool { return o == t }) }
}

// taken gives a packet to the program that wants it, if policy lets it in. false: the stack gets it.
func (n *nic) taken(packet []byte) bool {
	h := n.host
	for _, t := range h.takers {
		if !t.wants(packet) {
			continue
		}
		if t.keeps != nil && t.keeps(packet) { // the stack has it judged
			t.take(bytes.Clone(packet))
			return false
		}
		in, ok := readDatagram(packet)
		if ok && (in.protected() || h.driver.admit(in)) {
			t.take(bytes.Clone(packet))
		}
		return true
	}
	return false
}

// writePacket sends an IPv4 packet that a program has made, through the boundary like any
// other. One that is larger than the link allows is sent in fragments.
func (h *Host) writePacket(packet []byte) error {
	if h.off {
		return ErrOff
	}
	out, ok := readDatagram(packet)
	if !ok || out.family != ip4 {
		return ErrUnreachable
	}
	r := h.route(out.src, out.dst)
	if r == nil {
		return ErrUnreachable
	}
	defer r.Release()
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{ReserveHeaderBytes: int(r.MaxHeaderLength()), Payload: buffer.MakeWithData(packet)})
	defer pkt.DecRef()
	return errorOf(r.WriteHeaderIncludedPacket(pkt))
}
