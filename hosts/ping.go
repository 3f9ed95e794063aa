package hosts

import (
	"bytes"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"

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

// Ping sends echo requests and waits for the answers. Call it from a coroutine.
func (h *Host) Ping(p *sim.Proc, c Ping) Report {
	s, err := h.newSocket(icmp.ProtocolNumber4)
	if err != nil {
		return Report{Sent: c.Count, Err: err}
	}
	defer s.close()
	s.onReady(p.Wake)
	s.fragment() // Windows' ping sets don't-fragment only when asked to
	if err := s.ep.Connect(tcpip.FullAddress{Addr: addressOf(c.To)}); err != nil {
		return Report{Sent: c.Count, Err: errorOf(err)}
	}
	data, last := pattern(0, c.Size), 0
	return h.run(p, rounds{
		app: "ping", peer: c.To.String(), count: c.Count, interval: c.Interval, timeout: c.Timeout,
		send: func(i int) error {
			last = i
			echo := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize+c.Size))
			echo.SetType(header.ICMPv4Echo)
			echo.SetSequence(uint16(i))
			copy(echo[header.ICMPv4MinimumSize:], data)
			_, err := s.ep.Write(bytes.NewReader(echo), tcpip.WriteOptions{})
			return errorOf(err)
		},
		answer: func() (int, bool, error) {
			ok, err := s.echoReply(uint16(last), data)
			return last, ok, err
		},
	})
}

// echoReply looks for the reply with a sequence number among those that have arrived.
func (s *socket) echoReply(sequence uint16, data []byte) (bool, error) {
	for {
		var b bytes.Buffer
		_, err := s.ep.Read(&b, tcpip.ReadOptions{})
		switch err.(type) {
		case nil:
			reply := header.ICMPv4(b.Bytes())
			if len(reply) >= header.ICMPv4MinimumSize && reply.Type() == header.ICMPv4EchoReply &&
				reply.Sequence() == sequence && bytes.Equal(reply[header.ICMPv4MinimumSize:], data) {
				return true, nil
			}
		case *tcpip.ErrWouldBlock:
			return false, nil
		default:
			return false, errorOf(err)
		}
	}
}
