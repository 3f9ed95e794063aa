package discovery

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// tcpPort is a port of TCP of the client, which makes each segment itself: boxes are told
// apart by what they do about segments that no TCP would send.
type tcpPort struct {
	c     *Client
	place int
	port  uint16
}

func (c *Client) tcpPort(place int) tcpPort { return tcpPort{c, place, c.port()} }

func (t tcpPort) at() netip.AddrPort {
	return netip.AddrPortFrom(t.c.config.Places[t.place].Addr(), t.port)
}

func (t tcpPort) send(to netip.AddrPort, s segment) {
	t.c.send(t.place, to.Addr(), protoTCP, tcpSegment(t.at(), to, s))
}

// receive waits for a segment from an endpoint.
func (t tcpPort) receive(from netip.AddrPort, until time.Duration, want func(header.TCP) bool) (header.TCP, bool) {
	in, ok := t.c.receive(until, func(in incoming) bool {
		h, ok := in.tcp()
		return ok && in.place == t.place && in.from() == from && in.to() == t.at() && want(h)
	})
	h, _ := in.tcp()
	return h, ok
}

// connection is one to a server.
type connection struct {
	tcpPort
	to       netip.AddrPort
	seq, ack uint32 // what it sends next, and what it waits for
}

func flagged(h header.TCP, flags header.TCPFlags) bool { return h.Flags()&flags == flags }

// connect opens a connection.
func (t tcpPort) connect(to netip.AddrPort) (*connection, bool) {
	seq := t.c.random32()
	rto := firstRTO
	for range tries {
		t.send(to, segment{seq: seq, flags: header.TCPFlagSyn})
		h, ok := t.receive(to, t.c.now()+rto, func(h header.TCP) bool {
			return flagged(h, header.TCPFlagSyn|header.TCPFlagAck) && h.AckNumber() == seq+1
		})
		if ok {
			k := &connection{t, to, seq + 1, h.SequenceNumber() + 1}
			k.send(segment{})
			return k, true
		}
		rto *= 2
	}
	return nil, false
}

// send sends the next segment.
func (k *connection) send(s segment) {
	s.seq, s.ack = k.seq+s.seq, k.ack
	s.flags |= header.TCPFlagAck
	k.tcpPort.send(k.to, s)
}

// ask sends a request and waits for the answer. edit may put it off.
func (k *connection) ask(until time.Duration, edit ...func(*stun.Message)) (r reply, ok bool) {
	m := k.c.transaction(edit...)
	data := m.Append(nil)
	k.send(segment{flags: header.TCPFlagPsh, data: data})
	h, ok := k.receive(k.to, until, func(h header.TCP) bool {
		r.Message, ok = responseTo(m, h.Payload())
		return ok
	})
	if !ok {
		return reply{}, false
	}
	k.seq += uint32(len(data))
	k.ack = h.SequenceNumber() + uint32(len(h.Payload()))
	k.send(segment{})
	r.mapped, _ = r.Addr(stun.XORMappedAddress)
	return r, true
}

// seenAt opens a connection and asks from where the server sees it come.
func (t tcpPort) seenAt(to netip.AddrPort) (*connection, netip.AddrPort, bool) {
	k, ok := t.connect(to)
	if !ok {
		return nil, netip.AddrPort{}, false
	}
	r, ok := k.ask(t.c.now() + patience)
	return k, r.mapped, ok
}

// noTCP is why nothing of TCP can be said.
const noTCP = "no server answers over TCP"

// tcp are the tests of TCP that take no time.
func (c *Client) tcp() {
	c.tcpMapping()
	c.tcpFiltering()
	c.simultaneous()
	c.midStream()
	c.reset()
	c.windows()
	c.unsolicited()
}

// tcpMapping is RFC 5780, Section 4.3, over TCP.
func (c *Client) tcpMapping() {
	const key = "tcp-mapping"
	t := c.tcpPort(0)
	_, first, ok := t.seenAt(c.server(0, Primary))
	if !ok {
		c.unknown(key, noTCP)
		return
	}
	c.dependence(key, first, func(server int, port uint16) (netip.AddrPort, bool) {
		_, mapped, ok := t.seenAt(c.server(server, port))
		return mapped, ok
	})
}

