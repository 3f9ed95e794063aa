package discovery

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/stun"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// connect finds out whether a server can be reached over UDP at all: RFC 5780, Section 4.2. A
// box that breaks checksums is seen here: what has none gets through.
func (c *Client) connect() {
	if c.reached || c.err != nil {
		return
	}
	s := c.udp(0)
	began := c.now()
	r, ok := s.ask(c.server(0, Primary))
	if !ok {
		c.zero = true
		if r, ok = c.udp(0).ask(c.server(0, Primary)); !ok {
			c.zero = false
			return
		}
	}
	c.reached = true
	c.rtt = min(c.rtt, c.now()-began)
	_ = r
}

// unreachable is why nothing of UDP can be said.
const unreachable = "no server answers over UDP"

// nothing is why nothing can be said at all.
const nothing = "no server answers"

// mapping is RFC 5780, Section 4.3, with Section 3.6 on the way.
func (c *Client) mapping() {
	if !c.reached {
		c.unknown(KeyNAT, unreachable)
		c.unknown("udp-mapping", unreachable)
		return
	}
	s := c.udp(0)
	first, ok := s.ask(c.server(0, Primary))
	if !ok {
		c.unknown("udp-mapping", "the answers of the first server have ceased")
		return
	}
	if first.mapped == s.local() {
		c.saw(KeyNAT, "none", "%v is seen as it is", s.local())
	} else {
		c.saw(KeyNAT, "yes", "%v is seen as %v", s.local(), first.mapped)
	}
	if plain, ok := first.Addr(stun.MappedAddress); ok {
		c.saw(KeyALG, yesNo(plain != first.mapped), "MAPPED-ADDRESS %v, XOR-MAPPED-ADDRESS %v", plain, first.mapped)
	}
	c.dependence("udp-mapping", first.mapped, func(server int, port uint16) (netip.AddrPort, bool) {
		r, ok := s.ask(c.server(server, port))
		return r.mapped, ok
	})
}

// dependence compares the outside endpoints of one inside endpoint: that for the first
// server's primary port, and those that ask gives for other endpoints.
func (c *Client) dependence(key string, first netip.AddrPort, ask func(server int, port uint16) (netip.AddrPort, bool)) {
	second, ok := ask(1, Primary)
	if !ok {
		c.unknown(key, "the second server does not answer")
		return
	}
	if second == first {
		c.saw(key, nat.EndpointIndependent, "%v for both servers", first)
		return
	}
	third, ok := ask(1, Alternate)
	switch {
	case !ok:
		c.unknown(key, "the second server's other port does not answer")
	case third == second:
		c.saw(key, nat.AddressDependent, "%v for the first server, %v for both ports of the second", first, second)
	default:
		c.saw(key, nat.AddressAndPortDependent, "%v for the first server, %v and %v for the second", first, second, third)
	}
}

// filtering is RFC 5780, Section 4.4.
func (c *Client) filtering() {
	const key = "udp-filtering"
	s := c.udp(0)
	first, ok := s.ask(c.server(0, Primary))
	if !ok {
		c.unknown(key, unreachable)
		return
	}
	if _, ok := first.Addr(stun.OtherAddress); !ok {
		c.unknown(key, "the first server has no partner")
		return
	}
	if r, ok := s.ask(c.server(0, Primary), change(true, true)); ok {
		c.saw(key, nat.EndpointIndependent, "%v answers, to which nothing was sent", r.from())
		return
	}
	if r, ok := s.ask(c.server(0, Primary), change(false, true)); ok {
		c.saw(key, nat.AddressDependent, "%v answers, and another address does not", r.from())
		return
	}
	c.saw(key, nat.AddressAndPortDependent, "another port than that to which was sent does not answer")
}
