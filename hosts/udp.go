package hosts

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// ServeUDP echoes every datagram to its sender.
func (h *Host) ServeUDP(port uint16) (*Listener, error) {
	s, err := h.bindUDP(netip.AddrPortFrom(netip.Addr{}, port))
	if err != nil {
		return nil, fmt.Errorf("hosts: %s: listening on UDP port %d: %w", h.name, port, err)
	}
	s.fragment()
	l := h.addListener(ipsec.ProtoUDP, port)
	s.onReady(func() {
		for {
			payload, from, ok, err := s.receive()
			if err != nil {
				continue
			}
			if !ok {
				return
			}
			l.count(func(s *Seen) { s.Datagrams++; s.Bytes += int64(len(payload)) })
			l.record("datagram", from, int64(len(payload)), "")
			if err := s.send(from, payload); err != nil {
				l.record("answer failed", from, 0, err.Error())
			}
		}
	})
	return l, nil
}

// Datagrams is what a UDP client sends.
type Datagrams struct {
	To        netip.AddrPort
	LocalPort uint16 // 0: an ephemeral one
	Count     int
	Size      int // bytes of payload; at least 4, which hold a number
	Interval  time.Duration
	Timeout   time.Duration // for each echo
}

// SendDatagrams sends datagrams and waits for their echoes. Call it from a coroutine.
func (h *Host) SendDatagrams(p *sim.Proc, c Datagrams) Report {
	s, err := h.bindUDP(netip.AddrPortFrom(netip.Addr{}, c.LocalPort))
	if err != nil {
		return Report{Err: err}
	}
	defer s.close()
	s.fragment()
	s.onReady(p.Wake)
	var r Report
	// Connected, so that ICMP errors come back to the socket.
	if err := s.ep.Connect(fullAddress(c.To)); err != nil {
		return Report{Sent: 1, Err: errorOf(err)}
	}
	for i := range c.Count {
		start := p.Now()
		payload := pattern(int64(i), max(c.Size, 4))
		binary.BigEndian.PutUint32(payload, uint32(i))
		r.Sent++
		if err := s.send(c.To, payload); err != nil && r.Err == nil {
			r.Err = err
		}
		if s.awaitDatagram(p, payload, start+c.Timeout, &r) {
			r.Received++
			r.Latency = append(r.Latency, p.Now()-start)
		} else {
			h.record(trace.Application{App: "udp client", Event: "timeout", Peer: c.To.String(), Detail: fmt.Sprintf("datagram %d", i+1)})
		}
		if i+1 < c.Count {
			p.Sleep(start + c.Interval - p.Now())
		}
	}
	h.record(trace.Application{App: "udp client", Event: "done", Peer: c.To.String(), Detail: fmt.Sprintf("%d of %d answered", r.Received, r.Sent)})
	return r
}

func (s *udpSocket) awaitDatagram(p *sim.Proc, want []byte, deadline time.Duration, r *Report) bool {
	for {
		payload, _, ok, err := s.receive()
		if err != nil {
			if r.Err == nil {
				r.Err = err
			}
			return false
		}
		if ok {
			if string(payload) == string(want) {
				return true
			}
			continue
		}
		if !s.host.wait(p, deadline) {
			return false
		}
	}
}