// arrives has a server send a segment from a port to an outside endpoint, and reports whether
// it reaches the port of the client.
func (t tcpPort) arrives(server int, from uint16, to netip.AddrPort, s segment) bool {
	src := t.c.server(server, from)
	t.c.inject(server, to.Addr(), protoTCP, tcpSegment(src, to, s))
	_, ok := t.receive(src, t.c.now()+patience, func(h header.TCP) bool {
		return h.SequenceNumber() == s.seq && h.Flags() == s.flags
	})
	return ok
}

// tcpFiltering is RFC 5780, Section 4.4, over TCP: with connection requests from outside.
func (c *Client) tcpFiltering() {
	const key = "tcp-filtering"
	t := c.tcpPort(0)
	_, mapped, ok := t.seenAt(c.server(0, Primary))
	if !ok {
		c.unknown(key, noTCP)
		return
	}
	syn := segment{seq: c.random32(), flags: header.TCPFlagSyn}
	switch {
	case t.arrives(1, Silent, mapped, syn):
		c.saw(key, nat.EndpointIndependent, "a SYN of %v arrives, to which nothing was sent", c.server(1, Silent))
	case t.arrives(0, Silent, mapped, syn):
		c.saw(key, nat.AddressDependent, "a SYN of %v arrives, and one of another address does not", c.server(0, Silent))
	default:
		c.saw(key, nat.AddressAndPortDependent, "no SYN of another port than that to which was sent arrives")
	}
}

// unsolicited is what a server gets for a SYN to an outside port that no mapping has: RFC 5382, REQ-4.
func (c *Client) unsolicited() {
	const key = "unsolicited-syn"
	t := c.tcpPort(0)
	_, mapped, ok := t.seenAt(c.server(0, Primary))
	if !ok {
		c.unknown(key, noTCP)
		return
	}
	to := netip.AddrPortFrom(mapped.Addr(), mapped.Port()^0x2000) // where nobody is likely to have a mapping
	target := tcpPort{c, 0, to.Port()}
	c.use(to.Port())
	src := c.server(1, Silent)
	syn := segment{seq: c.random32(), flags: header.TCPFlagSyn}
	if target.arrives(1, Silent, to, syn) {
		c.unknown(key, "it reaches the inside")
		return
	}
	c.sleep(2 * unsolicitedWait)
	for _, s := range c.recall(1, mapped.Addr()) {
		p, _, _, _ := parseStart(s.bytes)
		took := 2*unsolicitedWait + patience - s.age
		switch h, isTCP := p.tcp(); {
		case isTCP && p.from() == to && p.to() == src && flagged(h, header.TCPFlagRst):
			c.saw(key, nat.UnsolicitedReset, "%v gets a RST", src)
			return
		case p.proto == protoICMP:
			m, ok := p.icmp()
			if q, isError := quoted(m); ok && isError && q.from() == src && q.to() == to {
				word := nat.UnsolicitedICMP
				if took > unsolicitedWait/2+patience {
					word = nat.UnsolicitedLater
				}
				c.saw(key, word, "%v gets ICMP, type %d, code %d, after about %v", src, m.Type(), m.Code(), took.Round(time.Second))
				return
			}
		}
	}
	c.saw(key, nat.UnsolicitedSilent, "%v gets no answer", src)
}

// unsolicitedWait is how long a box waits for a SYN from inside before it answers: RFC 5382, REQ-4.
const unsolicitedWait = 6 * time.Second

