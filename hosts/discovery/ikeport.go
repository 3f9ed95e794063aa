package discovery

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/stun"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// exchange is a key exchange of an inside host's from source port 500, as far as a box can see
// it: by the cookie of its initiator.
type exchange struct {
	c      *Client
	place  int
	cookie [8]byte
}

func (c *Client) exchange(place int) exchange {
	e := exchange{c: c, place: place}
	c.read(e.cookie[:])
	return e
}

func (e exchange) request(edit ...func(*stun.Message)) stun.Message {
	m := e.c.transaction(edit...)
	s := udpSocket{e.c, e.place, IKE} // answers come from a server, others are not for the client
	s.send(e.c.server(0, IKE), isakmp(e.cookie, [8]byte{}, m.Append(nil)))
	return m
}

// answer waits for the answer, at whichever of the inside hosts it arrives.
func (e exchange) answer(m stun.Message, until time.Duration) (place int, r reply, ok bool) {
	in, ok := e.c.receive(until, func(in incoming) bool {
		payload, _, ok := in.udp()
		if src, _ := in.ports(); !ok || src != IKE {
			return false
		}
		_, message, ok := readISAKMP(payload)
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

func (e exchange) ask() (netip.AddrPort, bool) {
	for range tries {
		if place, r, ok := e.answer(e.request(), e.c.now()+patience); ok && place == e.place {
			return r.mapped, true
		}
	}
	return netip.AddrPort{}, false
}

// ike is what a box does about source port 500, with two inside hosts that have a key
// exchange with one server at the same time.
func (c *Client) ike() {
	const key = "ike"
	a := c.exchange(0)
	first, ok := a.ask()
	switch {
	case !ok:
		c.unknown(key, "the server does not answer on port 500")
		return
	case !c.two():
		c.unknown(key, "it takes two inside hosts")
		return
	}
	b := c.exchange(1)
	m := b.request()
	place, second, ok := b.answer(m, c.now()+patience)
	switch {
	case ok && place == 1 && second.mapped.Addr() != first.Addr():
		c.unknown(key, "the inside hosts have outside addresses of their own")
		return
	case ok && place == 1 && (first.Port() != IKE || second.mapped.Port() != IKE):
		c.saw(key, nat.IKEPlain, "port 500 of the inside hosts is seen as %v and %v", first, second.mapped)
		return
	case ok && place == 0:
		c.saw(key, nat.IKEOneHost, "the answer to the second inside host arrives at the first")
		return
	case !ok:
		c.unknown(key, "the second inside host gets no answer")
		return
	}
	// Both are seen with port 500. Whose is an answer to the first, after the second has sent?
	m = a.request(after(time.Second))
	b.request()
	switch place, _, ok = a.answer(m, c.now()+patience); {
	case ok && place == 0:
		c.saw(key, nat.IKECookies, "both inside hosts are seen as %v, and each gets its answers", first)
	case ok:
		c.saw(key, nat.IKEKeepPort, "both inside hosts are seen as %v, and an answer to the first arrives at the second", first)
	default:
		c.unknown(key, "an answer to the first inside host is lost")
	}
}
