package hosts

import (
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
	d.mu.Lock()
	decision := d.esp.InboundProtected(d.host.world.Time(), packet)
	d.mu.Unlock()
	if decision.Outcome == esp.Opened {
		d.opened(d.host.nics[pkt.NICID-1], decision.Packet)
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
