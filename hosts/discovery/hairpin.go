package discovery

import (
	"github.com/ipseclab/ipseclab/internal/stun"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// hairpin is RFC 5780, Section 3.4, with two inside hosts where there are two: a request from
// one inside endpoint to the outside endpoint of another. Both send to each other before, so that
// filters let it pass (RFC 4787, REQ-9).
func (c *Client) hairpin() {
	const key = "hairpinning"
	x, y := c.udp(0), c.udp(c.second())
	rx, ok1 := x.ask(c.server(0, Primary))
	ry, ok2 := y.ask(c.server(0, Primary))
	if !ok1 || !ok2 {
		c.unknown(key, unreachable)
		return
	}
	if c.word(KeyNAT) == "none" {
		c.unknown(key, "no outside address differs from the inside one")
		return
	}
	x.knock(ry.mapped)
	c.forget()
	m := c.transaction()
	for range 2 { // the second one finds what the other side has opened meanwhile
		y.send(rx.mapped, m.Append(nil))
		in, ok := c.receive(c.now()+patience, func(in incoming) bool {
			payload, _, ok := in.udp()
			if _, dst := in.ports(); !ok || in.place != x.place || dst != x.port {
				return false
			}
			got, err := stun.Parse(payload)
			return err == nil && got.ID == m.ID && got.Class == stun.Request
		})
		switch {
		case !ok:
			x.knock(ry.mapped)
		case in.from() == y.local():
			c.saw(key, nat.InternalSource, "what %v sends to %v arrives from %v", y.local(), rx.mapped, in.from())
			return
		default:
			c.saw(key, nat.ExternalSource, "what %v sends to %v arrives from %v", y.local(), rx.mapped, in.from())
			return
		}
	}
	if c.word("udp-mapping") != nat.EndpointIndependent.String() && c.word("udp-filtering") != nat.EndpointIndependent.String() {
		c.unknown(key, "the outside endpoint from which an inside host would send is not known to the other one")
		return
	}
	c.saw(key, nat.NoHairpin, "what %v sends to %v does not arrive", y.local(), rx.mapped)
}