// simultaneous is RFC 5382, REQ-2: two SYNs that cross.
func (c *Client) simultaneous() {
	t := c.tcpPort(0)
	out, _, ok := t.knock(c.server(1, Silent))
	if !ok {
		c.unknown(KeySimultaneous, "a SYN that was sent does not reach the second server")
		return
	}
	ok = t.arrives(1, Silent, out, segment{seq: c.random32(), flags: header.TCPFlagSyn})
	c.saw(KeySimultaneous, yesNo(ok), "%v sends a SYN to %v, from which it gets one", out, c.server(1, Silent))
}

// knock sends a SYN to a server that does not answer, and finds out from where that saw it come.
func (t tcpPort) knock(to netip.AddrPort) (out netip.AddrPort, seq uint32, ok bool) {
	s := segment{seq: t.c.random32(), flags: header.TCPFlagSyn}
	t.send(to, s)
	p, ok := t.c.sighted(to.Addr(), s.seq)
	return p.from(), s.seq, ok
}

// sighted is the segment with a sequence number as it reached a server.
func (c *Client) sighted(server netip.Addr, seq uint32) (packet, bool) {
	i := 0
	if server == c.config.Servers[1] {
		i = 1
	}
	c.sleep(c.rtt)
	for _, s := range c.recall(i, netip.IPv4Unspecified()) {
		p, _, _, ok := parseStart(s.bytes)
		if h, isTCP := p.tcp(); ok && isTCP && h.SequenceNumber() == seq {
			return p, true
		}
	}
	return packet{}, false
}

// midStream is what becomes of a segment from inside that belongs to no connection: the server would answer it.
func (c *Client) midStream() {
	const key = "mid-stream"
	if !c.report.known("tcp-mapping") {
		c.unknown(key, noTCP)
		return
	}
	t := c.tcpPort(0)
	k := &connection{t, c.server(0, Primary), c.random32(), c.random32()}
	m := c.transaction()
	k.send(segment{flags: header.TCPFlagPsh, data: m.Append(nil)})
	h, ok := t.receive(k.to, c.now()+patience, func(header.TCP) bool { return true })
	switch {
	case !ok:
		c.saw(key, nat.MidStreamDrop, "no answer")
	case flagged(h, header.TCPFlagRst):
		c.saw(key, nat.MidStreamReset, "a RST comes back")
	default:
		c.saw(key, nat.MidStreamAdopt, "the server's answer comes back")
	}
}

// reset is what a RST from inside does to its connection: RFC 7857, Section 2.2.
func (c *Client) reset() {
	const key = "tcp-reset"
	k, mapped, ok := c.tcpPort(0).seenAt(c.server(0, Primary))
	if !ok {
		c.unknown(key, noTCP)
		return
	}
	k.send(segment{flags: header.TCPFlagRst})
	c.sleep(time.Second)
	word := nat.ResetEnds
	if k.arrives(0, Primary, mapped, segment{seq: k.ack, ack: k.seq, flags: header.TCPFlagAck}) {
		word = nat.ResetWaits
	}
	c.saw(key, word, "a second later a segment of the server arrives: %v", word == nat.ResetWaits)
}

// windows looks which segments from outside pass that lie outside of the window.
func (c *Client) windows() {
	const key = "tcp-window"
	k, mapped, ok := c.tcpPort(0).seenAt(c.server(0, Primary))
	if !ok {
		c.unknown(key, noTCP)
		return
	}
	far := k.ack + 1<<30
	if !k.arrives(0, Primary, mapped, segment{seq: k.ack, ack: k.seq, flags: header.TCPFlagAck}) {
		c.unknown(key, "no segment of the server's arrives that it has not been asked for")
		return
	}
	data := k.arrives(0, Primary, mapped, segment{seq: far, ack: k.seq, flags: header.TCPFlagAck | header.TCPFlagPsh, data: []byte("x")})
	rst := k.arrives(0, Primary, mapped, segment{seq: far, flags: header.TCPFlagRst})
	word := nat.WindowIgnored
	switch {
	case !data && !rst:
		word = nat.WindowOfAll
	case !rst:
		word = nat.WindowOfReset
	}
	c.saw(key, word, "far outside of the window, a RST of the server arrives: %v, data: %v", rst, data)
}
