package discovery

import (
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
)

// ServerConfig describes a server.
type ServerConfig struct {
	Address  netip.Addr // IPv4
	Partner  netip.Addr // of the server that sends from the other address; invalid: there is none, and no OTHER-ADDRESS
	Software string     // that it calls itself; "": nothing
}

// Server answers at one address. It remembers nothing of its clients: of TCP it
// answers each segment from what stands in it.
type Server struct {
	config ServerConfig
	log    []logged // what Recall is asked about, the oldest first
	ids    uint16
}

// logged is a packet that reached the server.
type logged struct {
	at    time.Duration
	bytes []byte
}

const maxLogged = 128

// Answer is something for the server's computer to send, after a while.
type Answer struct {
	After  time.Duration
	Packet []byte // an IPv4 datagram, which may be longer than the MTU, or a fragment
}

// NewServer makes a server.
func NewServer(c ServerConfig) (*Server, error) {
	switch {
	case !c.Address.Is4():
		return nil, fmt.Errorf("discovery: server: %v is no IPv4 address", c.Address)
	case c.Partner.IsValid() && !c.Partner.Is4():
		return nil, fmt.Errorf("discovery: server: its partner %v is no IPv4 address", c.Partner)
	case c.Partner == c.Address:
		return nil, fmt.Errorf("discovery: server: it is its own partner")
	}
	return &Server{config: c}, nil
}

// UDPPorts are those at which the server's computer receives datagrams for UDP.
func UDPPorts() []uint16 { return []uint16{Primary, Alternate, WellKnown} }

// Wants reports whether a packet to the server's computer is for the server rather than for
// the computer itself: TCP to its ports, and messages in carriers without ports.
func (s *Server) Wants(b []byte) bool {
	p, offset, more, ok := parse(b)
	if !ok || offset != 0 || more || p.dst != s.config.Address {
		return false
	}
	switch p.proto {
	case protoTCP:
		_, port := p.ports()
		return port == Primary || port == Alternate || port == Silent
	case protoUDP:
		payload, _, ok := p.udp()
		_, port := p.ports()
		_, message, isakmp := readISAKMP(payload)
		return ok && port == IKE && isakmp && isRequest(message)
	case protoICMP:
		return true // all are remembered
	}
	_, message, ok := carried(p.proto, p.payload)
	return ok && isRequest(message)
}

// Keeps reports whether the computer itself shall have the packet as well.
func (s *Server) Keeps(b []byte) bool {
	p, _, _, ok := parse(b)
	return ok && p.proto == protoICMP
}

func isRequest(b []byte) bool {
	m, err := stun.Parse(b)
	return err == nil && m.Method == stun.Binding && m.Class == stun.Request
}

// Packet takes a packet that the server wants.
func (s *Server) Packet(now time.Duration, b []byte) []Answer {
	p, _, _, ok := parse(b)
	if !ok {
		return nil
	}
	switch p.proto {
	case protoTCP:
		s.remember(now, b)
		return s.tcp(p)
	case protoUDP:
		return s.ike(p)
	case protoICMP:
		s.remember(now, b)
		return s.icmp(p)
	}
	return s.carrier(p)
}

func (s *Server) remember(now time.Duration, b []byte) {
	if len(s.log) == maxLogged {
		s.log = append(s.log[:0], s.log[1:]...)
	}
	s.log = append(s.log, logged{now, append([]byte(nil), b[:min(len(b), maxSeen)]...)})
}

// packet is a datagram of the server's, after a while.
func (s *Server) packet(after time.Duration, src, dst netip.Addr, proto uint8, payload []byte) []Answer {
	s.ids++
	return []Answer{{after, ipv4(src, dst, proto, s.ids, payload)}}
}

func (s *Server) datagram(after time.Duration, from, to netip.AddrPort, message stun.Message) []Answer {
	return s.packet(after, from.Addr(), to.Addr(), protoUDP, udpSegment(from, to, message.Append(nil)))
}

// UDP takes the payload of a UDP datagram that came to one of UDPPorts.
func (s *Server) UDP(now time.Duration, port uint16, from netip.AddrPort, payload []byte) []Answer {
	m, err := stun.Parse(payload)
	at := netip.AddrPortFrom(s.config.Address, port)
	switch {
	case err != nil || !from.Addr().Is4():
		return nil // RFC 8489, Section 6.3: discarded silently
	case m.Method == stun.Send && m.Class == stun.Indication:
		return s.send(at, from, m)
	case m.Method == recall && m.Class == stun.Request:
		return s.datagram(0, at, from, s.recalled(now, m))
	case m.Method == stun.Binding && m.Class == stun.Request:
		return s.binding(at, from, m)
	}
	return nil
}

