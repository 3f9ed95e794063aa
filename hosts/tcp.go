package hosts

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/sim"
)

// tcpSocket is a TCP connection.
type tcpSocket struct{ *socket }

// ServeTCP answers requests on a port, in each family that the host speaks.
func (h *Host) ServeTCP(port uint16) (*Listener, error) { return h.serveTCP(port, (*Listener).serve) }

func (h *Host) serveTCP(port uint16, serve func(*Listener, *sim.Proc, *tcpSocket, netip.AddrPort)) (*Listener, error) {
	var sockets []*socket
	for _, f := range h.families {
		s, err := h.listenTCP(port, f)
		if err != nil {
			for _, s := range sockets {
				s.close()
			}
			return nil, fmt.Errorf("hosts: %s: listening on TCP port %d: %w", h.name, port, err)
		}
		sockets = append(sockets, s)
	}
	l := h.addListener(ipsec.ProtoTCP, port)
	for _, s := range sockets {
		s.onReady(func() { l.accept(s, serve) })
	}
	return l, nil
}

func (h *Host) listenTCP(port uint16, f family) (*socket, error) {
	s, err := h.newSocket(tcp.ProtocolNumber, f)
	if err != nil {
		return nil, err
	}
	if err = errorOf(s.ep.Bind(tcpip.FullAddress{Port: port})); err == nil {
		err = errorOf(s.ep.Listen(128))
	}
	if err != nil {
		s.close()
	}
	return s, err
}

// accept serves the connections that have come.
func (l *Listener) accept(s *socket, serve func(*Listener, *sim.Proc, *tcpSocket, netip.AddrPort)) {
	h := l.host
	for {
		var peer tcpip.FullAddress
		ep, wq, err := s.ep.Accept(&peer)
		if err != nil {
			return
		}
		from := netip.AddrPortFrom(addrOf(peer.Addr), peer.Port)
		l.seen.Connections++
		l.record("accepted", from, 0, "")
		c := &tcpSocket{h.wrap(ep, wq)}
		h.world.Go(h, l.key.String(), func(p *sim.Proc) { serve(l, p, c, from) })
	}
}

// serverIdle is how long the server waits for the next byte of a request.
const serverIdle = 5 * time.Minute

// serve answers one connection.
func (l *Listener) serve(p *sim.Proc, c *tcpSocket, from netip.AddrPort) {
	defer c.close()
	c.onReady(p.Wake)
	header := make([]byte, traffic.RequestHeader)
	if err := c.readFull(p, header, p.Now()+serverIdle); err != nil {
		l.record("closed", from, 0, "no request: "+err.Error())
		return
	}
	want, answer := traffic.ParseRequest(header)
	var got int64
	buf := make([]byte, 64<<10)
	for uint64(got) < want {
		n, err := c.read(p, buf[:min(uint64(len(buf)), want-uint64(got))], p.Now()+serverIdle)
		intact := traffic.Matches(buf[:n], got)
		got += int64(n)
		l.seen.Bytes += int64(n)
		if !intact {
			l.seen.Corrupt++
			l.record("corrupt", from, got, "the data differ from what was sent")
			return
		}
		if err != nil {
			l.record("closed", from, got, "request cut short: "+err.Error())
			return
		}
	}
	l.record("request", from, got, "")
	if err := c.writePattern(p, int64(answer), p.Now()+serverIdle); err != nil {
		l.record("closed", from, got, "answering: "+err.Error())
		return
	}
	c.ep.Shutdown(tcpip.ShutdownWrite)
	// Wait for the client to close, so that nothing in flight is reset.
	c.read(p, buf, p.Now()+serverIdle)
	l.record("closed", from, got, "")
}

// Call is one TCP request.
type Call struct {
	To        netip.AddrPort
	LocalPort uint16 // 0: an ephemeral one; several connections may have one and the same
	Request   int64  // bytes sent, compared by the server
	Response  int64  // bytes wanted back, compared here
	Timeout   time.Duration
	DSCP      uint8 // of what is sent, the answer not: RFC 2474
}

// Call opens a connection, sends the request, reads the response and closes.
// Call it from a coroutine.
func (h *Host) Call(p *sim.Proc, c Call) Report {
	r := Report{Sent: 1}
	took, err := h.call(p, c)
	event := trace.Application{App: "tcp client", Event: "done", Peer: c.To.String(), Bytes: c.Request}
	if r.Err = err; err == nil {
		r.Received = 1
		r.Latency = []time.Duration{took}
	} else {
		event.Event, event.Detail = resultOf(r.Err, false), r.Err.Error()
	}
	h.record(event)
	return r
}

