package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// socket is an endpoint of the stack whose notifications become events of the host.
type socket struct {
	host    *Host
	boot    int // of the host, to which it belongs
	ep      tcpip.Endpoint
	entry   waiter.Entry
	ready   func()
	event   func() // changed, kept as a value
	pending bool   // an event is on its way
}

// newSocket opens an endpoint of one family: an application that serves both has two.
func (h *Host) newSocket(proto tcpip.TransportProtocolNumber, f family) (*socket, error) {
	if !slices.Contains(h.families, f) {
		return nil, ErrUnreachable
	}
	wq := new(waiter.Queue)
	if h.off {
		return nil, ErrOff
	}
	ep, err := h.stack.NewEndpoint(proto, f, wq)
	if err != nil {
		return nil, errorOf(err)
	}
	if f == ip6 {
		ep.SocketOptions().SetV6Only(true)
	}
	return h.wrap(ep, wq), nil
}

func (h *Host) wrap(ep tcpip.Endpoint, wq *waiter.Queue) *socket {
	s := &socket{host: h, boot: h.boots, ep: ep}
	s.event = s.changed
	events := waiter.ReadableEvents | waiter.WritableEvents | waiter.EventHUp | waiter.EventErr
	// Called by netstack, perhaps under the endpoint's lock: only schedule.
	s.entry = waiter.NewFunctionEntry(events, func(waiter.EventMask) { s.notify() })
	wq.EventRegister(&s.entry)
	return s
}

func (s *socket) notify() {
	if s.pending || s.gone() {
		return
	}
	s.pending = true
	s.host.soon(s.event)
}

// changed is the event.
func (s *socket) changed() {
	if s.pending = false; s.ready != nil && !s.gone() {
		s.ready()
	}
}

// onReady has f called, as an event, whenever the socket's state may have
// changed, and once now.
func (s *socket) onReady(f func()) {
	s.ready = f
	s.notify()
}

// fragment lets datagrams leave without the don't-fragment bit of IPv4.
func (s *socket) fragment() {
	s.ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(tcpip.PMTUDiscoveryDont))
}

// mark has what is sent carry a differentiated services codepoint: RFC 2474, Section 3.
func (s *socket) mark(dscp uint8, f family) error {
	option := tcpip.IPv4TOSOption
	if f == ip6 {
		option = tcpip.IPv6TrafficClassOption
	}
	return errorOf(s.ep.SetSockOptInt(option, int(dscp)<<2))
}

func (s *socket) close() {
	s.ready = nil
	s.ep.Close()
}

// Errors of sockets that applications tell apart.
var (
	ErrRefused     = errors.New("connection refused")
	ErrUnreachable = errors.New("unreachable")
	ErrTimeout     = errors.New("timed out")
	ErrReset       = errors.New("connection reset")
	ErrOff         = errors.New("the host is off")
	ErrRestarted   = errors.New("the host was restarted")
)

func errorOf(err tcpip.Error) error {
	switch err.(type) {
	case nil:
		return nil
	case *tcpip.ErrConnectionRefused:
		return ErrRefused
	case *tcpip.ErrHostUnreachable, *tcpip.ErrNetworkUnreachable, *tcpip.ErrHostDown:
		return ErrUnreachable
	case *tcpip.ErrTimeout:
		return ErrTimeout
	case *tcpip.ErrConnectionReset, *tcpip.ErrConnectionAborted:
		return ErrReset
	}
	return errors.New(err.String())
}

// udpSocket is a UDP endpoint.
type udpSocket struct{ *socket }

// bindUDP opens a UDP endpoint at the address, or at all addresses of a family
// with its unspecified address; port 0 takes an ephemeral one.
func (h *Host) bindUDP(local netip.AddrPort) (*udpSocket, error) {
	s, err := h.newSocket(udp.ProtocolNumber, familyOf(local.Addr()))
	if err != nil {
		return nil, err
	}
	if err := s.ep.Bind(fullAddress(local)); err != nil {
		s.ep.Close()
		return nil, errorOf(err)
	}
	return &udpSocket{s}, nil
}

func (s *udpSocket) send(to netip.AddrPort, payload []byte) error {
	full := fullAddress(to)
	n, err := s.ep.Write(bytes.NewReader(payload), tcpip.WriteOptions{To: &full})
	if err == nil && n != int64(len(payload)) {
		return fmt.Errorf("sent %d of %d bytes", n, len(payload))
	}
	return errorOf(err)
}

// receive takes the next datagram; ok is false when there is none. An error is
// about an earlier datagram (ICMP), or final.
func (s *udpSocket) receive() (payload []byte, from netip.AddrPort, ok bool, err error) {
	payload, from, _, ok, err = s.receiveTo()
	return payload, from, ok, err
}

// receiveTo also says where the datagram was sent to, if the socket was told to find out.
func (s *udpSocket) receiveTo() (payload []byte, from netip.AddrPort, to netip.Addr, ok bool, err error) {
	var b bytes.Buffer
	r, terr := s.ep.Read(&b, tcpip.ReadOptions{NeedRemoteAddr: true})
	switch terr.(type) {
	case nil:
		if c := r.ControlMessages; c.HasOriginalDstAddress {
			to = addrOf(c.OriginalDstAddress.Addr)
		}
		return b.Bytes(), netip.AddrPortFrom(addrOf(r.RemoteAddr.Addr), r.RemoteAddr.Port), to, true, nil
	case *tcpip.ErrWouldBlock, *tcpip.ErrClosedForReceive:
		return nil, netip.AddrPort{}, netip.Addr{}, false, nil
	}
	return nil, netip.AddrPort{}, netip.Addr{}, false, errorOf(terr)
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	full := tcpip.FullAddress{Port: a.Port()}
	if a.Addr().IsValid() && !a.Addr().IsUnspecified() {
		full.Addr = addressOf(a.Addr())
	}
	return full
}