// binding answers by RFC 5780, Section 6.1.
func (s *Server) binding(at, from netip.AddrPort, m stun.Message) []Answer {
	if refusal, bad := s.refused(m, stun.ChangeRequest, stun.ResponsePort, stun.Padding, delay); bad {
		return s.datagram(0, at, from, refusal)
	}
	changeIP, changePort, _ := m.Change()
	after, _ := delayOf(m)
	to := from
	if port, there, _ := m.Response(); there {
		to = netip.AddrPortFrom(from.Addr(), port)
	}
	origin := at
	if changePort {
		origin = netip.AddrPortFrom(at.Addr(), otherPort(at.Port()))
	}
	if changeIP {
		origin = netip.AddrPortFrom(s.config.Partner, origin.Port())
	}
	response := s.response(m, at, origin, from)
	if _, there := m.Get(stun.Padding); there {
		response.Add(stun.Padding, make([]byte, mtu))
	}
	if !changeIP {
		return s.datagram(after, origin, to, response)
	}
	// The partner sends it, from the port at which the indication reaches it.
	pass := stun.Message{Method: stun.Send, Class: stun.Indication, ID: m.ID}
	pass.AddAddr(stun.XORPeerAddress, to)
	pass.Add(stun.Data, response.Append(nil))
	return s.datagram(after, at, origin, pass)
}

// otherPort is Cp of RFC 5780, Section 6.1.
func otherPort(port uint16) uint16 {
	if port == Primary {
		return Alternate
	}
	return Primary
}

// response is a success to a Binding request that came to one endpoint from another; origin
// is where it leaves from.
func (s *Server) response(m stun.Message, at, origin, from netip.AddrPort) stun.Message {
	r := m.Reply(stun.Success)
	r.AddAddr(stun.MappedAddress, from)
	r.AddAddr(stun.XORMappedAddress, from)
	r.AddAddr(stun.ResponseOrigin, origin)
	if s.config.Partner.IsValid() {
		r.AddAddr(stun.OtherAddress, netip.AddrPortFrom(s.config.Partner, otherPort(at.Port())))
	}
	if s.config.Software != "" {
		r.Add(stun.Software, []byte(s.config.Software))
	}
	return r
}

// refused is the error response to a request that the server cannot serve.
func (s *Server) refused(m stun.Message, known ...stun.Type) (refusal stun.Message, bad bool) {
	refusal = m.Reply(stun.Failure)
	_, _, changes := m.Change()
	_, there, port := m.Response()
	_, padded := m.Get(stun.Padding)
	_, waits := delayOf(m)
	unknown := m.Unknown(known...)
	if ip, _, _ := m.Change(); ip && !s.config.Partner.IsValid() {
		unknown = append(unknown, stun.ChangeRequest) // RFC 5780, Section 6.1
	}
	switch {
	case len(unknown) > 0:
		refusal.AddError(420, "Unknown Attribute")
		refusal.AddUnknown(unknown)
	case !changes || !port || !waits || there && padded: // RFC 5780, Section 6.1: PADDING and RESPONSE-PORT exclude each other
		refusal.AddError(400, "Bad Request")
	default:
		return refusal, false
	}
	return refusal, true
}

// send does what a Send indication asks for: RFC 8656, Section 11.2, without the permissions
// of TURN, which this is not.
func (s *Server) send(at, from netip.AddrPort, m stun.Message) []Answer {
	peer, addressed := m.Addr(stun.XORPeerAddress)
	data, there := m.Get(stun.Data)
	after, ok := delayOf(m)
	if !addressed || !there || !ok || !peer.Addr().Is4() || len(data) > 8*mtu || len(m.Unknown(stun.XORPeerAddress, stun.Data, delay, protocol, reverse)) > 0 {
		return nil
	}
	number, raw := m.Get(protocol)
	switch {
	case !raw:
		return s.packet(after, at.Addr(), peer.Addr(), protoUDP, udpSegment(at, peer, data))
	case len(number) != 1:
		return nil
	}
	if _, backwards := m.Get(reverse); backwards {
		s.ids++
		pieces := fragmented(at.Addr(), peer.Addr(), number[0], s.ids, data)
		var out []Answer
		for i := len(pieces) - 1; i >= 0; i-- {
			out = append(out, Answer{after, pieces[i]})
		}
		return out
	}
	return s.packet(after, at.Addr(), peer.Addr(), number[0], data)
}

// recalled is the answer to Recall: the latest packets of which the server knows and which
// came from the address that is asked about, or from any if that is 0.0.0.0.
func (s *Server) recalled(now time.Duration, m stun.Message) stun.Message {
	if refusal, bad := s.refused(m, stun.XORPeerAddress); bad {
		return refusal
	}
	r := m.Reply(stun.Success)
	about, _ := m.Addr(stun.XORPeerAddress)
	const most = 16
	for i, n := len(s.log)-1, 0; i >= 0 && n < most; i-- {
		if p, _, _, _ := parseStart(s.log[i].bytes); p.src == about.Addr() || about.Addr().IsUnspecified() {
			sighting{now - s.log[i].at, s.log[i].bytes}.append(&r)
			n++
		}
	}
	return r
}

// parseStart reads a packet of which only the beginning is left.
func parseStart(b []byte) (packet, int, bool, bool) {
	if len(b) < header.IPv4MinimumSize || int(header.IPv4(b).HeaderLength()) > len(b) || header.IPv4(b).HeaderLength() < header.IPv4MinimumSize {
		return packet{}, 0, false, false
	}
	ip := header.IPv4(b)
	src, dst := ip.SourceAddress(), ip.DestinationAddress()
	return packet{
		src: netip.AddrFrom4(src.As4()), dst: netip.AddrFrom4(dst.As4()), id: ip.ID(), proto: ip.Protocol(), payload: b[ip.HeaderLength():],
	}, int(ip.FragmentOffset()), ip.More(), true
}
