package hosts

import (
	"bytes"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// A note is what the driver knew about a datagram when it decided. It has to reach
// the frames that the datagram becomes, which leave later, from below fragmentation
// and address resolution: it goes with the packet as its owner, and with the
// fragments that netstack makes of one by their identification.
type note struct {
	comment string
	inner   *trace.Inner // of a protected datagram
	policy  int          // that let a clear datagram pass, see policyAge
	written bool         // by the driver: it is past the boundary
	sealed  bool         // it is ESP or AH, perhaps in UDP
}

var _ tcpip.PacketOwner = (*note)(nil)

// KUID and KGID are no business of a datagram.
func (*note) KUID() uint32 { return 0 }
func (*note) KGID() uint32 { return 0 }

// noteKey finds the fragments of a datagram: by identification, protocol and
// addresses, as reassembly does (RFC 791, Section 3.2; RFC 8200, Section 4.5,
// without the protocol).
type noteKey struct {
	src, dst [16]byte
	id       uint32
	proto    uint8
}

func keyOf(packet []byte) noteKey {
	if familyOfPacket(packet) == ip4 {
		k := noteKey{id: uint32(binary.BigEndian.Uint16(packet[4:])), proto: packet[9]}
		copy(k.src[:], packet[12:16])
		copy(k.dst[:], packet[16:20])
		return k
	}
	k := noteKey{src: [16]byte(packet[8:24]), dst: [16]byte(packet[24:40])}
	if p, err := ipv6.Parse(packet); err == nil && p.HasFragmentHeader() {
		k.id, k.proto = p.ID(), ipv6.Fragment
	}
	return k
}

// maxNotes bounds the datagrams whose frames may still be waiting for address resolution.
const maxNotes = 256

// noted puts a datagram's note where its fragments find it, if netstack makes some.
func (d *driver) noted(packet []byte, link int, n *note) *note {
	if len(packet) > link && familyOfPacket(packet) == ip4 {
		d.notes.Put(keyOf(packet), *n)
	}
	return n
}

// noteOn is the note for an IP packet in a frame; what was inside goes with the first fragment only.
func (d *driver) noteOn(pkt *stack.PacketBuffer, packet []byte) note {
	p, ok := readDatagram(packet)
	if !ok {
		return note{}
	}
	var v note
	if n, ok := pkt.Owner.(*note); ok {
		v = *n
	} else if p.fragment {
		v, _ = d.notes.Get(keyOf(packet))
	}
	switch {
	case !p.first:
		v.inner = nil
		v.comment += " (fragment)"
	case p.fragment:
		v.comment += " (first fragment)"
	}
	return v
}

func verdictComment(d esp.Decision) string {
	if d.Rule == "" || d.Action == "exempt" {
		return d.Action + ruleSuffix(d.Rule)
	}
	return d.Action + ": rule " + d.Rule
}

func ruleSuffix(rule string) string {
	if rule == "" {
		return ""
	}
	return " (" + rule + ")"
}

// innersPerSA bounds how many inner packets of one SA go into the trace: enough
// to read a conversation, without copying bulk data that the capture holds anyway.
const innersPerSA = 256

// excerpt is what the trace may want of a datagram that is about to be protected in
// its place, and so to be overwritten.
type excerpt struct {
	flow   ipsec.Flow
	err    error // that there is no flow
	length int
	start  [trace.InnerLimit]byte
}

// take keeps what a trace may want; without a trace nothing.
func (e *excerpt) take(w *sim.World, packet []byte) {
	if w.Traced() {
		e.flow, e.err = esp.FlowOf(packet)
		e.length = len(packet)
		copy(e.start[:], packet)
	}
}

func (d *driver) protectedNote(decision *esp.Decision) *note {
	v := &note{sealed: true}
	if d.host.world.Watched() {
		v.comment = "protected: rule " + decision.Rule + ", " + decision.Layers()
	}
	if e := &d.inside; decision.Sequence != 0 && decision.Sequence-d.first < innersPerSA && d.host.world.Traced() {
		v.inner = &trace.Inner{
			Protocol: decision.Protocols(), SPI: decision.SPI, Sequence: decision.Sequence,
			Length: e.length, Data: bytes.Clone(e.start[:min(e.length, len(e.start))]),
		}
		if e.err == nil {
			v.inner.Packet = e.flow.String()
		}
	}
	return v
}
