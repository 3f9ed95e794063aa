package spec

import (
	"net/netip"
	"slices"
	"strings"
)

// packetKinds are the keys of Inject that say what the packet is.
var packetKinds = []string{"tcp", "udp", "icmp", "esp", "raw"}

// tcpFlags are the words of TCPPacket.Flags.
var tcpFlags = []string{"syn", "ack", "rst", "fin", "psh", "urg"}

func (c *checker) inject(path string, i *Inject) {
	acts := c.by(path, i.By, i.Segment)
	c.named(path, "source", i.Source, "the address that the packet claims to come from")
	c.named(path, "destination", i.Destination, "the address that it goes to")
	to, ok := c.oneFamily(path, "destination", i.Source, i.Destination)
	if acts && ok {
		c.hop(path, "destination", i.By, i.Segment, i.Via, to)
	}
	if ok {
		c.ofFamily(path, i, to)
	}
	c.between(path, "ttl", i.TTL, 0, 255)
	c.between(path, "tos", i.TOS, 0, 255)
	c.between(path, "id", i.ID, 0, 65535)
	c.between(path, "flow-label", i.FlowLabel, 0, 1<<20-1)
	var kinds []string
	for _, key := range present(i) {
		if slices.Contains(packetKinds, key) {
			kinds = append(kinds, key)
		}
	}
	switch {
	case len(kinds) > 1:
		c.at(path, "inject: a packet is of one kind, and this one has %s", strings.Join(kinds, " and "))
	case len(kinds) == 0:
		c.missing(path, packetKinds[0], "inject: the packet has nothing in it: give it one of %s", strings.Join(packetKinds, ", "))
	default:
		c.packet(child(path, kinds[0]), i)
	}
}

// ofFamily checks that a packet has only what its version of IP knows.
func (c *checker) ofFamily(path string, i *Inject, to netip.Addr) {
	for _, key := range present(i) {
		switch {
		case to.Is6() && (key == "id" || key == "dont-fragment"):
			c.key(child(path, key), "%s: it is of IPv4, and %s is IPv6", key, to)
		case to.Is4() && key == "flow-label":
			c.key(child(path, key), "%s: it is of IPv6, and %s is IPv4", key, to)
		}
	}
}

// packet checks what stands behind the IP header.
func (c *checker) packet(path string, i *Inject) {
	switch {
	case i.TCP != nil:
		p := i.TCP
		c.bothPorts(path, p.SourcePort, p.DestinationPort)
		for n, f := range p.Flags {
			if !slices.Contains(tcpFlags, f) {
				c.at(item(child(path, "flags"), n), "flags: want %s, got %q%s", strings.Join(tcpFlags, ", "), shorten(f), Suggest(f, tcpFlags))
			}
		}
		c.between(path, "sequence", p.Sequence, 0, 1<<32-1)
		c.between(path, "acknowledgment", p.Acknowledgment, 0, 1<<32-1)
		c.between(path, "window", p.Window, 0, 65535)
		c.contents(path, &p.Bytes)
	case i.UDP != nil:
		c.bothPorts(path, i.UDP.SourcePort, i.UDP.DestinationPort)
		c.contents(path, &i.UDP.Bytes)
	case i.ICMP != nil:
		c.between(path, "type", i.ICMP.Type, 0, 255)
		c.between(path, "code", i.ICMP.Code, 0, 255)
		c.between(path, "rest", i.ICMP.Rest, 0, 1<<32-1)
		c.contents(path, &i.ICMP.Bytes)
	case i.ESP != nil:
		if i.ESP.SPI == "" {
			c.missing(path, "spi", "esp: there is no spi")
		} else if _, err := number(i.ESP.SPI, 1<<32-1); err != nil {
			c.at(child(path, "spi"), "spi: %s", err)
		}
		c.between(path, "sequence", i.ESP.Sequence, 0, 1<<32-1)
		c.contents(path, &i.ESP.Bytes)
	case i.Raw != nil:
		if n, ok := frameProtocol(i.Raw.Protocol); !ok || n == 0 {
			c.at(child(path, "protocol"), "protocol: want icmp, icmpv6, tcp, udp, esp, ah or a number from 1 to 255, got %q", shorten(i.Raw.Protocol))
		}
		c.contents(path, &i.Raw.Bytes)
	}
}

func (c *checker) bothPorts(path string, source, destination int) {
	c.port(path, "source-port", source)
	c.port(path, "destination-port", destination)
}

// maxForged leaves room for headers in the longest packet.
const maxForged = 65000

func (c *checker) contents(path string, b *Bytes) {
	c.between(path, "size", b.Size, 0, maxForged)
	if b.Data == "" {
		return
	}
	switch data, err := hexBytes(b.Data); {
	case err != nil:
		c.at(child(path, "data"), "data: %s", err)
	case len(data) > maxForged:
		c.at(child(path, "data"), "data: %d bytes are more than %d", len(data), maxForged)
	case b.Size != 0:
		c.at(child(path, "size"), "size: it is of noise, and there are data: leave one of them out")
	}
}

