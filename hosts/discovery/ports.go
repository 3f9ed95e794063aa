package discovery

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/natbox/nat"
)

// pair is an inside port and the outside endpoint that it has got.
type pair struct {
	port uint16
	out  netip.AddrPort
}

// widestBlock is more than the ports that a subscriber has in practice: RFC 7422, Section 2.
const widestBlock = 8192

// probe is how many ports of one computer are looked at.
const probe = 16

// assignment is RFC 4787, Section 4.2, as far as one inside host sees it: how outside ports are
// chosen, and whether even ones stay even (Section 4.2.2) where they are not preserved.
func (c *Client) assignment() {
	pairs, ok := c.pairs(0)
	if !ok {
		for _, key := range []string{"port-assignment", "port-parity", KeyBlocks} {
			c.unknown(key, unreachable)
		}
		return
	}
	detail := describe(pairs)
	if c.preserved(pairs) {
		c.saw("port-assignment", nat.Preserve, "%s", detail)
		c.unknown("port-parity", "ports are preserved")
		c.unknown(KeyBlocks, "ports are preserved")
		return
	}
	c.saw("port-parity", yesNo(!slices.ContainsFunc(pairs, func(p pair) bool { return (p.port^p.out.Port())&1 != 0 })), "%s", detail)
	word, why := c.order(pairs)
	c.saw("port-assignment", word, "%s", why)
	if word != nat.Random.String() {
		c.unknown(KeyBlocks, "ports are counted up")
		return
	}
	low, high := uint16(65535), uint16(0)
	for _, p := range pairs {
		low, high = min(low, p.out.Port()), max(high, p.out.Port())
	}
	// Of so many random ports of all, the lowest and the highest are never as near as in a block.
	c.saw(KeyBlocks, yesNo(high-low < widestBlock), "%d ports from %d to %d", len(pairs), low, high)
}

// pairs are some ports, even and odd, with their outside endpoints.
func (c *Client) pairs(place int) (pairs []pair, ok bool) {
	for i := range probe {
		s := c.udp(place)
		if bits.OnesCount(uint(i))%2 == 1 { // an order that ports which are counted up do not have by themselves
			s = c.udpAt(place, s.port+1)
		}
		r, ok := s.ask(c.server(0, Primary))
		if !ok {
			return nil, false
		}
		pairs = append(pairs, pair{s.port, r.mapped})
	}
	return pairs, true
}

// preserved reports whether most ports stay as they are: some may be in use.
func (c *Client) preserved(pairs []pair) bool {
	n := 0
	for _, p := range pairs {
		if p.port == p.out.Port() {
			n++
		}
	}
	return 2*n > len(pairs)
}

// order tells ports that follow one another in the order in which they were assigned from
// random ones. Which of the former are contiguous, see contiguity.
func (c *Client) order(pairs []pair) (word, why string) {
	detail := describe(pairs)
	near := 0
	for i, p := range pairs {
		if i > 0 && p.out.Addr() != pairs[i-1].out.Addr() {
			continue
		}
		if d := int(p.out.Port()) - int(pairs[max(i-1, 0)].out.Port()); i > 0 && d > 0 && d <= 4 {
			near++
		}
	}
	if 2*near < len(pairs)-1 {
		return nat.Random.String(), detail
	}
	return nat.Sequential.String(), detail
}

func describe(pairs []pair) string {
	text := ""
	for i, p := range pairs {
		switch {
		case i == 6:
			return text + " …"
		case i > 0:
			text += ", "
		}
		text += fmt.Sprintf("%d is seen as %v", p.port, p.out)
	}
	return text
}

// pooling is RFC 4787, Section 4.1: whether the ports of one inside host have one outside address.
func (c *Client) pooling() {
	pairs, ok := c.pairs(0)
	if !ok {
		c.unknown(KeyOutside, unreachable)
		c.unknown("pooling", unreachable)
		return
	}
	own := addresses(pairs)
	all := own
	if c.two() {
		other, ok := c.pairs(1)
		if ok {
			all = addresses(append(pairs, other...))
		}
	}
	switch {
	case len(own) > 1:
		c.saw(KeyOutside, "several", "%v", all)
		c.saw("pooling", nat.Arbitrary, "one inside host is seen as %v", own)
	case len(all) > 1:
		c.saw(KeyOutside, "several", "%v", all)
		c.saw("pooling", nat.Paired, "each inside host has one address: %v", all)
	default:
		c.saw(KeyOutside, "one", "%v", all)
		c.unknown("pooling", "all is seen from one address")
	}
}

func addresses(pairs []pair) (all []netip.Addr) {
	for _, p := range pairs {
		if !slices.Contains(all, p.out.Addr()) {
			all = append(all, p.out.Addr())
		}
	}
	return all
}
