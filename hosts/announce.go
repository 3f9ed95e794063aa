package hosts

import (
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/sim"
)

// Announcement is what goes to whoever listens: datagrams to a multicast group,
// to 255.255.255.255, or to the broadcast address of a subnet of the host.
type Announcement struct {
	To       netip.AddrPort
	Count    int
	Size     int // bytes of payload
	Interval time.Duration
}

// Announce sends datagrams that nobody answers, over the interface on whose
// subnet the broadcast address is, or else over the first one with an address of
// the family. Call it from a coroutine. The error says that the stack would not send; what the driver keeps
// back is no error, as an application does not hear of it.
//
// A broadcast is heard by listeners of the host itself, too. There is no IGMP: a segment floods what goes to groups, and routers forward none of it.
func (h *Host) Announce(p *sim.Proc, c Announcement) error {
	n, from, ok := h.announcer(c.To.Addr())
	if !ok {
		return fmt.Errorf("hosts: %s: announcing to %s: no address of its family", h.name, c.To.Addr())
	}
	s, err := h.bindUDP(netip.AddrPortFrom(from, 0))
	if err != nil {
		return err
	}
	defer s.close()
	s.fragment()
	options := s.ep.SocketOptions()
	options.SetBroadcast(true)
	options.SetMulticastLoop(false)
	if err := options.SetBindToDevice(int32(n.id)); err != nil {
		return errorOf(err)
	}
	for i := range c.Count {
		if err := s.send(c.To, traffic.Pattern(int64(i), c.Size)); err != nil {
			return err
		}
		if i+1 < c.Count {
			p.Sleep(c.Interval)
		}
	}
	h.record(trace.Application{App: "announcer", Event: "done", Peer: c.To.String(), Detail: fmt.Sprintf("%d sent", c.Count)})
	return nil
}

// announcer is the interface over which an announcement goes, and the address that
// it comes from: left to choose, netstack would take the link-local one for a group
// of the link's scope, which no policy of the host knows as its own.
func (h *Host) announcer(to netip.Addr) (on *nic, from netip.Addr, ok bool) {
	towards := h.nicTowards(to)
	for _, n := range h.nics {
		for _, p := range n.prefixes {
			if (towards == nil || n == towards) && p.Addr().Is4() == to.Is4() {
				return n, p.Addr(), true
			}
		}
	}
	return nil, netip.Addr{}, false
}

// join makes the socket receive what goes to a group, on all interfaces.
func (s *udpSocket) join(group netip.Addr) error {
	for _, n := range s.host.nics {
		option := tcpip.AddMembershipOption{NIC: n.id, MulticastAddr: addressOf(group)}
		if err := s.ep.SetSockOpt(&option); err != nil {
			return errorOf(err)
		}
	}
	return nil
}
