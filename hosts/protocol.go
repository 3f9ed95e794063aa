package hosts

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// espProtocol is ESP as a transport protocol of netstack (IP protocol 50), which
// calls it with whole datagrams, after reassembly. It has no endpoints: packets
// go to the driver.
type espProtocol struct{ driver *driver }

func (d *driver) newProtocol(*stack.Stack) stack.TransportProtocol { return espProtocol{d} }

func (espProtocol) Number() tcpip.TransportProtocolNumber {
	return tcpip.TransportProtocolNumber(ipsec.ProtoESP)
}

// espFixedHeader is the SPI and the sequence number, RFC 4303, Section 2.
const espFixedHeader = 8

func (espProtocol) MinimumPacketSize() int { return espFixedHeader }

func (espProtocol) Parse(pkt *stack.PacketBuffer) bool {
	if _, ok := pkt.TransportHeader().Consume(espFixedHeader); !ok {
		return false
	}
	pkt.TransportProtocolNumber = tcpip.TransportProtocolNumber(ipsec.ProtoESP)
	return true
}

// HandleUnknownDestinationPacket takes every ESP datagram for the host.
func (p espProtocol) HandleUnknownDestinationPacket(_ stack.TransportEndpointID, pkt *stack.PacketBuffer) stack.UnknownDestinationPacketDisposition {
	d := p.driver
	packet := bytesOf(pkt)
	n := d.host.nics[pkt.NICID-1]
	now := d.host.world.Time()
	d.mu.Lock()
	decision := d.esp.InboundProtected(now, packet)
	if decision.Outcome == esp.Opened {
		peer := netip.AddrFrom4([4]byte(packet[12:16]))
		d.fitInbound(decision.Packet, d.paths.mtu(now, peer, n.port.MTU()))
	}
	d.mu.Unlock()
	if decision.Outcome == esp.Opened {
		d.opened(n, decision.Packet)
	}
	d.host.keying.kick() // bytes were counted: a lifetime may have ended
	return stack.UnknownDestinationPacketHandled
}

func (espProtocol) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

func (espProtocol) NewRawEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

func (espProtocol) ParsePorts([]byte) (src, dst uint16, err tcpip.Error) { return 0, 0, nil }

func (espProtocol) SetOption(tcpip.SettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (espProtocol) Option(tcpip.GettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (espProtocol) Close()   {}
func (espProtocol) Wait()    {}
func (espProtocol) Pause()   {}
func (espProtocol) Resume()  {}
func (espProtocol) Restore() {}
