package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Check says what is wrong with a configuration, and what to do.
func (c Config) Check() error {
	for _, f := range []func() error{c.checkAddresses, c.checkNames, c.checkPorts, c.checkPublished, c.checkIPsec, c.checkNumbers} {
		if err := f(); err != nil {
			return fmt.Errorf("nat: %w", err)
		}
	}
	return nil
}

// host4 says what keeps an address from being that of one host.
func host4(what string, a netip.Addr) error {
	switch {
	case !a.IsValid():
		return fmt.Errorf("%s: no address: give one", what)
	case !a.Is4():
		return fmt.Errorf("%s: %v is not an IPv4 address: only those are translated", what, a)
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.As4()[0] >= 240:
		return fmt.Errorf("%s: %v is not the address of one host", what, a)
	}
	return nil
}

func (c *Config) checkAddresses() error {
	if len(c.Outside) == 0 {
		return fmt.Errorf("no outside address: name at least one")
	}
	seen := map[netip.Addr]bool{}
	for _, a := range c.Outside {
		if err := host4("outside address", a); err != nil {
			return err
		}
		if seen[a] {
			return fmt.Errorf("outside address %v stands there twice: leave one out", a)
		}
		seen[a] = true
	}
	if c.Inside.IsValid() {
		if err := host4("inside address", c.Inside); err != nil {
			return err
		}
		if seen[c.Inside] {
			return fmt.Errorf("inside address %v is an outside one as well: give the box's own on the inside", c.Inside)
		}
	}
	inside := map[netip.Addr]bool{}
	for _, s := range c.Static {
		if err := host4("static translation, inside", s.Inside); err != nil {
			return err
		}
		if err := host4("static translation, outside", s.Outside); err != nil {
			return err
		}
		if seen[s.Outside] {
			return fmt.Errorf("static translation of %v: outside address %v is taken: give one of its own", s.Inside, s.Outside)
		}
		if inside[s.Inside] {
			return fmt.Errorf("static translation of %v stands there twice: leave one out", s.Inside)
		}
		seen[s.Outside], inside[s.Inside] = true, true
	}
	return nil
}

func (c *Config) checkNames() error {
	for _, x := range []struct {
		what string
		ok   bool
	}{
		{"UDP.Mapping", known(c.UDP.Mapping)}, {"UDP.Filtering", known(c.UDP.Filtering)},
		{"TCP.Mapping", known(c.TCP.Mapping)}, {"TCP.Filtering", known(c.TCP.Filtering)},
		{"ICMP.Mapping", known(c.ICMP.Mapping)}, {"ICMP.Filtering", known(c.ICMP.Filtering)}, {"ICMP.Errors", known(c.ICMP.Errors)},
		{"Ports.Assignment", known(c.Ports.Assignment)}, {"Ports.Collision", known(c.Ports.Collision)}, {"Ports.Range", known(c.Ports.Range)},
		{"Pooling", known(c.Pooling)}, {"Blocks.Exhausted", known(c.Blocks.Exhausted)}, {"Hairpin", known(c.Hairpin)},
		{"Refresh", known(c.Refresh)}, {"Scope", known(c.Scope)}, {"Fragments.Mode", known(c.Fragments.Mode)},
		{"ESP.Mode", known(c.ESP.Mode)}, {"ESP.Keep", known(c.ESP.Keep)}, {"AH.Mode", known(c.AH.Mode)}, {"AH.Keep", known(c.AH.Keep)},
		{"Other.Mode", known(c.Other.Mode)}, {"Other.Keep", known(c.Other.Keep)}, {"IKE", known(c.IKE)},
		{"TCPRules.Unsolicited", known(c.TCPRules.Unsolicited)}, {"TCPRules.MidStream", known(c.TCPRules.MidStream)},
		{"TCPRules.Reset", known(c.TCPRules.Reset)}, {"TCPRules.Window", known(c.TCPRules.Window)},
		{"Limits.Eviction", known(c.Limits.Eviction)}, {"Change", known(c.Change)},
	} {
		if !x.ok {
			return fmt.Errorf("%s has none of its values: use one of the constants", x.what)
		}
	}
	return nil
}

func (c *Config) checkPorts() error {
	p := &c.Ports
	bounded := p.First != 0 || p.Last != 0
	preserves := p.Assignment == Preserve
	switch {
	case bounded && (p.First == 0 || p.Last < p.First):
		return fmt.Errorf("ports %d to %d are no range: begin at 1 or higher, and end no lower", p.First, p.Last)
	case !preserves && p.Collision != Another:
		return fmt.Errorf("ports: collision %v is of assignment preserve, not of %v: leave it out", p.Collision, p.Assignment)
	case p.Collision == Share && (c.UDP.Mapping != AddressAndPortDependent || c.TCP.Mapping != AddressAndPortDependent):
		return fmt.Errorf("ports: collision share needs address-and-port-dependent mapping of UDP and TCP, because nothing but the remote endpoint tells sharers apart (RFC 7857, Section 3)")
	case p.Assignment == Contiguous && c.UDP.Mapping != EndpointIndependent:
		return fmt.Errorf("ports: contiguous assignment needs endpoint-independent mapping of UDP: the neighbour's mapping would be another one for each remote endpoint")
	case p.Assignment == Contiguous && p.Parity:
		return fmt.Errorf("ports: contiguous assignment goes on from its neighbour, so that parity has no say: leave it out")
	case p.Range != NoRange && bounded && p.First < 1024:
		return fmt.Errorf("ports: with range %v, first and last are about ports of 1024 and more: begin there", p.Range)
	}
	b := &c.Blocks
	if b.Size == 0 {
		if *b != (Blocks{}) {
			return fmt.Errorf("blocks have no size: give it, or leave the rest out")
		}
		return nil
	}
	first, last := p.First, p.Last
	if !bounded {
		first, last = 1024, 65535
	}
	switch {
	case b.Size < 0 || b.PerHost < 0 || b.Size > int(last)-int(first)+1:
		return fmt.Errorf("blocks of %d ports, %d for a host: there are %d ports", b.Size, b.PerHost, int(last)-int(first)+1)
	case c.Pooling != Paired:
		return fmt.Errorf("blocks need pooling paired: those of a host belong to one address")
	case p.Range != NoRange:
		return fmt.Errorf("blocks and range %v do not go together: the block says where a port lies", p.Range)
	case p.Collision != Another && p.Collision != AnotherRandom:
		return fmt.Errorf("blocks and collision %v do not go together: use another or another-random", p.Collision)
	case p.Parity && b.Size < 2:
		return fmt.Errorf("blocks of one port cannot keep parity: make them larger")
	}
	return nil
}

