package natbox

import (
	"encoding/binary"
	"net/netip"
)

// ARP for IPv4 on Ethernet, RFC 826.
const (
	arpLen     = 28
	arpRequest = 1
	arpReply   = 2
)

// receiveARP is the packet reception of RFC 826.
func (i *iface) receiveARP(b []byte) {
	if len(b) < arpLen || [6]byte(b) != [6]byte{0, 1, etherTypeIPv4 >> 8, etherTypeIPv4 & 0xff, 6, 4} {
		i.r.dropBytes(malformedARP, b)
		return
	}
	op := binary.BigEndian.Uint16(b[6:])
	from, sender, target := mac(b[8:14]), netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	prefix, connected := i.onLink(sender)
	probe := op == arpRequest && sender.IsUnspecified() // RFC 5227, Section 2.1.1: answered, never noted
	switch {
	case op != arpRequest && op != arpReply || from.group() || from == mac{}:
		i.r.dropBytes(malformedARP, b)
		return
	case i.own(sender):
		i.r.dropBytes(addressConflict, b)
		return
	case !probe && (!connected || broadcastOf(prefix, sender)):
		i.r.dropBytes(foreignARP, b)
		return
	}
	n := i.neighbours[sender]
	if n == nil && i.own(target) && !probe {
		n = i.addNeighbour(sender)
	}
	if n != nil {
		i.learn(n, from)
	}
	if i.own(target) && op == arpRequest {
		i.r.counters.ARPReplies++
		i.sendARP(from, arpReply, target, from, sender)
	}
}

// sendARP sends a packet in the name of sender, one of the interface's addresses.
func (i *iface) sendARP(to mac, op uint16, sender netip.Addr, targetMAC mac, target netip.Addr) {
	from := i.port.MAC()
	frame := make([]byte, etherHeader, etherHeader+arpLen)
	frame = append(frame, 0, 1, etherTypeIPv4>>8, etherTypeIPv4&0xff, 6, 4)
	frame = binary.BigEndian.AppendUint16(frame, op)
	frame = append(append(frame, from[:]...), sender.AsSlice()...)
	frame = append(append(frame, targetMAC[:]...), target.AsSlice()...)
	i.sendEther(to, etherTypeARP, frame, "")
}
