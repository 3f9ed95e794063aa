package hosts

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// ipProtocol is an IP protocol as a transport protocol of netstack, which calls it
// with whole datagrams, after reassembly and after the driver has judged them. It
// has no endpoints. Raw sockets of netstack would not do: they get packets before
// the driver does.
type ipProtocol struct {
	number tcpip.TransportProtocolNumber
	header int // bytes that every packet has
	take   func(*stack.PacketBuffer)
}

// newESP is for netstack: IP protocol 50, RFC 4303, Section 2, up to the sequence number.
func (d *driver) newESP(*stack.Stack) stack.TransportProtocol {
	return ipProtocol{tcpip.TransportProtocolNumber(ipsec.ProtoESP), 8, d.takeProtected}
}

// newAH is for netstack: IP protocol 51, RFC 4302, Section 2, likewise.
func (d *driver) newAH(*stack.Stack) stack.TransportProtocol {
	return ipProtocol{tcpip.TransportProtocolNumber(ipsec.ProtoAH), 12, d.takeProtected}
}

func (d *driver) takeProtected(pkt *stack.PacketBuffer) {
	n := d.host.nics[pkt.NICID-1]
	d.opened(n, d.esp.InboundProtected(d.host.world.Time(), wholeOf(d.peek(pkt))))
}

func (p ipProtocol) Number() tcpip.TransportProtocolNumber { return p.number }

func (p ipProtocol) MinimumPacketSize() int { return p.header }

func (p ipProtocol) Parse(pkt *stack.PacketBuffer) bool {
	if _, ok := pkt.TransportHeader().Consume(p.header); !ok {
		return false
	}
	pkt.TransportProtocolNumber = p.number
	return true
}

// HandleUnknownDestinationPacket takes every datagram of the protocol for the host.
func (p ipProtocol) HandleUnknownDestinationPacket(_ stack.TransportEndpointID, pkt *stack.PacketBuffer) stack.UnknownDestinationPacketDisposition {
	p.take(pkt)
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

func (ipProtocol) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

func (ipProtocol) NewRawEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

func (ipProtocol) ParsePorts([]byte) (src, dst uint16, err tcpip.Error) { return 0, 0, nil }

func (ipProtocol) SetOption(tcpip.SettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (ipProtocol) Option(tcpip.GettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

func (ipProtocol) Close()   {}
func (ipProtocol) Wait()    {}
func (ipProtocol) Pause()   {}
func (ipProtocol) Resume()  {}
func (ipProtocol) Restore() {}
