package discovery

import (
	"encoding/binary"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
)

// tcp answers a segment, without knowing what came before: the sequence number of what it
// sends is what the segment acknowledges. STUN over TCP: RFC 8489, Section 6.2.2.
func (s *Server) tcp(p packet) []Answer {
	t, ok := p.tcp()
	at, from := p.to(), p.from()
	if !ok || !p.sumOK() || at.Port() == Silent || t.Flags()&header.TCPFlagRst != 0 {
		return nil
	}
	data := t.Payload()
	reply := segment{seq: t.AckNumber(), ack: t.SequenceNumber() + uint32(len(data)), flags: header.TCPFlagAck}
	var after time.Duration
	switch {
	case t.Flags()&header.TCPFlagSyn != 0:
		if t.Flags()&header.TCPFlagAck != 0 {
			return nil
		}
		reply = segment{seq: firstSequence(at, from), ack: t.SequenceNumber() + 1, flags: header.TCPFlagSyn | header.TCPFlagAck}
	case t.Flags()&header.TCPFlagFin != 0:
		reply.ack++
		reply.flags |= header.TCPFlagFin
	case len(data) > 0:
		m, err := stun.Parse(data)
		if err != nil || m.Method != stun.Binding || m.Class != stun.Request {
			break // acknowledged, as any data are
		}
		// RFC 5780, Section 3: STUN opens no connection from another address or port.
		answer, bad := s.refused(m, delay)
		if !bad {
			after, _ = delayOf(m)
			answer = s.response(m, at, at, from)
		}
		reply.flags |= header.TCPFlagPsh
		reply.data = answer.Append(nil)
	default:
		return nil
	}
	return s.packet(after, at.Addr(), from.Addr(), protoTCP, tcpSegment(at, from, reply))
}

// firstSequence is the first sequence number of a connection to the server.
func firstSequence(at, from netip.AddrPort) uint32 {
	a := from.Addr().As4()
	return binary.BigEndian.Uint32(a[:])*2654435761 + uint32(from.Port())<<16 + uint32(at.Port())
}

// icmp answers an echo request whose data are a Binding request, beside the echo reply of the
// computer: with an echo reply whose data are the response, in which the identifier stands for the port.
func (s *Server) icmp(p packet) []Answer {
	m, ok := p.icmp()
	if !ok || m.Type() != header.ICMPv4Echo {
		return nil
	}
	at, from := addrPort(p.dst), netip.AddrPortFrom(p.src, m.Ident())
	message, after, ok := s.answer(m.Payload(), at, from)
	if !ok {
		return nil
	}
	return s.packet(after, p.dst, p.src, protoICMP, icmpEcho(header.ICMPv4EchoReply, m.Ident(), m.Sequence(), message))
}

// carrier answers a Binding request behind the header of ESP, AH or another protocol.
func (s *Server) carrier(p packet) []Answer {
	spi, request, ok := carried(p.proto, p.payload)
	if !ok {
		return nil
	}
	message, after, ok := s.answer(request, addrPort(p.dst), addrPort(p.src))
	if !ok {
		return nil
	}
	return s.packet(after, p.dst, p.src, p.proto, carry(p.proto, spi^answerSPI, 1, message))
}

// ike answers a Binding request in an ISAKMP message: as the responder of that cookie.
func (s *Server) ike(p packet) []Answer {
	payload, _, ok := p.udp()
	initiator, request, isakmpOK := readISAKMP(payload)
	if !ok || !isakmpOK {
		return nil
	}
	at, from := p.to(), p.from()
	message, after, ok := s.answer(request, at, from)
	if !ok {
		return nil
	}
	return s.packet(after, at.Addr(), from.Addr(), protoUDP, udpSegment(at, from, isakmp(initiator, responderCookie, message)))
}

// responderCookie is that of every server.
var responderCookie = [8]byte{'r', 'e', 's', 'p', 'o', 'n', 's', 'e'}

// answer is the response to a Binding request in a carrier.
func (s *Server) answer(request []byte, at, from netip.AddrPort) (message []byte, after time.Duration, ok bool) {
	m, err := stun.Parse(request)
	if err != nil || m.Method != stun.Binding || m.Class != stun.Request {
		return nil, 0, false
	}
	r, bad := s.refused(m, delay)
	if !bad {
		after, _ = delayOf(m)
		r = s.response(m, at, at, from)
	}
	return r.Append(nil), after, true
}
