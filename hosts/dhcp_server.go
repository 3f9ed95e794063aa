package hosts

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/hosts/dhcp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// ServeDHCP gives addresses to clients on the subnet of one of the host's own. What it
// has given it remembers over a restart.
func (h *Host) ServeDHCP(c dhcp.ServerConfig) (*Listener, error) {
	engine, err := dhcp.NewServer(c)
	if err != nil {
		return nil, fmt.Errorf("hosts: %s: %w", h.name, err)
	}
	return h.serveDHCP(c.Address.Addr(), engine)
}

func (h *Host) serveDHCP(own netip.Addr, engine *dhcp.Server) (*Listener, error) {
	s, err := h.bindUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), dhcp.ServerPort))
	if err != nil {
		return nil, fmt.Errorf("hosts: %s: DHCP server: %w", h.name, err)
	}
	s.fragment()
	s.ep.SocketOptions().SetReceivePacketInfo(true)
	l := h.addListener(ipsec.ProtoUDP, dhcp.ServerPort)
	l.again = func() error {
		_, err := h.serveDHCP(own, engine)
		return err
	}
	s.onReady(func() { l.serveDHCP(s, own, engine) })
	return l, nil
}

// serveDHCP answers the messages that have arrived.
func (l *Listener) serveDHCP(s *udpSocket, own netip.Addr, engine *dhcp.Server) {
	for {
		payload, from, ok, err := s.receive()
		if err != nil {
			continue
		}
		if !ok {
			return
		}
		l.seen.Datagrams++
		l.seen.Bytes += int64(len(payload))
		l.record("datagram", from, int64(len(payload)), "")
		r, ok, err := engine.Receive(l.host.world.Time(), payload)
		if err != nil {
			l.record("ignored", from, 0, err.Error())
		}
		if ok {
			l.reply(s, own, r)
		}
	}
}

// reply sends an answer: to an address that the client has through the stack, and else
// by the driver's own way, as nobody can be asked where it is.
func (l *Listener) reply(s *udpSocket, own netip.Addr, r dhcp.Reply) {
	to := netip.AddrPortFrom(r.To, dhcp.ClientPort)
	l.record("sends "+r.What, to, int64(len(r.Payload)), "")
	if !r.Unresolved && r.To != broadcast4 {
		if err := s.send(to, r.Payload); err != nil {
			l.record("send failed", to, 0, err.Error())
		}
		return
	}
	n := l.host.nicTowards(own)
	if n == nil {
		l.record("send failed", to, 0, "the server has lost its address")
		return
	}
	mac := tcpip.LinkAddress(header.EthernetBroadcastAddress)
	if r.Unresolved {
		mac = tcpip.LinkAddress(r.MAC[:])
	}
	l.host.driver.sendDirect(n, mac, udp4(netip.AddrPortFrom(own, dhcp.ServerPort), to, r.Payload))
}
