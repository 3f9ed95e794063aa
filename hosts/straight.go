package hosts

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

// Most datagrams need nothing of netstack's IP layer below the driver, in which they
// would take longer than in the cryptography: they are whole, fit the link, and the
// address of the next hop is known. These go straight to the wire, and when they are
// protected come straight from it.

// straightIn takes an IPv4 packet from the wire that is a whole datagram of ESP, alone or in UDP, or AH for
// an interface. What was inside enters the stack, in the memory of the packet. false
// for all others: fragments, headers with options or mistakes, foreign addresses.
func (d *driver) straightIn(n *nic, packet []byte) bool {
	const plainHeader = 4<<4 | header.IPv4MinimumSize/4 // version, and length in words
	ip := header.IPv4(packet)
	if len(packet) < header.IPv4MinimumSize || packet[0] != plainHeader || !ip.IsValid(len(packet)) || !ip.IsChecksumValid() ||
		ip.Protocol() == ipsec.ProtoTCP || ip.More() || ip.FragmentOffset() != 0 || !n.has(addrOf(ip.DestinationAddress())) {
		return false
	}
	switch ip.Protocol() {
	case ipsec.ProtoESP, ipsec.ProtoAH:
	case ipsec.ProtoUDP:
		if in, ok := readDatagram(packet[:ip.TotalLength()]); !ok || !d.carriesESP(in) {
			return false
		}
	default:
		return false
	}
	d.opened(n, d.esp.InboundInPlace(d.host.world.Time(), packet[:ip.TotalLength()]))
	return true
}

// opened carries out the decision about an ESP or AH datagram that came to an
// interface. What was inside enters the stack as an event.
func (d *driver) opened(n *nic, decision esp.Decision) {
	if d.esp.Pending() { // bytes were counted: a lifetime may have ended
		d.host.keying.kick()
	}
	if decision.Outcome != esp.Opened {
		return
	}
	to := n
	if in, ok := readDatagram(decision.Packet); ok {
		d.fitInbound(in, d.paths.mtu(d.host.world.Time(), in.src, n.port.MTU()))
		d.release()
		if to = d.arrives(n, in.dst); to == nil {
			d.dropped("ipsec inbound", decision.Packet, "unsupported: it came out of a tunnel and is for another computer, and hosts do not forward")
			return
		}
		if d.wall != nil && !d.wall.lets(in, decision.PeerID) {
			return
		}
	}
	d.injectVerified(to, decision.Packet, decision.Verified)
}

// straightOut puts a datagram that was judged and fits the link on the wire, with the
// Ethernet header in front of it in the buffer where it is; the buffer is given away.
// It asks netstack for the next hop as netstack would, so that addresses are resolved
// and stay so; false when that takes time, or there is no room in front.
func (d *driver) straightOut(n *nic, buf, packet []byte, v *note, r *stack.Route) bool {
	if len(packet) > n.port.MTU() || r.Loop() != stack.PacketOut {
		return false
	}
	if n.medium == sim.PointToPoint {
		d.put(n, packet, *v)
		return true
	}
	whole := buf[:cap(buf)]
	at := cap(buf) - cap(packet)
	if at < header.EthernetMinimumSize || &whole[at] != &packet[0] {
		return false
	}
	d.hop = stack.ResolvedFieldsResult{}
	if err := r.ResolvedFields(d.resolved); err != nil || d.hop.Err != nil || d.hop.RouteInfo.RemoteLinkAddress == "" {
		return false
	}
	frame := whole[at-header.EthernetMinimumSize : at+len(packet)]
	header.Ethernet(frame).Encode(&header.EthernetFields{
		SrcAddr: n.address, DstAddr: d.hop.RouteInfo.RemoteLinkAddress, Type: r.NetProto(),
	})
	d.put(n, frame, *v)
	return true
}