func (c *Config) checkPublished() error {
	type at struct {
		addr  netip.Addr
		port  uint16
		proto uint8
	}
	taken := map[at]bool{}
	for _, f := range c.Forwards {
		what := fmt.Sprintf("server %v published at port %d", f.Inside, f.Port)
		last := max(f.Last, f.Port)
		switch {
		case f.Proto != tcp && f.Proto != udp:
			return fmt.Errorf("%s: protocol %d has no ports that can be published: use 6 or 17", what, f.Proto)
		case f.Port == 0 || f.Last != 0 && f.Last < f.Port:
			return fmt.Errorf("%s: ports %d to %d are no range", what, f.Port, f.Last)
		case f.Inside.Port() == 0 || int(f.Inside.Port())+int(last-f.Port) > 65535:
			return fmt.Errorf("%s: the server has no %d ports from %d on", what, int(last-f.Port)+1, f.Inside.Port())
		case f.RewriteSource && !c.Inside.IsValid():
			return fmt.Errorf("%s: rewriting the source needs the box's own inside address: set Inside", what)
		}
		if err := host4(what, f.Inside.Addr()); err != nil {
			return err
		}
		if f.Outside.IsValid() {
			if err := host4(what, f.Outside); err != nil {
				return err
			}
		}
		for _, s := range c.Static {
			if s.Outside == f.Outside || s.Inside == f.Inside.Addr() {
				return fmt.Errorf("%s: %v is translated one to one with %v already: leave one out", what, s.Inside, s.Outside)
			}
		}
		for port := int(f.Port); port <= int(last); port++ {
			k := at{f.Outside, uint16(port), f.Proto}
			if taken[k] {
				return fmt.Errorf("%s: port %d is another's", what, port)
			}
			taken[k] = true
			if slices.Contains(c.Ports.Reserved, uint16(port)) {
				return fmt.Errorf("%s: port %d is the box's own: take it out of Ports.Reserved", what, port)
			}
		}
	}
	return nil
}

func (c *Config) checkIPsec() error {
	switch {
	case c.Other.Mode == BySPI || c.Other.Serial:
		return fmt.Errorf("other protocols have no SPI: use drop or one-client")
	case c.Pooling == Arbitrary && (c.ESP.Mode == BySPI || c.AH.Mode == BySPI || c.IKE == IKECookies):
		return fmt.Errorf("pooling arbitrary does not go with by-spi or cookies: a peer knows an SA by the address that it was made with")
	case c.IKE == IKEPlain && len(c.IKEPorts) > 0:
		return fmt.Errorf("IKEPorts are for what IKE does about them, which is nothing: leave them out, or set IKE")
	}
	for _, port := range c.settings().IKEPorts {
		if c.IKE != IKEPlain && slices.Contains(c.Ports.Reserved, port) {
			return fmt.Errorf("IKE %v lets port %d leave as it is, but that is the box's own: take it out of Ports.Reserved", c.IKE, port)
		}
	}
	for _, p := range []Portless{c.ESP, c.AH, c.Other} {
		if p.Mode != BySPI && p.Serial || p.Mode != OneClient && p.Keep != KeepFirst {
			return fmt.Errorf("a protocol without ports: keep is for one-client and serial for by-spi, not for %v: leave it out", p.Mode)
		}
	}
	return nil
}

func (c *Config) checkNumbers() error {
	o := &c.Timeouts
	for _, d := range []time.Duration{o.UDP, o.UDPUnreplied, o.UDPWellKnown, o.TCPOpening, o.TCPEstablished, o.TCPClosing, o.ICMP, o.ESP, o.SPI, o.Other, c.Fragments.Timeout} {
		if d < 0 || d > 10*365*24*time.Hour {
			return fmt.Errorf("a timeout of %v: give one of at most ten years", d)
		}
	}
	if o.UDPWellKnown != 0 && c.Scope == PerMapping && c.UDP.Mapping != AddressAndPortDependent {
		return fmt.Errorf("a timeout for well-known remote ports needs scope session, or address-and-port-dependent mapping: a mapping has many remote ports")
	}
	l, f := &c.Limits, &c.Fragments
	for _, n := range []int{l.Mappings, l.MappingsPerHost, l.Sessions, l.SessionsPerHost, l.Held, f.HoldEach, f.HoldTotal, f.Datagrams} {
		if n < 0 || n > 1<<28 {
			return fmt.Errorf("a limit of %d: give one from 1 to %d, or 0 for the usual one", n, 1<<28)
		}
	}
	return nil
}
