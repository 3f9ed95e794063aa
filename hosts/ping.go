package hosts

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"

	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/sim"
)

// Ping is what to send.
type Ping struct {
	To       netip.Addr
	Count    int
	Size     int           // bytes of echo data
	TTL      int           // of the requests, 1 to 255; 0: the stack's, 64
	Interval time.Duration // from one request to the next
	Timeout  time.Duration // for each answer
}

// Ping sends echo requests and waits for the answers. Call it from a coroutine.
func (h *Host) Ping(p *sim.Proc, c Ping) Report {
	f := familyOf(c.To)
	s, err := h.newSocket(echoOf(f).proto, f)
	if err != nil {
		return Report{Sent: c.Count, Err: err}
	}
	defer s.close()
	s.onReady(p.Wake)
	s.fragment() // Windows' ping sets don't-fragment only when asked to
	if c.TTL != 0 {
		option := tcpip.IPv4TTLOption
		if f == ip6 {
			option = tcpip.IPv6HopLimitOption
		}
		if err := s.ep.SetSockOptInt(option, c.TTL); err != nil {
			return Report{Sent: c.Count, Err: errorOf(err)}
		}
	}
	if err := s.ep.Connect(tcpip.FullAddress{Addr: addressOf(c.To)}); err != nil {
		return Report{Sent: c.Count, Err: errorOf(err)}
	}
	data, last := traffic.Pattern(0, c.Size), 0
	return h.run(p, rounds{
		app: "ping", peer: c.To.String(), count: c.Count, interval: c.Interval, timeout: c.Timeout,
		send: func(i int) error {
			last = i
			_, err := s.ep.Write(bytes.NewReader(echoOf(f).request(i, data)), tcpip.WriteOptions{})
			return errorOf(err)
		},
		answer: func() (int, bool, error) {
			ok, err := s.echoReply(f, last, data)
			return last, ok, err
		},
	})
}

// icmpEcho is how a family writes echo messages. Both have the same header, with
// the sequence number in its last two bytes: RFC 792 and RFC 4443, Section 4.
type icmpEcho struct {
	proto         tcpip.TransportProtocolNumber
	typ, replyTyp byte
}

const echoHeader = header.ICMPv4MinimumSize

func echoOf(f family) icmpEcho {
	if f == ip4 {
		return icmpEcho{icmp.ProtocolNumber4, byte(header.ICMPv4Echo), byte(header.ICMPv4EchoReply)}
	}
	return icmpEcho{icmp.ProtocolNumber6, byte(header.ICMPv6EchoRequest), byte(header.ICMPv6EchoReply)}
}

// request is a message without identifier and checksum, which the stack fills in.
func (e icmpEcho) request(sequence int, data []byte) []byte {
	b := make([]byte, echoHeader, echoHeader+len(data))
	b[0] = e.typ
	binary.BigEndian.PutUint16(b[6:], uint16(sequence))
	return append(b, data...)
}

// echoReply looks for the reply with a sequence number among those that have arrived.
func (s *socket) echoReply(f family, sequence int, data []byte) (bool, error) {
	for {
		var b bytes.Buffer
		_, err := s.ep.Read(&b, tcpip.ReadOptions{})
		switch err.(type) {
		case nil:
			reply := b.Bytes()
			if len(reply) >= echoHeader && reply[0] == echoOf(f).replyTyp &&
				binary.BigEndian.Uint16(reply[6:]) == uint16(sequence) && bytes.Equal(reply[echoHeader:], data) {
				return true, nil
			}
		case *tcpip.ErrWouldBlock:
			return false, nil
		default:
			return false, errorOf(err)
		}
	}
}
