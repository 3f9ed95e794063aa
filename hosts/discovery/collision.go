package discovery

import "github.com/ipseclab/ipseclab/natbox/nat"

// collision is what happens when two inside hosts use one port: RFC 4787, Section 4.2.1.
func (c *Client) collision() {
	switch {
	case !c.two():
		c.unknown("port-collision", "it takes two inside hosts")
		c.unknown("port-range", "it takes two inside hosts")
		return
	case !c.reached:
		c.unknown("port-collision", unreachable)
		c.unknown("port-range", unreachable)
		return
	}
	if c.word("port-assignment") != nat.Preserve.String() {
		c.unknown("port-collision", "ports are not preserved")
		c.portRange()
		return
	}
	c.collide()
	c.portRange()
}

func (c *Client) word(key string) string { return c.report.word(key) }

// collide has the second inside host use ports that the first has.
func (c *Client) collide() {
	const key = "port-collision"
	const rounds = 8
	var others []pair
	refused := 0
	for range rounds {
		a := c.udp(0)
		first, ok := a.ask(c.server(0, Primary))
		if !ok || first.mapped.Port() != a.port {
			continue // the box itself has the port, or another program
		}
		b := c.udpAt(1, a.port)
		second, ok := b.ask(c.server(0, Primary))
		switch {
		case !ok:
			refused++
		case second.mapped.Addr() != first.mapped.Addr():
			c.unknown(key, "the inside hosts have outside addresses of their own")
			return
		case second.mapped == first.mapped:
			c.saw(key, nat.Overload, "both inside hosts are seen as %v", first.mapped)
			return
		case c.shares(b, first):
			return
		default:
			others = append(others, pair{b.port, second.mapped})
		}
	}
	switch {
	case refused > len(others):
		c.saw(key, nat.Refuse, "the second inside host gets no port, and no answer")
	case len(others) == 0:
		c.unknown(key, "no port of the first inside host is preserved any more")
	default:
		near := 0
		for _, p := range others {
			if d := p.out.Port() - p.port; d > 0 && d < 64 {
				near++
			}
		}
		word := nat.AnotherRandom
		if 2*near > len(others) {
			word = nat.Another
		}
		c.saw(key, word, "of the second inside host, %s", describe(others))
		if c.report.known("port-parity") {
			return
		}
		odd := 0
		for _, p := range others {
			if (p.out.Port()^p.port)&1 != 0 {
				odd++
			}
		}
		c.saw("port-parity", yesNo(odd == 0), "of the second inside host, %s", describe(others))
	}
}

// shares reports whether the second inside host, which has got another port for the first
// server, gets that of the first inside host for the second server, and notes that: then a mapping
// is for one remote endpoint, even though one inside host alone sees one port for all.
func (c *Client) shares(b udpSocket, first reply) bool {
	r, ok := b.ask(c.server(1, Primary))
	if !ok || r.mapped != first.mapped {
		return false
	}
	c.saw("port-collision", nat.Share, "%v is the first inside host's for one server, and the second one's for the other", first.mapped)
	c.saw("udp-mapping", nat.AddressAndPortDependent, "%v is another inside host's for another server", first.mapped)
	return true
}

// portRange looks at low inside ports: whether their outside ports are low as well, where
// they cannot be the same (RFC 4787, REQ-3a).
func (c *Client) portRange() {
	const key = "port-range"
	var pairs []pair
	for _, low := range []uint16{511, 601} {
		for place := range c.config.Places {
			for k := range uint16(2) {
				s := c.udpAt(place, low-2*k)
				r, ok := s.ask(c.server(0, Primary))
				if ok && r.mapped.Port() != s.port {
					pairs = append(pairs, pair{s.port, r.mapped})
				}
			}
		}
	}
	if len(pairs) == 0 {
		c.unknown(key, "low ports are never changed")
		return
	}
	halves, low := true, true
	for _, p := range pairs {
		low = low && p.out.Port() < 1024
		halves = halves && p.out.Port() < 1024 && (p.out.Port() < 512) == (p.port < 512)
	}
	word := nat.NoRange
	switch {
	case halves && distinct(pairs):
		word = nat.WellKnownHalves
	case low:
		word = nat.WellKnown
	}
	c.saw(key, word, "%s", describe(pairs))
}

// distinct reports whether ports below 512 and above are among those that were looked at.
func distinct(pairs []pair) bool {
	var halves [2]bool
	for _, p := range pairs {
		halves[p.port/512%2] = true
	}
	return halves[0] && halves[1]
}

// known reports whether something was observed of a key.
func (r Report) known(key string) bool {
	f, ok := r.Of(key)
	return ok && f.Unknown == ""
}
