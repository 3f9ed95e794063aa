package discovery

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// query is an identifier of ICMP queries of the client.
type query struct {
	c     *Client
	place int
	id    uint16
}

func (c *Client) query(place int) query { return query{c, place, c.port()} }

// ask sends an echo request with a Binding request, once.
func (q query) ask(server int, patience time.Duration, edit ...func(*stun.Message)) (r reply, ok bool) {
	m := q.c.transaction(edit...)
	to := q.c.config.Servers[server]
	q.c.send(q.place, to, protoICMP, icmpEcho(header.ICMPv4Echo, q.id, 1, m.Append(nil)))
	in, ok := q.receive(q.c.now()+patience, func(payload []byte) bool {
		r.Message, ok = responseTo(m, payload)
		return ok
	})
	r.incoming = in
	r.mapped, _ = r.Addr(stun.XORMappedAddress)
	return r, ok
}

// receive waits for an echo reply.
func (q query) receive(until time.Duration, want func(payload []byte) bool) (incoming, bool) {
	return q.c.receive(until, func(in incoming) bool {
		m, ok := in.icmp()
		return ok && in.place == q.place && m.Type() == header.ICMPv4EchoReply && m.Ident() == q.id && want(m.Payload())
	})
}

// noQuery is why nothing of queries can be said.
const noQuery = "no server answers an echo request"

func (c *Client) icmp() {
	c.queries()
	c.errors()
}

// queries is RFC 5508, Section 3: identifiers stand for ports.
func (c *Client) queries() {
	keys := []string{"icmp-mapping", "icmp-filtering"}
	q := c.query(0)
	first, ok := q.ask(0, patience)
	if ok || c.reached {
		c.saw("drop-icmp-queries", yesNo(!ok), "the server answers: %v", ok)
	} else {
		c.unknown("drop-icmp-queries", nothing)
	}
	if !ok {
		for _, key := range keys {
			c.unknown(key, noQuery)
		}
		return
	}
	// A remote endpoint of ICMP has no port, so that it is its address that matters or nothing.
	if second, ok := q.ask(1, patience); !ok {
		c.unknown(keys[0], "the second server does not answer")
	} else if second.mapped == first.mapped {
		c.saw(keys[0], nat.EndpointIndependent, "identifier %d is seen as %v by both servers", q.id, first.mapped)
	} else {
		c.saw(keys[0], nat.AddressDependent, "identifier %d is seen as %v and %v", q.id, first.mapped, second.mapped)
	}
	c.queryFiltering(keys[1])
}

// queryLifetime is RFC 5508, REQ-2.
func (c *Client) queryLifetime() {
	c.timed("icmp-timeout", func(silence time.Duration) bool {
		_, ok := c.query(0).ask(0, silence+patience, after(silence))
		return ok
	}, "between a query and its answer")
}

func (c *Client) queryFiltering(key string) {
	q := c.query(0)
	first, ok := q.ask(0, patience)
	if !ok {
		c.unknown(key, noQuery)
		return
	}
	m := c.transaction()
	data := icmpEcho(header.ICMPv4EchoReply, first.mapped.Port(), 1, m.Reply(stun.Success).Append(nil))
	c.inject(1, first.mapped.Addr(), protoICMP, data)
	_, ok = q.receive(c.now()+patience, func(payload []byte) bool {
		_, ok := responseTo(m, payload)
		return ok
	})
	word := nat.AddressDependent
	if ok {
		word = nat.EndpointIndependent
	}
	c.saw(key, word, "an echo reply of the second server arrives, to which nothing was sent: %v", ok)
}

// errors is RFC 5508, REQ-3 to REQ-5: a server's computer says that nobody listens on a port,
// and quotes what it got.
func (c *Client) errors() {
	const key = "icmp-errors"
	if !c.reached {
		c.unknown(key, unreachable)
		return
	}
	const nobody = 9 // discard, RFC 863
	s := c.udp(0)
	to := c.server(0, nobody)
	var about packet
	in, ok := c.receiveAfter(func() { s.send(to, make([]byte, 32)) }, func(in incoming) bool {
		m, ok := in.icmp()
		if !ok || m.Type() != header.ICMPv4DstUnreachable {
			return false
		}
		about, ok = quoted(m)
		_, dst := about.ports()
		return ok && about.proto == protoUDP && about.dst == to.Addr() && dst == nobody
	})
	if !ok {
		c.saw(key, nat.ErrorsDropped, "%v does not answer, which has nobody listening", to)
		return
	}
	if about.from() != s.local() {
		c.saw(key, nat.ErrorsOuterOnly, "the error is about %v, which %v does not know", about.from(), s.local())
		return
	}
	c.saw(key, nat.ErrorsTranslated, "an error of %v is about %v", in.src, about.from())
	m, _ := in.icmp()
	if !quoteOK(m[header.ICMPv4MinimumSize:]) {
		c.fault(faultQuote, "checksums in the packet that an ICMP error quotes are wrong")
	}
}

// quoteOK reports whether the checksums of a quoted UDP datagram are those of its addresses and
// ports; what was cut off cannot be summed up and counts as right.
func quoteOK(b []byte) bool {
	ip := header.IPv4(b)
	p, _, _, ok := parseStart(b)
	if !ok {
		return true
	}
	if checksum.Checksum(b[:ip.HeaderLength()], 0) != 0xffff {
		return false
	}
	u := header.UDP(p.payload)
	return len(p.payload) < header.UDPMinimumSize || int(u.Length()) > len(p.payload) || u.Checksum() == 0 ||
		sum(protoUDP, p.src, p.dst, p.payload[:u.Length()]) == 0xffff
}

// receiveAfter does something, again while nothing wanted arrives.
func (c *Client) receiveAfter(do func(), want func(incoming) bool) (in incoming, ok bool) {
	for range tries {
		do()
		if in, ok = c.receive(c.now()+patience, want); ok {
			break
		}
	}
	return in, ok
}

// outside is the outside address of a place for the first server, as UDP shows it.
func (c *Client) outside(place int) (netip.Addr, bool) {
	r, ok := c.udp(place).ask(c.server(0, Primary))
	return r.mapped.Addr(), ok
}
