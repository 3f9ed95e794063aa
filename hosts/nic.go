package hosts

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/sim"
)

// nic is an Ethernet interface: the link endpoint of a netstack on a port of a segment.
type nic struct {
	host       *Host
	id         tcpip.NICID
	prefix     netip.Prefix
	port       *sim.Port
	address    tcpip.LinkAddress
	dispatcher stack.NetworkDispatcher
}

var _ stack.LinkEndpoint = (*nic)(nil)

func newNIC(h *Host, id tcpip.NICID, c Interface) (*nic, error) {
	if !c.Prefix.Addr().Is4() {
		return nil, fmt.Errorf("address %s: unsupported: hosts speak IPv4 only", c.Prefix)
	}
	n := &nic{host: h, id: id, prefix: c.Prefix}
	mac := sim.MACFor(h.name, c.Segment.Name())
	n.address = tcpip.LinkAddress(mac[:])
	var err error
	n.port, err = c.Segment.Attach(sim.PortConfig{
		Node: h.name, Owner: h, MAC: mac, Addrs: []netip.Addr{c.Prefix.Addr()}, Receive: n.receive,
	})
	if err != nil {
		return nil, err
	}
	return n, h.addNIC(n)
}

// receive takes a frame from the segment, as an event of the host.
func (n *nic) receive(frame []byte) {
	if n.dispatcher == nil || len(frame) < header.EthernetMinimumSize {
		return
	}
	eth := header.Ethernet(frame)
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
	n.dispatcher.DeliverNetworkPacket(proto, pkt)
}

// deliver hands an IPv4 packet to the stack as if it had arrived on the interface.
func (n *nic) deliver(packet []byte) {
	if n.dispatcher == nil {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	defer pkt.DecRef()
	pkt.PktType = tcpip.PacketHost
	n.dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, pkt)
}

// WritePackets implements stack.LinkWriter.
func (n *nic) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range list.AsSlice() {
		n.host.driver.transmit(n, copyOf(pkt, 0))
	}
	return list.Len(), nil
}

// AddHeader implements stack.NetworkLinkEndpoint.
func (n *nic) AddHeader(pkt *stack.PacketBuffer) {
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

// ParseHeader implements stack.NetworkLinkEndpoint.
func (n *nic) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	return ok
}

// The rest of stack.NetworkLinkEndpoint.

func (n *nic) MTU() uint32                             { return uint32(n.port.MTU()) }
func (n *nic) SetMTU(uint32)                           {} // the link's is the one
func (n *nic) MaxHeaderLength() uint16                 { return header.EthernetMinimumSize }
func (n *nic) LinkAddress() tcpip.LinkAddress          { return n.address }
func (n *nic) SetLinkAddress(a tcpip.LinkAddress)      { n.address = a }
func (n *nic) Attach(d stack.NetworkDispatcher)        { n.dispatcher = d }
func (n *nic) IsAttached() bool                        { return n.dispatcher != nil }
func (n *nic) Wait()                                   {}
func (n *nic) Close()                                  {}
func (n *nic) SetOnCloseAction(func())                 {}
func (n *nic) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }
func (n *nic) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityResolutionRequired
}
