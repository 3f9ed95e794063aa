package hosts

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// A note is what the driver knew about a datagram when it decided: it has to
// reach the frames that the datagram becomes, which leave later, from below
// fragmentation and address resolution.
type note struct {
	comment string
	inner   *trace.Inner // of a protected datagram
	policy  int          // that let a clear datagram pass, see policyAge
}

// noteKey finds the frames of a datagram: by identification, protocol and
// addresses, as reassembly does (RFC 791, Section 3.2; RFC 8200, Section 4.5,
// without the protocol). A whole IPv6 datagram has no identification, and is known
// by the sum of its bytes.
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
	} else {
		k.id = crc32.ChecksumIEEE(packet)
	}
	return k
}

// maxNotes bounds the datagrams whose frames may still be waiting for address resolution.
const maxNotes = 256

// notes keeps the latest notes.
type notes struct {
	byKey map[noteKey]note
	order []noteKey // ring, oldest at next
	next  int
}

func (n *notes) add(packet []byte, v note) {
	k := keyOf(packet)
	if n.byKey == nil {
		n.byKey = map[noteKey]note{}
	}
	if _, ok := n.byKey[k]; !ok {
		if len(n.order) < maxNotes {
			n.order = append(n.order, k)
		} else {
			delete(n.byKey, n.order[n.next])
			n.order[n.next] = k
			n.next = (n.next + 1) % maxNotes
		}
	}
	n.byKey[k] = v
}

// find is the note for an IP packet in a frame; the inner packet goes with the first fragment only.
func (n *notes) find(packet []byte) note {
	d, ok := readDatagram(packet)
	if !ok {
		return note{}
	}
	v := n.byKey[keyOf(packet)]
	switch {
	case !d.first:
		v.inner = nil
		v.comment += " (fragment)"
	case d.fragment:
		v.comment += " (first fragment)"
	}
	return v
}

func verdictComment(d esp.Decision) string {
	if d.Rule == "" || d.Action == "exempt" {
		return d.Action + ruleSuffix(d.Rule)
	}
	return fmt.Sprintf("%s: rule %s", d.Action, d.Rule)
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

func protectedNote(d esp.Decision, clear []byte) note {
	v := note{comment: fmt.Sprintf("protected: rule %s, %s", d.Rule, d.Layers())}
	if d.Sequence > innersPerSA {
		return v
	}
	inner := &trace.Inner{
		Protocol: d.Protocols(), SPI: d.SPI, Sequence: d.Sequence, Length: len(clear),
		Data: append(trace.Hex(nil), clear[:min(len(clear), trace.InnerLimit)]...),
	}
	if f, err := esp.FlowOf(clear); err == nil {
		inner.Packet = f.String()
	}
	v.inner = inner
	return v
}
