package spec

import (
	"net/netip"
	"slices"
	"time"
)

// Announce sends datagrams to whoever listens, and waits for no answer.
type Announce struct {
	From     string   `yaml:"from" jsonschema:"required"`
	To       string   `yaml:"to" jsonschema:"required"` // a multicast group, 255.255.255.255, or the broadcast address of a subnet that the host is on
	Port     int      `yaml:"port" jsonschema:"required,minimum=1,maximum=65535"`
	Count    int      `yaml:"count" jsonschema:"minimum=0,maximum=1000000"` // 0: 1
	Interval Duration `yaml:"interval"`                                     // 0: 1s
	Size     int      `yaml:"size" jsonschema:"minimum=0,maximum=65507"`    // bytes of payload; 0: 64
}

// Datagrams is the number of datagrams sent.
func (a Announce) Datagrams() int { return or(a.Count, 1) }

// Gap is the time from one datagram to the next.
func (a Announce) Gap() time.Duration { return or(a.Interval.Span(), time.Second) }

// PayloadBytes is the length of a datagram's payload.
func (a Announce) PayloadBytes() int { return or(a.Size, 64) }

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// reaches reports whether a is an address to which a node with these prefixes can announce something.
func reaches(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		return p.Addr().Is4() == a.Is4() && (a.IsMulticast() || a == limitedBroadcast || a.Is4() && broadcastOf(p) == a)
	})
}

// broadcastOf is the last address of an IPv4 subnet, which reaches all of it (RFC
// 922, Section 7); that of a line between two has none (RFC 3021).
func broadcastOf(p netip.Prefix) netip.Addr {
	if p.Bits() >= 31 {
		return netip.Addr{}
	}
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

func (c *checker) announce(path string, a *Announce) {
	if a.From == "" {
		c.missing(path, "from", "announce: there is no from: the host that begins")
	} else if c.host(path, "from", a.From) {
		c.audience(path, a)
	}
	if a.To == "" {
		c.missing(path, "to", "announce: there is no to: a multicast group or a broadcast address")
	}
	c.destinationPort(path, a.Port)
	c.repeated(path, a.Count, a.Gap(), a.Size, 0)
}

// audience checks where an announcement goes.
func (c *checker) audience(path string, a *Announce) {
	if a.To == "" || c.unknown(child(path, "to")) {
		return
	}
	prefixes := c.s.Nodes[a.From].Prefixes()
	to, err := netip.ParseAddr(a.To)
	if err != nil || len(prefixes) > 0 && !reaches(prefixes, to) {
		c.at(child(path, "to"), "to: want a multicast group such as 224.0.0.251, 255.255.255.255, or the broadcast address of a subnet of %s, got %q", a.From, shorten(a.To))
	}
}

// heard checks who is expected to have heard an announcement: hosts that listen for it.
func (c *checker) heard(path string, s *Step) {
	if len(s.Expect.Heard) == 0 {
		c.at(path, "heard: nobody is named: it may have each host that listens, with a range")
	}
	for _, host := range sorted(s.Expect.Heard) {
		c.hostKey(path, host)
		listens := func(v Service) bool { return v.UDP == s.Announce.Port }
		if n, ok := c.s.Nodes[host]; ok && !n.Router() && !slices.ContainsFunc(n.Serves, listens) {
			c.key(child(path, host), "heard: no application of %s listens on UDP port %d: see its serves", host, s.Announce.Port)
		}
	}
}

// group checks the multicast group of a service.
func (c *checker) group(path string, n Node, s Service) {
	a, err := netip.ParseAddr(s.Group)
	prefixes := n.Prefixes()
	switch {
	case s.Group == "":
	case s.TCP != 0:
		c.at(child(path, "group"), "group: TCP has none")
	case s.UDP == 0:
		c.at(child(path, "group"), "group: it goes with udp")
	case err != nil || !a.IsMulticast():
		c.at(child(path, "group"), "group: want a multicast group such as 224.0.0.251, got %q", shorten(s.Group))
	case len(prefixes) > 0 && !reaches(prefixes, a):
		c.at(child(path, "group"), "group: the node has no address of the family of %s", a)
	}
}
