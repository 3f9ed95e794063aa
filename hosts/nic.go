package hosts

import (
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/sim"
)

// nic is an interface: the link endpoint of a netstack on a port of a segment.
type nic struct {
	host       *Host
	id         tcpip.NICID
	boot       int // of the host, to which it belongs
	medium     sim.Medium
	prefixes   []netip.Prefix
	six        bool // it has a link-local address
	port       *sim.Port
	address    tcpip.LinkAddress
	dispatcher stack.NetworkDispatcher
	dhcp       *dhcpClient // nil: there is none
	verified   bool        // the checksum of the transport protocol in the packet that is delivered is not to be looked at
}

var _ stack.LinkEndpoint = (*nic)(nil)

// newNIC makes interface number i of a host, from 0, on the port that it had before, if any.
func newNIC(h *Host, i int, c Interface) (*nic, error) {
	if len(c.Prefixes) == 0 && !c.Unnumbered {
		return nil, fmt.Errorf("interface on %s: it has no address", c.Segment.Name())
	}
	n := &nic{host: h, id: tcpip.NICID(i + 1), boot: h.boots, medium: c.Segment.Config().Medium, prefixes: slices.Clone(c.Prefixes)}
	mac := sim.MACFor(h.name, c.Segment.Name())
	if n.medium == sim.Ethernet {
		n.address = tcpip.LinkAddress(mac[:])
	}
	prefixes := n.prefixes
	if n.six = c.has(ip6); n.six {
		prefixes = append(prefixes[:len(prefixes):len(prefixes)], ipv6.LinkLocal(mac))
	}
	port := sim.PortConfig{Node: h.name, Owner: h, MAC: mac, Receive: func(frame []byte) { h.nics[i].receive(frame) }}
	for _, p := range prefixes {
		port.Addrs = append(port.Addrs, p.Addr())
	}
	if i == len(h.ports) {
		p, err := c.Segment.Attach(port)
		if err != nil {
			return nil, err
		}
		h.ports = append(h.ports, p)
	}
	n.port = h.ports[i]
	if err := n.port.SetAddrs(port.Addrs); err != nil { // it may have had others before a restart
		return nil, err
	}
	return n, h.addNIC(n, prefixes)
}

// receive takes a frame from the segment, as an event of the host.
func (n *nic) receive(frame []byte) {
	if n.gone() {
		return
	}
	if n.medium == sim.PointToPoint {
		if packet, ok := n.packet(frame); ok && !n.taken(packet) && !n.host.driver.straightIn(n, packet) {
			n.host.driver.received = true
			n.deliver(frame)
			n.host.driver.received = false
		}
		return
	}
	if n.dispatcher == nil || len(frame) < header.EthernetMinimumSize {
		return
	}
	eth := header.Ethernet(frame)
	if eth.Type() == header.ARPProtocolNumber && eth.DestinationAddress() == header.EthernetBroadcastAddress {
		n.hearAnnouncement(frame)
	}
	if eth.Type() == ip4 && eth.DestinationAddress() == n.address && n.taken(frame[header.EthernetMinimumSize:]) {
		return
	}
	if eth.Type() == ip4 && eth.DestinationAddress() == n.address && n.host.driver.straightIn(n, frame[header.EthernetMinimumSize:]) {
		return
	}
	if dst := eth.DestinationAddress(); eth.Type() == ip4 && (dst == n.address || dst == header.EthernetBroadcastAddress) &&
		n.takeDHCP(frame[header.EthernetMinimumSize:]) {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	defer pkt.DecRef()
	switch dst := eth.DestinationAddress(); {
	case dst == n.address:
		pkt.PktType = tcpip.PacketHost
	case dst == header.EthernetBroadcastAddress:
		pkt.PktType = tcpip.PacketBroadcast
	case header.IsMulticastEthernetAddress(dst):
		pkt.PktType = tcpip.PacketMulticast
	default:
		return // flooded by the switch for somebody else
	}
	proto := eth.Type()
	n.ParseHeader(pkt)
	n.host.driver.received = true
	n.dispatcher.DeliverNetworkPacket(proto, pkt)
	n.host.driver.received = false
}

// has reports whether an address is one of the interface.
func (n *nic) has(a netip.Addr) bool {
	return slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool { return p.Addr() == a })
}

// packet is the IP packet in a frame; false for another protocol, such as ARP.
func (n *nic) packet(frame []byte) ([]byte, bool) {
	packet, kind, _ := n.medium.Packet(frame)
	return packet, family(kind) == ip4 || family(kind) == ip6
}

// deliver hands an IP packet to the stack as if it had arrived on the interface.
func (n *nic) deliver(packet []byte) {
	if n.dispatcher == nil || n.gone() {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	defer pkt.DecRef()
	pkt.PktType = tcpip.PacketHost
	n.dispatcher.DeliverNetworkPacket(familyOfPacket(packet), pkt)
}

// WritePackets implements stack.LinkWriter.
func (n *nic) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	if n.gone() {
		return list.Len(), nil
	}
	for _, pkt := range list.AsSlice() {
		n.host.driver.transmit(n, pkt)
	}
	return list.Len(), nil
}

// AddHeader implements stack.NetworkLinkEndpoint.
func (n *nic) AddHeader(pkt *stack.PacketBuffer) {
	if n.medium == sim.PointToPoint {
		return
	}
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

// ParseHeader implements stack.NetworkLinkEndpoint.
func (n *nic) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(n.medium.HeaderLen())
	return ok
}

// The rest of stack.NetworkLinkEndpoint.

func (n *nic) MTU() uint32                        { return uint32(n.port.MTU()) }
func (n *nic) SetMTU(uint32)                      {} // the link's is the one
func (n *nic) MaxHeaderLength() uint16            { return uint16(n.medium.HeaderLen()) }
func (n *nic) LinkAddress() tcpip.LinkAddress     { return n.address }
func (n *nic) SetLinkAddress(a tcpip.LinkAddress) { n.address = a }
func (n *nic) Attach(d stack.NetworkDispatcher)   { n.dispatcher = d }
func (n *nic) IsAttached() bool                   { return n.dispatcher != nil }
func (n *nic) Wait()                              {}
func (n *nic) Close()                             {}
func (n *nic) SetOnCloseAction(func())            {}

func (n *nic) ARPHardwareType() header.ARPHardwareType {
	if n.medium == sim.PointToPoint {
		return header.ARPHardwareNone
	}
	return header.ARPHardwareEther
}

// Capabilities are asked for with each packet that is delivered: the stack takes it from
// here whether somebody has looked at checksums already.
func (n *nic) Capabilities() (c stack.LinkEndpointCapabilities) {
	if n.medium != sim.PointToPoint {
		c |= stack.CapabilityResolutionRequired
	}
	if n.verified {
		c |= stack.CapabilityRXChecksumOffload
	}
	return c
}
