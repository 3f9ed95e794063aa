package discovery

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
)

// How long the client waits for answers: RFC 8489, Section 6.2.1 with an RTO of 500 ms, which
// the RFC takes for a fixed line, and fewer repeats than its 7, since a NAT that
// does not answer is an answer here, which takes its time for each test.
const (
	firstRTO = 500 * time.Millisecond
	tries    = 3
)

// patience is how long the client waits for what is not repeated.
const patience = 2 * time.Second

// udpSocket is a port of UDP of the client.
type udpSocket struct {
	c     *Client
	place int
	port  uint16
}

// udp is a port that has not been used before.
func (c *Client) udp(place int) udpSocket { return udpSocket{c, place, c.port()} }

// udpAt is a certain one.
func (c *Client) udpAt(place int, port uint16) udpSocket {
	c.use(port)
	return udpSocket{c, place, port}
}

func (s udpSocket) local() netip.AddrPort {
	return netip.AddrPortFrom(s.c.config.Places[s.place].Addr(), s.port)
}

// segment is a datagram of the socket's behind the IP header.
func (s udpSocket) segment(to netip.AddrPort, payload []byte) []byte {
	b := udpSegment(s.local(), to, payload)
	if s.c.zero {
		header.UDP(b).SetChecksum(0)
	}
	return b
}

func (s udpSocket) send(to netip.AddrPort, payload []byte) {
	s.c.send(s.place, to.Addr(), protoUDP, s.segment(to, payload))
}

// server is an endpoint of one of the two servers.
func (c *Client) server(i int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(c.config.Servers[i], port)
}

// transaction makes a Binding request.
func (c *Client) transaction(edit ...func(*stun.Message)) stun.Message {
	m := stun.Message{Method: stun.Binding, Class: stun.Request}
	c.read(m.ID[:])
	for _, e := range edit {
		e(&m)
	}
	return m
}

// reply is a response of a server.
type reply struct {
	stun.Message
	incoming
	mapped netip.AddrPort // XOR-MAPPED-ADDRESS
	sum    bool           // its own checksum is right
}

// ask sends a request from the socket, again while there is no answer.
func (s udpSocket) ask(to netip.AddrPort, edit ...func(*stun.Message)) (reply, bool) {
	m := s.c.transaction(edit...)
	rto := firstRTO
	for range tries {
		s.send(to, m.Append(nil))
		if r, ok := s.answer(m, s.c.now()+rto); ok {
			return r, true
		}
		rto *= 2
	}
	return reply{}, false
}

// once sends a request from the socket one time, and waits so long.
func (s udpSocket) once(to netip.AddrPort, patience time.Duration, edit ...func(*stun.Message)) (reply, bool) {
	m := s.c.transaction(edit...)
	s.send(to, m.Append(nil))
	return s.answer(m, s.c.now()+patience)
}

// answer waits for the response to a request at the socket.
func (s udpSocket) answer(m stun.Message, until time.Duration) (reply, bool) {
	var r reply
	in, ok := s.c.receive(until, func(in incoming) bool {
		payload, sum, ok := in.udp()
		if _, dst := in.ports(); !ok || in.place != s.place || dst != s.port {
			return false
		}
		r.Message, ok = responseTo(m, payload)
		r.sum = sum
		return ok
	})
	r.incoming = in
	r.mapped, _ = r.Addr(stun.XORMappedAddress)
	return r, ok
}

// responseTo reads a response to a request.
func responseTo(m stun.Message, payload []byte) (stun.Message, bool) {
	r, err := stun.Parse(payload)
	return r, err == nil && r.ID == m.ID && r.Method == m.Method && r.Class == stun.Success
}

// knock sends an indication, which nobody answers: RFC 8489, Section 6.3.2.
func (s udpSocket) knock(to netip.AddrPort) {
	m := s.c.transaction()
	m.Class = stun.Indication
	s.send(to, m.Append(nil))
}

// Options of requests.

func change(ip, port bool) func(*stun.Message) {
	return func(m *stun.Message) { m.AddChange(ip, port) }
}

func respondTo(port uint16) func(*stun.Message) {
	return func(m *stun.Message) { m.AddResponsePort(port) }
}

func after(d time.Duration) func(*stun.Message) {
	return func(m *stun.Message) {
		if d > 0 {
			addDelay(m, d)
		}
	}
}

func withPadding(m *stun.Message) { m.Add(stun.Padding, make([]byte, 8)) }

// long makes a request that does not fit the MTU, and asks for no long response.
func long(m *stun.Message) { m.Add(filler, make([]byte, mtu)) }

// inject has a server send a packet from its address to an outside one: what stands behind the
// IP header, of a protocol. It goes by a port of its own, so that what the box knows of
// that has nothing to do with the test.
func (c *Client) inject(server int, to netip.Addr, proto uint8, payload []byte, edit ...func(*stun.Message)) {
	m := stun.Message{Method: stun.Send, Class: stun.Indication}
	c.read(m.ID[:])
	m.AddAddr(stun.XORPeerAddress, addrPort(to))
	m.Add(protocol, []byte{proto})
	m.Add(stun.Data, payload)
	for _, e := range edit {
		e(&m)
	}
	c.udp(0).send(c.server(server, Primary), m.Append(nil))
}

func backwards(m *stun.Message) { m.Add(reverse, nil) }

// recall asks a server what has reached it from an outside address.
func (c *Client) recall(server int, from netip.Addr) []sighting {
	r, ok := c.udp(0).asked(c.server(server, Primary), recall, func(m *stun.Message) { m.AddAddr(stun.XORPeerAddress, addrPort(from)) })
	if !ok {
		return nil
	}
	return sightings(r.Message)
}

// asked is ask for another method.
func (s udpSocket) asked(to netip.AddrPort, method stun.Method, edit func(*stun.Message)) (reply, bool) {
	return s.ask(to, func(m *stun.Message) { m.Method = method }, edit)
}
