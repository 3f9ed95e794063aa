package hosts

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// sendDirect puts an IPv4 datagram that no route of the stack leads to through the
// boundary and, if policy lets it pass, on the wire to a link address: what is sent
// from 0.0.0.0, or to somebody who has no address yet.
func (d *driver) sendDirect(n *nic, to tcpip.LinkAddress, packet []byte) {
	if out, ok := readDatagram(packet); ok && d.wall != nil && !d.wall.sends(out) {
		return
	}
	now := d.host.world.Time()
	d.inside.take(d.host.world, packet)
	decision := d.esp.Outbound(now, packet, n.port.MTU())
	if d.esp.Pending() {
		d.host.keying.kick()
	}
	v := note{policy: d.policy.number}
	switch decision.Outcome {
	case esp.Passed:
		if d.host.world.Watched() {
			v.comment = verdictComment(decision)
		}
	case esp.Protected:
		packet, v = decision.Packet, *d.protectedNote(&decision)
	default:
		return // dropped, or kept until there is an SA
	}
	frame := make([]byte, header.EthernetMinimumSize, header.EthernetMinimumSize+len(packet))
	header.Ethernet(frame).Encode(&header.EthernetFields{SrcAddr: n.address, DstAddr: to, Type: ip4})
	d.put(n, append(frame, packet...), v)
}

// receiveDirect takes a whole IPv4 datagram of UDP for a port that arrived for an
// address which the interface does not have: everybody's, or one that it is about to
// get. It gives what is inside if policy lets it in. taken is false for what is not meant.
func (d *driver) receiveDirect(n *nic, packet []byte, port uint16) (payload []byte, taken bool) {
	ip := header.IPv4(packet)
	if len(packet) < header.IPv4MinimumSize || !ip.IsValid(len(packet)) || ip.Protocol() != ipsec.ProtoUDP ||
		ip.More() || ip.FragmentOffset() != 0 || n.has(addrOf(ip.DestinationAddress())) {
		return nil, false
	}
	udp := header.UDP(packet[ip.HeaderLength():ip.TotalLength()])
	if len(udp) < header.UDPMinimumSize || udp.DestinationPort() != port {
		return nil, false
	}
	in, ok := readDatagram(packet[:ip.TotalLength()])
	if !ok || !ip.IsChecksumValid() || int(udp.Length()) < header.UDPMinimumSize || int(udp.Length()) > len(udp) || !udpSum(ip, udp[:udp.Length()]) {
		d.dropped("dhcp", packet, "it is broken")
		return nil, true
	}
	if !d.admit(in) {
		return nil, true
	}
	return udp[header.UDPMinimumSize:udp.Length()], true
}
