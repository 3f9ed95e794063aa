package hosts

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ipseclab/ipseclab/internal/http1"
	"github.com/ipseclab/ipseclab/sim"
)

// fetch sends a request over a connection of its own, which the host's IPsec policy
// concerns as any other, and reads the answer.
func (h *Host) fetch(p *sim.Proc, to netip.AddrPort, r http1.Request, deadline time.Duration) (*http1.Response, error) {
	s, err := h.newSocket(tcp.ProtocolNumber, familyOf(to.Addr()))
	if err != nil {
		return nil, err
	}
	c := &tcpSocket{s}
	defer c.close()
	c.onReady(p.Wake)
	if err := c.connect(p, to, deadline); err != nil {
		return nil, err
	}
	if err := c.write(p, r.Append(nil), deadline); err != nil {
		return nil, err
	}
	var answer *http1.Response
	err = c.readMessage(p, deadline, func(b []byte, end bool) error {
		answer, err = http1.ParseResponse(b, end)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.finish(p)
	return answer, nil
}

// readMessage reads until what has come is a whole message, or none.
func (s *tcpSocket) readMessage(p *sim.Proc, deadline time.Duration, parse func(b []byte, end bool) error) error {
	var all []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := s.read(p, buf, deadline)
		all = append(all, buf[:n]...)
		if len(all) > http1.MaxMessage {
			return fmt.Errorf("more than %d bytes", http1.MaxMessage)
		}
		switch end := errors.Is(err, io.EOF); {
		case err != nil && !end:
			return err
		case n > 0 || end:
			if err := parse(all, end); !errors.Is(err, http1.ErrIncomplete) {
				return err
			}
			if end {
				return fmt.Errorf("the connection ended after %d bytes of a message", len(all))
			}
		}
	}
}

// serveHTTP reads one request, answers it and closes.
func (l *Listener) serveHTTP(p *sim.Proc, c *tcpSocket, from netip.AddrPort, answer func(*http1.Request) http1.Response) {
	defer c.close()
	c.onReady(p.Wake)
	var request *http1.Request
	var got int
	err := c.readMessage(p, p.Now()+serverIdle, func(b []byte, _ bool) (err error) {
		l.seen.Bytes += int64(len(b) - got)
		got = len(b)
		request, err = http1.ParseRequest(b)
		return err
	})
	reply := http1.Response{Proto: "HTTP/1.1", Status: 400, Reason: reasonOf(400)}
	switch {
	case errors.Is(err, ErrRestarted) || errors.Is(err, ErrReset) || errors.Is(err, ErrTimeout):
		l.record("closed", from, int64(got), "no request: "+err.Error())
		return
	case err != nil:
		l.record("request", from, int64(got), err.Error())
		reply.Body = []byte(err.Error() + "\n")
	default:
		l.record("request", from, int64(got), request.Method+" "+short(request.Target))
		reply = answer(request)
	}
	reply.Header = append(reply.Header, http1.Field{Name: "Connection", Value: "close"})
	if err := c.write(p, reply.Append(nil), p.Now()+serverIdle); err != nil {
		l.record("closed", from, int64(got), "answering: "+err.Error())
		return
	}
	c.ep.Shutdown(tcpip.ShutdownWrite)
	c.read(p, make([]byte, 1), p.Now()+serverIdle) // until the client closes
	l.record("closed", from, int64(got), "")
}

// short is the beginning of a target: messages of SCEP are long.
func short(target string) string {
	const most = 96
	if len(target) > most {
		return target[:most] + "…"
	}
	return target
}

// reasonOf is a status in words.
func reasonOf(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 501:
		return "Not Implemented"
	}
	return "Internal Server Error"
}
