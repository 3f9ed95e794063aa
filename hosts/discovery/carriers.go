package discovery

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/stun"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// sa is an inside host's SA with a server, as far as a box can see it: a number.
type sa struct {
	c     *Client
	place int
	proto uint8
	spi   uint32
	sent  uint32
}

// lowestSPI is the first that is no reserved one: RFC 4303, Section 2.1.
const lowestSPI = 256

func (c *Client) sa(place int, proto uint8) *sa {
	return &sa{c: c, place: place, proto: proto, spi: c.random32() | lowestSPI}
}

// request sends a packet under the SA that the server answers under another.
func (a *sa) request(server int, edit ...func(*stun.Message)) stun.Message {
	m := a.c.transaction(edit...)
	a.sent++
	a.c.send(a.place, a.c.config.Servers[server], a.proto, carry(a.proto, a.spi, a.sent, m.Append(nil)))
	return m
}

// answer waits for the answer to a request, at whichever of the inside hosts it arrives.
func (a *sa) answer(m stun.Message, until time.Duration) (place int, r reply, ok bool) {
	in, ok := a.c.receive(until, func(in incoming) bool {
		if in.proto != a.proto {
			return false
		}
		_, message, ok := carried(in.proto, in.payload)
		if !ok {
			return false
		}
		r.Message, ok = responseTo(m, message)
		return ok
	})
	r.incoming = in
	r.mapped, _ = r.Addr(stun.XORMappedAddress)
	return in.place, r, ok
}

// ask reports whether the inside host itself gets an answer.
func (a *sa) ask(server int, patience time.Duration, edit ...func(*stun.Message)) bool {
	place, _, ok := a.answer(a.request(server, edit...), a.c.now()+patience)
	return ok && place == a.place
}

// portless is what a box does about a protocol without ports: first with one inside host, then
// with another that has SAs with the same server.
func (c *Client) portless(proto uint8, key, keepKey string) {
	first := c.sa(0, proto)
	switch ok := first.ask(0, patience); {
	case !ok && !c.reached:
		c.unknown(key, nothing)
		return
	case !ok:
		c.saw(key, nat.DropPortless, "no answer of the server arrives")
		return
	case !c.two():
		c.passes(key, "one inside host gets answers, and it takes two to tell how")
		return
	}
	a0, ok0 := c.outside(0)
	a1, ok1 := c.outside(1)
	if !ok0 || !ok1 || a0 != a1 {
		c.passes(key, "the inside hosts have outside addresses of their own")
		return
	}
	second := c.sa(1, proto)
	m := second.request(0)
	place, _, ok := second.answer(m, c.now()+patience)
	// What the server sends under its SA with the first inside host now goes there, or to the last that has sent.
	first.ask(0, patience)
	second.ask(0, patience)
	late := c.lands(first, a0)
	switch {
	case ok && place == 1 && late == 0:
		c.saw(key, nat.BySPI, "two inside hosts get their answers from one server")
	case ok && place == 1:
		c.saw(key, nat.OneClient, "what the server sends goes to the last inside host that has sent")
		c.saw(keepKey, nat.KeepLast, "what it sends to the first inside host arrives at the second")
	default:
		c.saw(key, nat.OneClient, "a second inside host gets no answer")
		c.saw(keepKey, nat.KeepFirst, "the second inside host gets no answer")
	}
}

// passes notes that a protocol gets through, and why it cannot be said how.
func (c *Client) passes(key, why string) {
	c.found(Finding{Key: key, Unknown: why, Not: nat.DropPortless.String()})
}

// lands has the first server send under its SA with an inside host, and says at which of
// them it arrives; -1: at none.
func (c *Client) lands(a *sa, outside netip.Addr) int {
	m := c.transaction()
	c.inject(0, outside, a.proto, carry(a.proto, a.spi^answerSPI, 2, m.Reply(stun.Success).Append(nil)))
	place, _, ok := a.answer(m, c.now()+patience)
	if !ok {
		return -1
	}
	return place
}

// ipsec is ESP and AH: RFC 7857 and its like say nothing of them, boxes do as they please.
func (c *Client) ipsec() {
	c.portless(protoESP, "esp", "esp-keep")
	c.portless(protoAH, "ah", "ah-keep")
	c.atOnce()
}

// atOnce has two inside hosts begin ESP with one server before it has answered either: a
// box knows the number of the server's SA from nothing but the order.
func (c *Client) atOnce() {
	if c.word("esp") != nat.BySPI.String() {
		c.unknown("esp-serial", "ESP is not followed by SPI")
		c.unknown(KeyAtOnce, "ESP is not followed by SPI")
		return
	}
	c.sleep(time.Minute) // nobody waits any more
	first, second := c.sa(0, protoESP), c.sa(1, protoESP)
	a := first.request(1, after(2*time.Second))
	b := second.request(1)
	placeB, _, okB := second.answer(b, c.now()+time.Second)
	placeA, _, okA := first.answer(a, c.now()+4*time.Second)
	word, serial := "both", false
	switch {
	case !okB:
		word, serial = "one", true
	case placeB != 1 || !okA || placeA != 0:
		word = "mixed-up"
	}
	c.saw(KeyAtOnce, word, "the answer to the second arrives: %v, the later one to the first: %v", okB && placeB == 1, okA && placeA == 0)
	c.saw("esp-serial", yesNo(serial), "while the first inside host waits, the packet of the second reaches the server: %v", okB)
}

// spiLifetime is how long ESP passes without a packet.
func (c *Client) spiLifetime() {
	if c.word("esp") == nat.DropPortless.String() {
		c.unknown("esp-timeout", "ESP is dropped")
		c.unknown("spi-timeout", "ESP is dropped")
		return
	}
	c.timed("esp-timeout", func(silence time.Duration) bool {
		a := c.sa(0, protoESP)
		_, r, ok := a.answer(a.request(0), c.now()+patience)
		if !ok {
			return false
		}
		c.sleep(silence)
		return c.lands(a, r.mapped.Addr()) == 0
	}, "after a packet and its answer")
	c.timed("spi-timeout", func(silence time.Duration) bool {
		return c.sa(0, protoESP).ask(0, silence+patience, after(silence))
	}, "between a packet and its answer")
}

// others is what a box does about a protocol that means nothing to it.
func (c *Client) others() {
	c.portless(protoTest, "other-protocols", "other-keep")
}

// protoTest is for tests: RFC 3692, Section 2.1.
const protoTest = 253