// call returns the time until the whole answer was there.
func (h *Host) call(p *sim.Proc, c Call) (took time.Duration, err error) {
	start := p.Now()
	deadline := start + c.Timeout
	s, err := h.newSocket(tcp.ProtocolNumber, familyOf(c.To.Addr()))
	if err != nil {
		return 0, err
	}
	k := &tcpSocket{s}
	defer k.close()
	k.onReady(p.Wake)
	if c.LocalPort != 0 {
		// A connection of before from the same port to another may be closing still.
		k.ep.SocketOptions().SetReuseAddress(true)
		if err := k.ep.Bind(tcpip.FullAddress{Port: c.LocalPort}); err != nil {
			return 0, errorOf(err)
		}
	}
	if err := k.mark(c.DSCP, familyOf(c.To.Addr())); err != nil {
		return 0, err
	}
	if err := k.connect(p, c.To, deadline); err != nil {
		return 0, err
	}
	if err := k.write(p, traffic.AppendRequest(nil, c.Request, c.Response), deadline); err != nil {
		return 0, err
	}
	if err := k.writePattern(p, c.Request, deadline); err != nil {
		return 0, err
	}
	answer := make([]byte, c.Response)
	if err := k.readFull(p, answer, deadline); err != nil {
		return 0, err
	}
	if !traffic.Matches(answer, 0) {
		return 0, fmt.Errorf("the answer of %s differs from what was sent", c.To)
	}
	took = p.Now() - start
	k.finish(p)
	return took, nil
}

// finish closes the connection and waits until both ends agree that it is
// closed, so that nothing of it is on the wire afterwards.
func (s *tcpSocket) finish(p *sim.Proc) {
	const patience, look = 10 * time.Second, 10 * time.Millisecond
	s.ep.Shutdown(tcpip.ShutdownWrite)
	for end := p.Now() + patience; p.Now() < end && !s.gone(); p.Sleep(look) {
		switch tcp.EndpointState(s.ep.State()) {
		case tcp.StateTimeWait, tcp.StateClose, tcp.StateError:
			return
		}
	}
}

func (s *tcpSocket) connect(p *sim.Proc, to netip.AddrPort, deadline time.Duration) error {
	err := s.ep.Connect(fullAddress(to))
	if _, started := err.(*tcpip.ErrConnectStarted); err != nil && !started {
		return errorOf(err)
	}
	for {
		switch tcp.EndpointState(s.ep.State()) {
		case tcp.StateEstablished, tcp.StateCloseWait:
			return nil
		case tcp.StateError, tcp.StateClose:
			if err := errorOf(s.ep.LastError()); err != nil {
				return err
			}
			return ErrReset
		}
		if err := s.host.wait(p, deadline); err != nil {
			return err
		}
	}
}

// read takes what is there, waiting for at least a byte.
func (s *tcpSocket) read(p *sim.Proc, b []byte, deadline time.Duration) (int, error) {
	for {
		w := tcpip.SliceWriter(b)
		r, err := s.ep.Read(&w, tcpip.ReadOptions{})
		switch err.(type) {
		case nil:
			return r.Count, nil
		case *tcpip.ErrWouldBlock:
			if err := s.host.wait(p, deadline); err != nil {
				return 0, err
			}
		case *tcpip.ErrClosedForReceive:
			return 0, io.EOF
		default:
			return 0, errorOf(err)
		}
	}
}

func (s *tcpSocket) readFull(p *sim.Proc, b []byte, deadline time.Duration) error {
	for len(b) > 0 {
		n, err := s.read(p, b, deadline)
		b = b[n:]
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *tcpSocket) write(p *sim.Proc, b []byte, deadline time.Duration) error {
	for len(b) > 0 {
		n, err := s.ep.Write(bytes.NewReader(b), tcpip.WriteOptions{})
		b = b[n:]
		switch err.(type) {
		case nil:
		case *tcpip.ErrWouldBlock:
			if err := s.host.wait(p, deadline); err != nil {
				return err
			}
		default:
			return errorOf(err)
		}
	}
	return nil
}

// writePattern sends n bytes of test data.
func (s *tcpSocket) writePattern(p *sim.Proc, n int64, deadline time.Duration) error {
	buf := make([]byte, min(n, 64<<10))
	for at := int64(0); at < n; {
		chunk := buf[:min(int64(len(buf)), n-at)]
		traffic.Fill(chunk, at)
		if err := s.write(p, chunk, deadline); err != nil {
			return err
		}
		at += int64(len(chunk))
	}
	return nil
}
