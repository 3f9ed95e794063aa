package discovery

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/natbox/nat"
)

// span is what is known of a time: alive is the longest silence that left something as it
// was, dead the shortest that did not; 0: there was none.
type span struct{ alive, dead time.Duration }

// search finds out how much silence something endures: first each time twice as much, then by
// halves (RFC 5780, Section 4.6). lives begins anew for each silence. ok is false when even
// the shortest is too long.
func (c *Client) search(lives func(silence time.Duration) bool) (s span, ok bool) {
	const shortest = 2 * time.Second
	for t := shortest; c.err == nil; t *= 2 {
		t = min(t, c.config.Longest)
		if !lives(t) {
			s.dead = t
			break
		}
		if s.alive = t; t == c.config.Longest {
			return s, c.err == nil
		}
	}
	for c.err == nil && s.alive > 0 && s.dead-s.alive > max(time.Second, s.dead/100) {
		middle := (s.alive + (s.dead-s.alive)/2).Round(time.Second / 2)
		if lives(middle) {
			s.alive = middle
		} else {
			s.dead = middle
		}
	}
	return s, c.err == nil && s.alive > 0
}

// timed notes how long something lasts.
func (c *Client) timed(key string, lives func(silence time.Duration) bool, detail string) span {
	s, ok := c.search(lives)
	if !ok {
		c.unknown(key, "it does not last at all")
		return span{}
	}
	c.found(Finding{Key: key, Min: s.alive, Max: s.dead, Detail: detail})
	return s
}

// lifetime is RFC 5780, Section 4.6: how long mappings of UDP last, and which packets keep them.
func (c *Client) lifetime() {
	keys := []string{"udp-timeout", "udp-unreplied-timeout", "udp-well-known-timeout", "refresh", "timeout-scope"}
	if !c.reached {
		for _, key := range keys {
			c.unknown(key, unreachable)
		}
		return
	}
	s := c.timed("udp-timeout", func(silence time.Duration) bool {
		x, r, ok := c.talked(Primary)
		if !ok {
			return false
		}
		c.sleep(silence)
		return c.open(x, r, Primary)
	}, "after two requests and their answers")
	c.timed("udp-unreplied-timeout", func(silence time.Duration) bool {
		_, ok := c.udp(0).once(c.server(0, Primary), silence+patience, after(silence))
		return ok
	}, "between a request and its answer")
	c.timed("udp-well-known-timeout", func(silence time.Duration) bool {
		x, r, ok := c.talked(WellKnown)
		if !ok {
			return false
		}
		c.sleep(silence)
		return c.open(x, r, WellKnown)
	}, fmt.Sprintf("of port %d", WellKnown))
	if s.dead == 0 {
		for _, key := range keys[3:] {
			c.unknown(key, "mappings of UDP do not end")
		}
		return
	}
	c.refresh(s)
	c.scope(s)
	c.contiguity(s)
}

// talked is a new socket that has had answers from the first server, twice: then the box has
// seen packets both ways, and one from inside last but one, which is what starts a time anew.
func (c *Client) talked(port uint16) (udpSocket, reply, bool) {
	x := c.udp(0)
	if _, ok := x.ask(c.server(0, port)); !ok {
		return x, reply{}, false
	}
	r, ok := x.ask(c.server(0, port))
	return x, r, ok
}

// open reports whether what the first server sends to the outside endpoint of a socket still
// reaches it. The request comes from another port, which must have the same outside address.
func (c *Client) open(x udpSocket, r reply, port uint16) bool {
	const addresses = 16
	for range addresses {
		y := c.udp(x.place)
		probe, ok := y.ask(c.server(0, port))
		if !ok || probe.mapped.Addr() != r.mapped.Addr() {
			continue // RFC 5780, Section 7.5: the answer goes to the address that the request came from
		}
		m := c.transaction(respondTo(r.mapped.Port()))
		y.send(c.server(0, port), m.Append(nil))
		_, ok = x.answer(m, c.now()+patience)
		return ok
	}
	return false
}

// refresh is RFC 4787, REQ-6: what keeps a mapping, told by whether it outlives what it lasts
// without.
func (c *Client) refresh(s span) {
	early, late := s.alive*6/10, max(s.dead*2/10+s.dead-s.alive, s.alive*6/10)
	try := func(touch func(x udpSocket, r reply) bool) bool {
		x, r, ok := c.talked(Primary)
		if !ok {
			return false
		}
		c.sleep(early)
		if !touch(x, r) {
			return false
		}
		c.sleep(late)
		return c.open(x, r, Primary)
	}
	out := try(func(x udpSocket, _ reply) bool { x.knock(c.server(0, Primary)); return true })
	in := try(func(x udpSocket, r reply) bool { return c.open(x, r, Primary) })
	detail := fmt.Sprintf("after %v a packet, after %v more: sent from inside, open: %v; from outside, open: %v", early, late, out, in)
	switch {
	case out && in:
		c.saw("refresh", nat.RefreshBoth, "%s", detail)
	case out:
		c.saw("refresh", nat.RefreshOutbound, "%s", detail)
	case in:
		c.saw("refresh", nat.RefreshInbound, "%s", detail)
	default:
		c.unknown("refresh", "no packet keeps a mapping")
	}
}

// scope tells whether what is sent to one remote endpoint keeps a mapping open for another.
func (c *Client) scope(s span) {
	const key = "timeout-scope"
	switch {
	case c.word("udp-mapping") != nat.EndpointIndependent.String():
		c.unknown(key, "each mapping is for one remote endpoint or address")
		return
	case c.word("udp-filtering") == nat.EndpointIndependent.String():
		c.unknown(key, "any remote endpoint may send, as long as there is a mapping")
		return
	}
	early, late := s.alive*6/10, max(s.dead*2/10+s.dead-s.alive, s.alive*6/10)
	x, r, ok := c.talked(Primary)
	if !ok {
		c.unknown(key, "the answers of the first server have ceased")
		return
	}
	c.sleep(early)
	x.ask(c.server(1, Primary))
	c.sleep(late)
	word := nat.PerSession
	if c.open(x, r, Primary) {
		word = nat.PerMapping
	}
	c.saw(key, word, "after %v a request to the second server, and after %v more a packet from the first", early, late)
}

// contiguity tells ports that are counted up from those that lie beside the ports of neighbours
// (RFC 4787, Section 4.2.3): one port, then one far away, whose mapping ends while the first is
// kept; a neighbour of the first then gets the port in between, or the next one that was not used.
func (c *Client) contiguity(s span) {
	const key = "port-assignment"
	if c.word(key) != nat.Sequential.String() {
		return
	}
	x := c.udp(0)
	first, ok1 := x.ask(c.server(0, Primary))
	far, ok2 := c.udp(0).ask(c.server(0, Primary))
	if !ok1 || !ok2 {
		return
	}
	for range 4 {
		c.sleep(s.dead * 4 / 10)
		x.ask(c.server(0, Primary))
	}
	next, ok := c.udpAt(0, x.port+1).ask(c.server(0, Primary))
	if !ok || next.mapped.Addr() != first.mapped.Addr() {
		return
	}
	if next.mapped.Port() == first.mapped.Port()+1 && far.mapped.Port() == next.mapped.Port() {
		c.saw(key, nat.Contiguous, "%d is seen as %d, and its neighbour, after a mapping in between has ended, as %d",
			x.port, first.mapped.Port(), next.mapped.Port())
	}
}
