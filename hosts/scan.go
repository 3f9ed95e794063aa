package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/sim"
)

// Scan is a port scan: one connection request, or with UDP one datagram, for each port.
type Scan struct {
	To          netip.Addr
	UDP         bool
	First, Last uint16
	InFlight    int           // ports that wait for their answers at one time; 0: 1
	Timeout     time.Duration // for each port
}

// Scanned is what a scan found, in the order of the ports. SYN-ACK, or a datagram, is an
// open port, a reset or ICMP port unreachable a refused one, and nothing a silent one, like
// ICMP errors that say that the host cannot be reached.
type Scanned struct{ Open, Refused, Silent []uint16 }

// probe is a port that waits for its answer.
type probe struct {
	port     uint16
	deadline time.Duration
	socket   *socket
	udp      *udpSocket
}

// Scan tries ports, from the first to the last. Call it from a coroutine. The error is
// that of a host that cannot scan at all.
func (h *Host) Scan(p *sim.Proc, c Scan) (found Scanned, err error) {
	var waiting []*probe
	defer func() {
		for _, w := range waiting {
			w.socket.close()
		}
		for _, ports := range [][]uint16{found.Open, found.Refused, found.Silent} {
			slices.Sort(ports)
		}
		h.record(trace.Application{
			App: "port scan", Event: "done", Peer: c.To.String(),
			Detail: fmt.Sprintf("%d open, %d refused, %d silent", len(found.Open), len(found.Refused), len(found.Silent)),
		})
	}()
	for next := int(c.First); next <= int(c.Last) || len(waiting) > 0; {
		for next <= int(c.Last) && len(waiting) < max(c.InFlight, 1) {
			w, err := h.probe(p, c, uint16(next))
			switch {
			case err == ErrUnreachable: // there is no way there: what cannot be asked does not answer
				found.Silent = append(found.Silent, uint16(next))
			case err != nil:
				return found, err
			default:
				waiting = append(waiting, w)
			}
			next++
		}
		waiting = slices.DeleteFunc(waiting, func(w *probe) bool {
			list := w.answer(&found)
			if list == nil && p.Now() >= w.deadline {
				list = &found.Silent
			}
			if list == nil {
				return false
			}
			*list = append(*list, w.port)
			w.socket.close()
			return true
		})
		if len(waiting) == 0 || next <= int(c.Last) && len(waiting) < max(c.InFlight, 1) {
			continue
		}
		if err := h.wait(p, waiting[0].deadline); err == ErrRestarted {
			return found, err
		}
	}
	return found, nil
}

// probe asks a port.
func (h *Host) probe(p *sim.Proc, c Scan, port uint16) (*probe, error) {
	to := netip.AddrPortFrom(c.To, port)
	w := &probe{port: port, deadline: p.Now() + c.Timeout}
	if c.UDP {
		u, err := h.bindUDP(netip.AddrPortFrom(unspecified(familyOf(c.To)), 0))
		if err != nil {
			return nil, err
		}
		w.udp, w.socket = u, u.socket
		u.onReady(p.Wake)
		if err := u.ep.Connect(fullAddress(to)); err != nil { // so that ICMP errors come back
			u.close()
			return nil, errorOf(err)
		}
		return w, ignoreUnreachable(u.send(to, traffic.Pattern(int64(port), 4)))
	}
	s, err := h.newSocket(tcp.ProtocolNumber, familyOf(c.To))
	if err != nil {
		return nil, err
	}
	w.socket = s
	s.onReady(p.Wake)
	err2 := s.ep.Connect(fullAddress(to))
	if _, started := err2.(*tcpip.ErrConnectStarted); err2 != nil && !started {
		s.close()
		return nil, errorOf(err2)
	}
	return w, nil
}

// ignoreUnreachable: what cannot be sent has no answer either.
func ignoreUnreachable(err error) error {
	if err == ErrUnreachable {
		return nil
	}
	return err
}

// answer is the list into which the port's answer puts it; nil: there is none yet.
func (w *probe) answer(found *Scanned) *[]uint16 {
	if w.udp != nil {
		switch _, _, ok, err := w.udp.receive(); {
		case ok:
			return &found.Open
		case err == ErrRefused:
			return &found.Refused
		}
		return nil
	}
	switch tcp.EndpointState(w.socket.ep.State()) {
	case tcp.StateEstablished, tcp.StateCloseWait:
		w.socket.ep.Abort() // half a connection is enough
		return &found.Open
	case tcp.StateError, tcp.StateClose:
		switch errorOf(w.socket.ep.LastError()) {
		case ErrRefused, ErrReset, nil:
			return &found.Refused
		}
		return &found.Silent
	}
	return nil
}