// Forgeries are the words of Spoof.Message, and the keys that go with each.
var Forgeries = map[string][]string{
	"udp": {"port", "from-port", "size"}, "ping": {"size"},
	"tcp-syn": {"port", "from-port"}, "tcp-ack": {"port", "from-port"}, "tcp-reset": {"port", "from-port"},
	"unreachable": {"code", "about"}, "fragmentation-needed": {"mtu", "about"}, "packet-too-big": {"mtu", "about"},
	"ike-notify": {"notify"}, "ike-delete": nil, "ike-main-mode": nil,
}

func (c *checker) spoof(path string, s *Spoof) {
	acts := c.by(path, s.By, s.Segment)
	c.named(path, "as", s.As, "the node or address in whose name he speaks")
	c.named(path, "to", s.To, "the node or address that gets it")
	to, ok := c.oneFamily(path, "to", s.As, s.To)
	if acts && ok {
		c.hop(path, "to", s.By, s.Segment, s.Via, to)
	}
	keys, known := Forgeries[s.Message]
	switch words := sorted(Forgeries); {
	case s.Message == "":
		c.missing(path, "message", "spoof: there is no message: one of %s", strings.Join(words, ", "))
		return
	case !known:
		c.at(child(path, "message"), "message: want one of %s, got %q%s", strings.Join(words, ", "), shorten(s.Message), Suggest(s.Message, words))
		return
	case ok && to.Is6() && s.Message == "fragmentation-needed":
		c.at(child(path, "message"), "message: %s is IPv6, which routers never fragment: want packet-too-big", to)
	case ok && to.Is4() && s.Message == "packet-too-big":
		c.at(child(path, "message"), "message: %s is IPv4, which has no such message: want fragmentation-needed", to)
	}
	for _, key := range present(s) {
		if slices.Contains([]string{"port", "from-port", "size", "code", "about", "mtu", "notify"}, key) && !slices.Contains(keys, key) {
			c.key(child(path, key), "%s: it does not fit %s", key, s.Message)
		}
	}
	if slices.Contains(keys, "port") {
		c.destinationPort(path, s.Port)
	}
	c.between(path, "from-port", s.FromPort, 0, 65535)
	c.between(path, "size", s.Size, 0, maxForged)
	c.between(path, "code", s.Code, 0, 15)
	c.between(path, "mtu", s.MTU, 0, 65535)
	if n, ok := frameProtocol(s.About); !ok || n == 0 && s.About != "" {
		c.at(child(path, "about"), "about: want icmp, icmpv6, tcp, udp, esp, ah or a number from 1 to 255, got %q", shorten(s.About))
	}
	c.between(path, "notify", s.Notify, 0, 65535)
}

// named checks a word that has to be a node or an address.
func (c *checker) named(path, key, word, what string) {
	if word == "" {
		c.missing(path, key, "%s: there is no %s: %s", path[strings.LastIndexByte(path, '.')+1:], key, what)
	} else if _, err := c.s.Resolve(word); err != nil && !c.unknown("$.nodes") {
		c.at(child(path, key), "%s: %s", key, err)
	}
}

// oneFamily checks that a packet can go from one word to another, and is the address that it goes to.
func (c *checker) oneFamily(path, key, from, to string) (netip.Addr, bool) {
	_, wrongFrom := c.s.Resolve(from)
	a, wrongTo := c.s.Resolve(to)
	if wrongFrom != nil || wrongTo != nil {
		return a, wrongTo == nil // the rest is told elsewhere
	}
	_, a, err := c.s.Ends(from, to)
	if err != nil {
		c.at(child(path, key), "%s: %s and %s have no family of addresses in common", key, from, to)
	}
	return a, err == nil
}

// hop checks that the attacker's frame for an address has somewhere to go.
func (c *checker) hop(path, key, by, segment, via string, to netip.Addr) {
	segment = c.s.AttackSegment(by, segment)
	if via != "" {
		switch n, ok := c.s.Nodes[via]; {
		case !ok:
			c.defined(path, "via", via, "node", "$.nodes", sorted(c.s.Nodes))
		case !n.Router():
			c.at(child(path, "via"), "via: %s is %s, and does not forward", via, article(n.Kind()))
		case c.s.addressOn(via, segment) == nil:
			c.at(child(path, "via"), "via: %s is not on %s", via, segment)
		}
		return
	}
	if _, ok := c.s.FirstHop(segment, via, to); !ok {
		c.at(child(path, key), "%s: %s is on no interface on %s, and no router there is the only one: name one with via", key, to, segment)
	}
}
