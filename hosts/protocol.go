package hosts

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// securityProtocol is ESP or AH as a transport protocol of netstack, which calls
// it with whole datagrams, after reassembly. It has no endpoints: packets go to
// the driver.
type securityProtocol struct {
	driver *driver
	number tcpip.TransportProtocolNumber
	header int // bytes that every packet has, up to the sequence number
}

// newESP is for netstack: IP protocol 50, RFC 4303, Section 2.
func (d *driver) newESP(*stack.Stack) stack.TransportProtocol {
	return securityProtocol{d, tcpip.TransportProtocolNumber(ipsec.ProtoESP), 8}
}

// newAH is for netstack: IP protocol 51, RFC 4302, Section 2.
func (d *driver) newAH(*stack.Stack) stack.TransportProtocol {
	return securityProtocol{d, tcpip.TransportProtocolNumber(ipsec.ProtoAH), 12}
}

func (p securityProtocol) Number() tcpip.TransportProtocolNumber { return p.number }

func (p securityProtocol) MinimumPacketSize() int { return p.header }

func (p securityProtocol) Parse(pkt *stack.PacketBuffer) bool {
	if _, ok := pkt.TransportHeader().Consume(p.header); !ok {
		return false
	}
	pkt.TransportProtocolNumber = p.number
	return true
}

// HandleUnknownDestinationPacket takes every datagram of the protocol for the host.
func (p securityProtocol) HandleUnknownDestinationPacket(_ stack.TransportEndpointID, pkt *stack.PacketBuffer) stack.UnknownDestinationPacketDisposition {
	d := p.driver
	n := d.host.nics[pkt.NICID-1]
	d.opened(n, d.esp.InboundProtected(d.host.world.Time(), wholeOf(d.peek(pkt))))
	return stack.UnknownDestinationPacketHandled
}

// wholeOf is a datagram that netstack has put together of fragments, or that came
// whole. Of IPv6 it leaves the header of the first fragment as it was.
func wholeOf(packet []byte) []byte {
	if familyOfPacket(packet) == ip4 {
		return packet
	}
	if first, err := ipv6.ParseStart(packet); err == nil && first.HasFragmentHeader() {
		return ipv6.Whole(first, first.FragmentData())
	}
	return packet
}

func (securityProtocol) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

func (securityProtocol) NewRawEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

func (securityProtocol) ParsePorts([]byte) (src, dst uint16, err tcpip.Error) { return 0, 0, nil }

func (securityProtocol) SetOption(tcpip.SettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (securityProtocol) Option(tcpip.GettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (securityProtocol) Close()   {}
func (securityProtocol) Wait()    {}
func (securityProtocol) Pause()   {}
func (securityProtocol) Resume()  {}
func (securityProtocol) Restore() {}
