package discovery

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// fragments is RFC 5780, Section 3.5, with fragments that overtake each other as well (RFC 4787,
// Section 11): in both directions, and as good as the worse of them.
func (c *Client) fragments() {
	const key = "fragments"
	s := c.udp(0)
	first, ok := s.ask(c.server(0, Primary))
	if !ok {
		c.unknown(key, unreachable)
		return
	}
	out := c.outbound(s, false)
	outBackwards := out && c.outbound(s, true)
	_, in := s.ask(c.server(0, Primary), withPadding)
	inBackwards := in && c.inbound(s, first)
	word := nat.NoFragments
	switch {
	case outBackwards && inBackwards:
		word = nat.OutOfOrder
	case out && in:
		word = nat.InOrder
	}
	c.saw(key, word, "to a server in order: %v, the last one first: %v; from it: %v, %v", out, outBackwards, in, inBackwards)
	c.identification()
}

// outbound reports whether a server answers a request that is sent in fragments.
func (c *Client) outbound(s udpSocket, reversed bool) bool {
	for range tries {
		m := c.transaction(long)
		c.ids++
		pieces := fragmented(s.local().Addr(), c.config.Servers[0], protoUDP, c.ids, s.segment(c.server(0, Primary), m.Append(nil)))
		for i := range pieces {
			if reversed {
				i = len(pieces) - 1 - i
			}
			c.put(s.place, pieces[i])
		}
		if _, ok := s.answer(m, c.now()+patience); ok {
			return true
		}
	}
	return false
}

// inbound reports whether a datagram in fragments, the last one first, arrives from a server.
func (c *Client) inbound(s udpSocket, first reply) bool {
	for range tries {
		m := c.transaction()
		r := m.Reply(stun.Success)
		r.Add(filler, make([]byte, mtu))
		data := udpSegment(c.server(0, Primary), first.mapped, r.Append(nil))
		c.inject(0, first.mapped.Addr(), protoUDP, data, backwards)
		if _, ok := s.answer(m, c.now()+patience); ok {
			return true
		}
	}
	return false
}

// identification looks whether the identification of a packet that routers may fragment is
// left as it is: RFC 7857, Section 10.
func (c *Client) identification() {
	const key = "rewrite-id"
	local := c.tcpPort(0)
	c.ids++
	id := c.ids
	seq := c.random32()
	syn := tcpSegment(local.at(), c.server(0, Silent), segment{seq: seq, flags: header.TCPFlagSyn})
	c.put(0, ipv4(local.at().Addr(), c.config.Servers[0], protoTCP, id, syn))
	seen, ok := c.sighted(c.config.Servers[0], seq)
	if !ok {
		c.unknown(key, "a packet that was sent does not reach the first server")
		return
	}
	c.saw(key, yesNo(seen.id != id), "sent with %d, arrived with %d", id, seen.id)
}
