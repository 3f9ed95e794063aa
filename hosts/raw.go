package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/sim"
)

// RawDatagrams are datagrams of an IP protocol that goes without TCP and UDP, such as RSVP.
type RawDatagrams struct {
	To       netip.Addr
	Protocol uint8
	Count    int
	Size     int // bytes behind the IP header; at least 1
	Interval time.Duration
	Options  []byte // of the IPv4 header, a multiple of 4 bytes, 40 at most
}

// SendRaw sends datagrams that nobody answers. Call it from a coroutine. The error
// says that the stack would not send; what the driver keeps back is no error, as a
// program with a raw socket does not hear of it.
func (h *Host) SendRaw(p *sim.Proc, c RawDatagrams) error {
	boot := h.boots
	for i := range c.Count {
		if h.boots != boot {
			return ErrRestarted
		}
		if err := h.sendRaw(c.To, c.Protocol, c.Options, traffic.Pattern(int64(i), max(c.Size, 1))); err != nil {
			return err
		}
		if i+1 < c.Count {
			p.Sleep(c.Interval)
		}
	}
	h.record(trace.Application{App: "raw sender", Event: "done", Peer: c.To.String(), Detail: fmt.Sprintf("%d sent", c.Count)})
	return nil
}

func (h *Host) sendRaw(to netip.Addr, proto uint8, options, payload []byte) error {
	if h.off {
		return ErrOff
	}
	r, err := h.stack.FindRoute(0, tcpip.Address{}, addressOf(to), familyOf(to), false)
	if err != nil {
		return errorOf(err)
	}
	defer r.Release()
	if len(options) > 0 {
		return h.sendWithOptions(r, proto, options, payload)
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{ReserveHeaderBytes: int(r.MaxHeaderLength()), Payload: buffer.MakeWithData(payload)})
	defer pkt.DecRef()
	return errorOf(r.WritePacket(stack.NetworkHeaderParams{Protocol: tcpip.TransportProtocolNumber(proto), TTL: r.DefaultTTL()}, pkt))
}

// sendWithOptions sends a datagram whose header the program has made, as netstack makes
// few options itself. Identification, total length and checksum are netstack's.
func (h *Host) sendWithOptions(r *stack.Route, proto uint8, options, payload []byte) error {
	if r.NetProto() != header.IPv4ProtocolNumber {
		return fmt.Errorf("hosts: %s: options of IPv4 for %s", h.name, r.RemoteAddress())
	}
	n := header.IPv4MinimumSize + len(options)
	b := make([]byte, n, n+len(payload))
	b[0], b[8], b[9] = byte(4<<4|n/4), r.DefaultTTL(), proto
	src, dst := r.LocalAddress().As4(), r.RemoteAddress().As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	copy(b[header.IPv4MinimumSize:], options)
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(r.MaxHeaderLength()), Payload: buffer.MakeWithData(append(b, payload...)),
	})
	defer pkt.DecRef()
	return errorOf(r.WriteHeaderIncludedPacket(pkt))
}

// serveProtocol is an application that takes every datagram of a protocol and
// answers none. netstack is told of protocols when it is made.
func (h *Host) serveProtocol(number uint8) stack.TransportProtocolFactory {
	l := h.addListener(number, 0)
	return func(*stack.Stack) stack.TransportProtocol {
		return ipProtocol{tcpip.TransportProtocolNumber(number), 1, l.takeRaw}
	}
}

// takeRaw logs a datagram that passed the IPsec boundary.
func (l *Listener) takeRaw(pkt *stack.PacketBuffer) {
	in, ok := readDatagram(wholeOf(l.host.driver.peek(pkt)))
	if !ok {
		return
	}
	size := int64(len(in.payload()))
	l.seen.Datagrams++
	l.seen.Bytes += size
	detail := ""
	if !slices.Contains(l.host.Addrs(), in.dst) {
		detail = "to " + in.dst.String()
	}
	l.host.record(trace.Application{App: l.key.String(), Event: "datagram", Peer: in.src.String(), Bytes: size, Detail: detail})
}
