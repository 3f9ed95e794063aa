package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/sim"
)

// ServeUDP echoes every datagram that was sent to the host alone, in each family
// that it speaks. What went to a broadcast address or to one of the multicast
// groups is received and not answered.
func (h *Host) ServeUDP(port uint16, groups ...netip.Addr) (*Listener, error) {
	sockets, err := h.bindAll(port, groups)
	if err != nil {
		for _, s := range sockets {
			s.close()
		}
		return nil, fmt.Errorf("hosts: %s: listening on UDP port %d: %w", h.name, port, err)
	}
	l := h.addListener(ipsec.ProtoUDP, port)
	l.groups = groups
	for _, s := range sockets {
		s.fragment()
		s.onReady(func() { l.echo(s) })
	}
	return l, nil
}

// bindAll opens an endpoint at all addresses of each family, which receives what
// goes to the groups. With an error come those that have to be closed.
func (h *Host) bindAll(port uint16, groups []netip.Addr) (sockets []*udpSocket, err error) {
	for _, f := range h.families {
		s, err := h.bindUDP(netip.AddrPortFrom(unspecified(f), port))
		if err != nil {
			return sockets, err
		}
		sockets = append(sockets, s)
		s.ep.SocketOptions().SetReceiveOriginalDstAddress(true)
		for _, g := range groups {
			if familyOf(g) != f {
				continue
			}
			if err := s.join(g); err != nil {
				return sockets, fmt.Errorf("joining %s: %w", g, err)
			}
		}
	}
	return sockets, nil
}

// echo answers the datagrams that have arrived.
func (l *Listener) echo(s *udpSocket) {
	for {
		payload, from, to, ok, err := s.receiveTo()
		if err != nil {
			continue
		}
		if !ok {
			return
		}
		l.seen.Datagrams++
		l.seen.Bytes += int64(len(payload))
		if !slices.Contains(l.host.Addrs(), to) {
			l.record("datagram", from, int64(len(payload)), "to "+to.String())
			continue
		}
		l.record("datagram", from, int64(len(payload)), "")
		if err := s.send(from, payload); err != nil {
			l.record("answer failed", from, 0, err.Error())
		}
	}
}

// Datagrams is what a UDP client sends.
type Datagrams struct {
	To        netip.AddrPort
	LocalPort uint16 // 0: an ephemeral one
	Count     int
	Size      int // bytes of payload; at least 4, which hold a number
	Grow      int // bytes that each is longer than the one before
	InFlight  int // datagrams that may wait for their echoes at one time; 0: 1
	Interval  time.Duration
	Timeout   time.Duration // for each echo
	DSCP      uint8         // of what is sent, the echoes not: RFC 2474
}

// SendDatagrams sends datagrams and waits for their echoes. Call it from a coroutine.
func (h *Host) SendDatagrams(p *sim.Proc, c Datagrams) Report {
	s, err := h.bindUDP(netip.AddrPortFrom(unspecified(familyOf(c.To.Addr())), c.LocalPort))
	if err != nil {
		return Report{Sent: c.Count, Err: err}
	}
	defer s.close()
	s.fragment()
	s.onReady(p.Wake)
	if err := s.mark(c.DSCP, familyOf(c.To.Addr())); err != nil {
		return Report{Sent: c.Count, Err: err}
	}
	// Connected, so that ICMP errors come back to the socket.
	if err := s.ep.Connect(fullAddress(c.To)); err != nil {
		return Report{Sent: c.Count, Err: errorOf(err)}
	}
	sent := traffic.Datagrams{Count: c.Count, Size: c.Size, Grow: c.Grow}
	return h.run(p, rounds{
		app: "udp client", peer: c.To.String(), count: c.Count, ahead: c.InFlight, interval: c.Interval, timeout: c.Timeout,
		send:   func(i int) error { return s.send(c.To, sent.Payload(i)) },
		answer: func() (int, bool, error) { return s.echo(sent) },
	})
}

// echo looks for the echo of one that was sent among the datagrams that have arrived.
func (s *udpSocket) echo(sent traffic.Datagrams) (int, bool, error) {
	for {
		got, _, ok, err := s.receive()
		if err != nil || !ok {
			return 0, false, err
		}
		if i, ok := sent.Echo(got); ok {
			return i, true, nil
		}
	}
}
