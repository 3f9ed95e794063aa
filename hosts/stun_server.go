package hosts

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/discovery"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// maxWaiting answers of a server wait for their time; those beyond are not given.
const maxWaiting = 1024

// stunServer runs a server for the discovery of NAT behaviour.
type stunServer struct {
	host    *Host
	server  *discovery.Server
	log     *Listener
	waiting int
}

// ServeSTUN answers clients that want to know what a NAT does: on UDP and TCP ports
// 3478 and 3479, UDP port 1023, and in the carriers that package discovery describes.
func (h *Host) ServeSTUN(c discovery.ServerConfig) (*Listener, error) {
	fail := func(err error) (*Listener, error) { return nil, fmt.Errorf("hosts: %s: serving STUN: %w", h.name, err) }
	if !slices.Contains(h.Addrs(), c.Address) {
		return fail(fmt.Errorf("%v is no address of the host", c.Address))
	}
	server, err := discovery.NewServer(c)
	if err != nil {
		return fail(err)
	}
	var sockets []*udpSocket
	for _, port := range discovery.UDPPorts() {
		s, err := h.bindUDP(netip.AddrPortFrom(c.Address, port))
		if err != nil {
			for _, s := range sockets {
				s.close()
			}
			return fail(fmt.Errorf("UDP port %d: %w", port, err))
		}
		sockets = append(sockets, s)
	}
	s := &stunServer{host: h, server: server, log: h.addListener(ipsec.ProtoUDP, discovery.Primary)}
	s.log.again = func() error {
		_, err := h.ServeSTUN(c)
		return err
	}
	for i, socket := range sockets {
		port := discovery.UDPPorts()[i]
		socket.onReady(func() { s.datagrams(socket, port) })
	}
	h.addTaker(&taker{wants: server.Wants, keeps: server.Keeps, take: func(packet []byte) {
		s.send(server.Packet(h.world.Now(), packet))
	}})
	return s.log, nil
}

// datagrams answers those that have arrived.
func (s *stunServer) datagrams(socket *udpSocket, port uint16) {
	for {
		payload, from, ok, err := socket.receive()
		if err != nil {
			continue // ICMP about an answer
		}
		if !ok {
			return
		}
		s.log.seen.Datagrams++
		s.log.seen.Bytes += int64(len(payload))
		s.send(s.server.UDP(s.host.world.Now(), port, from, payload))
	}
}

// send sends answers, each at its time. What the stack will not send is lost, as on any way.
func (s *stunServer) send(answers []discovery.Answer) {
	for _, a := range answers {
		if s.waiting == maxWaiting {
			return
		}
		s.waiting++
		s.host.after(a.After, func() {
			s.waiting--
			if err := s.host.writePacket(a.Packet); err != nil {
				s.log.record("answer failed", netip.AddrPort{}, 0, err.Error())
			}
		})
	}
}
