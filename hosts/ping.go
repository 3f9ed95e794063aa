package hosts

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Ping is what to send.
type Ping struct {
	To       netip.Addr
	Count    int
	Size     int           // bytes of echo data
	Interval time.Duration // from one request to the next
	Timeout  time.Duration // for each answer
}

// Report is how a request and response application fared.
type Report struct {
	Sent, Received int
	Latency        []time.Duration // of each answer, in the order of the requests answered
	Err            error           // the first failure other than a missing answer
}

// Result says in one word how it went: ok when everything was answered.
func (r Report) Result() string { return resultOf(r.Err, r.Received == r.Sent) }

// resultOf is the word of scenario files for an error.
func resultOf(err error, complete bool) string {
	switch err {
	case nil:
		if complete {
			return "ok"
		}
		return "timeout"
	case ErrRefused:
		return "refused"
	case ErrUnreachable:
		return "unreachable"
	case ErrTimeout:
		return "timeout"
	}
	return "error"
}

// Ping sends echo requests and waits for the answers. Call it from a coroutine.
func (h *Host) Ping(p *sim.Proc, c Ping) Report {
	var r Report
	s, err := h.newSocket(icmp.ProtocolNumber4)
	if err != nil {
		return Report{Err: err}
	}
	defer s.close()
	s.onReady(p.Wake)
	to := tcpip.FullAddress{Addr: addressOf(c.To)}
	if err := s.ep.Connect(to); err != nil {
		return Report{Sent: 1, Err: errorOf(err)}
	}
	data := pattern(0, c.Size)
	for i := range c.Count {
		start := p.Now()
		echo := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize+c.Size))
		echo.SetType(header.ICMPv4Echo)
		echo.SetSequence(uint16(i))
		copy(echo[header.ICMPv4MinimumSize:], data)
		r.Sent++
		if _, err := s.ep.Write(bytes.NewReader(echo), tcpip.WriteOptions{}); err != nil && r.Err == nil {
			r.Err = errorOf(err)
		}
		if s.awaitEcho(p, uint16(i), data, start+c.Timeout, &r) {
			r.Received++
			r.Latency = append(r.Latency, p.Now()-start)
		} else {
			h.record(trace.Application{App: "ping", Event: "timeout", Peer: c.To.String(), Detail: fmt.Sprintf("request %d", i+1)})
		}
		if i+1 < c.Count {
			p.Sleep(start + c.Interval - p.Now())
		}
	}
	h.record(trace.Application{App: "ping", Event: "done", Peer: c.To.String(), Detail: fmt.Sprintf("%d of %d answered", r.Received, r.Sent)})
	return r
}

// awaitEcho waits for the echo reply of a sequence number.
func (s *socket) awaitEcho(p *sim.Proc, sequence uint16, data []byte, deadline time.Duration, r *Report) bool {
	for {
		var b bytes.Buffer
		_, err := s.ep.Read(&b, tcpip.ReadOptions{})
		switch err.(type) {
		case nil:
			reply := header.ICMPv4(b.Bytes())
			if len(reply) >= header.ICMPv4MinimumSize && reply.Type() == header.ICMPv4EchoReply &&
				reply.Sequence() == sequence && bytes.Equal(reply[header.ICMPv4MinimumSize:], data) {
				return true
			}
			continue
		case *tcpip.ErrWouldBlock:
		default:
			if r.Err == nil {
				r.Err = errorOf(err)
			}
			return false
		}
		if !s.host.wait(p, deadline) {
			return false
		}
	}
}

// wait parks the coroutine until it is woken; false once the deadline has passed.
func (h *Host) wait(p *sim.Proc, deadline time.Duration) bool {
	if p.Now() >= deadline {
		return false
	}
	t := h.after(deadline-p.Now(), p.Wake)
	p.Park()
	t.Stop()
	return true
}
