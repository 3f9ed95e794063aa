package spec

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/natbox/boxes"
)

// Discover finds out what the box between a host and two servers does, by asking from both
// sides of it: the discovery of NAT behaviour with STUN (RFC 5780), and more of the kind.
type Discover struct {
	From    string   `yaml:"from" jsonschema:"required"`
	Second  string   `yaml:"second"`                                                               // another host on the same side of the box, for what one inside host does to another
	Servers []string `yaml:"servers" jsonschema:"required,minItems=2,maxItems=2,uniqueItems=true"` // two nodes that serve stun, partners of each other
	Tests   []string `yaml:"tests" jsonschema:"minItems=1,uniqueItems=true"`                       // which are made; left out: all
	Longest Duration `yaml:"longest"`                                                              // silence that it waits for; 0: 10d
	Ports   []int    `yaml:"published" jsonschema:"uniqueItems=true"`                              // TCP ports of the box's address that the servers knock at, to find what it publishes
}

// STUNService is a server for discoveries, on UDP and TCP ports 3478 and 3479, UDP port 1023, and in the carriers
// that discoveries use. {} has no partner, and sends from its own address alone.
type STUNService struct {
	Partner  string `yaml:"partner"`                             // the node that sends from the other address (RFC 5780, Section 2.3): it serves stun too
	Software string `yaml:"software" jsonschema:"maxLength=127"` // that it calls itself in answers
}

// STUNPorts are those of UDP and TCP that a service has besides UDP port 1023.
var STUNPorts = []int{3478, 3479}

const stunWellKnown = 1023

// Wait is how long a discovery waits for something to run out.
func (d Discover) Wait() time.Duration { return or(d.Longest.Span(), 10*24*time.Hour) }

// DiscoveryTests are the names of the tests of a discovery, in their order.
var DiscoveryTests = []string{
	"mapping", "filtering", "reach", "ports", "pooling", "collision", "hairpinning", "fragments", "tcp", "icmp", "checksums",
	"ipsec", "ike", "other-protocols", "udp-lifetime", "icmp-lifetime", "ipsec-lifetime", "tcp-lifetime",
}

// Words of a discovery's result.
const (
	BoxNone    = "none"    // nothing is translated
	BoxUnknown = "unknown" // no box that has a name fits
	Endless    = "endless" // a time does not run out
)

// discoveryWords are what a discovery may find of what is no setting of a box; nil is any text.
var discoveryWords = map[string][]string{
	"nat": {"none", "yes"}, "rewrites-payload": yesAndNo, "one-to-one": yesAndNo, "outside-addresses": {"one", "several"},
	"port-blocks": yesAndNo, "tcp-simultaneous-open": yesAndNo, "published": nil, "esp-two-at-once": {"both", "mixed-up", "one"}, "faults": nil,
}

var yesAndNo = []string{"true", "false"}

// DiscoveryKeys are what may be expected of a discovery, besides box, in the order of the tests.
var DiscoveryKeys = []string{
	"nat", "rewrites-payload", "udp-mapping", "udp-filtering", "one-to-one", "silent", "published", "port-assignment", "port-parity", "port-blocks",
	"outside-addresses", "pooling", "port-collision", "port-range", "hairpinning", "fragments", "rewrite-id",
	"tcp-mapping", "tcp-filtering", "tcp-simultaneous-open", "mid-stream", "tcp-reset", "tcp-window", "unsolicited-syn",
	"drop-icmp-queries", "icmp-mapping", "icmp-filtering", "icmp-errors", "faults",
	"esp", "esp-keep", "esp-serial", "esp-two-at-once", "ah", "ah-keep", "ike", "other-protocols", "other-keep",
	"udp-timeout", "udp-unreplied-timeout", "udp-well-known-timeout", "refresh", "timeout-scope", "icmp-timeout",
	"esp-timeout", "spi-timeout", "tcp-established-timeout", "tcp-opening-timeout", "tcp-closing-timeout",
}

// Found is the value that is expected of a key: a time within bounds, or a word.
func (w Word) Found(key string) (within DurationRange, timed bool) {
	if !strings.HasSuffix(key, "-timeout") {
		return DurationRange{}, false
	}
	if w == Endless {
		return DurationRange{math.MaxInt64, math.MaxInt64}, true
	}
	err := within.UnmarshalText([]byte(w))
	return within, err == nil
}

// BoxesByName are the boxes that a discovery may find.
func BoxesByName() []string { return append(boxes.Names(), BoxNone, BoxUnknown) }

func (c *checker) discover(path string, d *Discover) {
	if d.From == "" {
		c.missing(path, "from", "discover: there is no from: the host that asks")
	} else {
		c.asks(path, "from", d.From)
	}
	if d.Second != "" && c.asks(path, "second", d.Second) && d.Second == d.From {
		c.at(child(path, "second"), "second: it is %s again: name another host on the same side of the box", d.From)
	}
	switch {
	case len(d.Servers) == 2:
	case len(d.Servers) == 0 && !c.given(child(path, "servers")):
		c.missing(path, "servers", "discover: there are no servers: two nodes that serve stun")
		return
	default:
		c.at(child(path, "servers"), "servers: want two nodes that serve stun, got %d", len(d.Servers))
		return
	}
	for i, name := range d.Servers {
		at := item(child(path, "servers"), i)
		switch {
		case !c.defined(child(path, "servers"), fmt.Sprint(i), name, "node", "$.nodes", sorted(c.s.Nodes)):
		case c.s.Nodes[name].stun() == nil:
			c.at(at, "servers: %s does not serve stun: give it serves: [{stun: {partner: …}}]", name)
		case c.s.Nodes[name].stun().Partner != d.Servers[1-i]:
			c.at(at, "servers: the partner of %s is %s, and not %s", name, or(c.s.Nodes[name].stun().Partner, "nobody"), d.Servers[1-i])
		}
	}
	for i, name := range d.Tests {
		if !slices.Contains(DiscoveryTests, name) {
			c.at(item(child(path, "tests"), i), "tests: there is no %q%s", shorten(name), Suggest(name, DiscoveryTests))
		}
	}
	for i, port := range d.Ports {
		if port < 1 || port > 65535 {
			c.at(item(child(path, "published"), i), "published: %d is no port: ports are from 1 to 65535", port)
		}
	}
	c.span(path, "longest", d.Longest)
	const shortest, most = 10 * time.Second, 20 * 24 * time.Hour
	if w := d.Wait(); w < shortest || w > most {
		c.at(child(path, "longest"), "longest: want %s to %s, got %s", formatDuration(shortest), formatDuration(most), d.Longest)
	}
}

// asks checks a host from which a discovery asks: it has an IPv4 address.
func (c *checker) asks(path, key, word string) bool {
	if !c.host(path, key, word) {
		return false
	}
	n := c.s.Nodes[word]
	dynamic := slices.ContainsFunc(n.Interfaces, Interface.Unnumbered)
	if !dynamic && !slices.ContainsFunc(n.Prefixes(), func(p netip.Prefix) bool { return p.Addr().Is4() }) {
		c.at(child(path, key), "%s: %s has no IPv4 address, and a discovery is about IPv4", key, word)
		return false
	}
	return true
}

// stun is the node's service for discoveries; nil when it has none.
func (n Node) stun() *STUNService {
	for _, s := range n.Serves {
		if s.STUN != nil {
			return s.STUN
		}
	}
	return nil
}

// STUNAddress is where a node serves stun: its first IPv4 address.
func (n Node) STUNAddress() (netip.Addr, bool) {
	for _, p := range n.Prefixes() {
		if p.Addr().Is4() {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// stunService checks a server for discoveries.
func (c *checker) stunService(path, name string, n Node, s Service) {
	if s.STUN == nil {
		return
	}
	if _, ok := n.STUNAddress(); !ok {
		c.at(path, "stun: %s has no IPv4 address, or not from the start, and the servers of a discovery need one", name)
	}
	at := child(child(path, "stun"), "partner")
	p := s.STUN.Partner
	switch {
	case p == "":
	case p == name:
		c.at(at, "partner: %s cannot be its own: the partner has another address", name)
	case !c.defined(child(path, "stun"), "partner", p, "node", "$.nodes", sorted(c.s.Nodes)):
	case c.s.Nodes[p].stun() == nil:
		c.at(at, "partner: %s does not serve stun", p)
	case c.s.Nodes[p].stun().Partner != name:
		c.at(at, "partner: %s has another partner: each of two is the other's", p)
	}
	if len(s.STUN.Software) > 127 {
		c.at(child(child(path, "stun"), "software"), "software: want at most 127 characters (RFC 8489, Section 14.14)")
	}
	for _, other := range n.Serves {
		switch {
		case other.TCP != 0 && slices.Contains(STUNPorts, other.TCP), other.UDP != 0 && (slices.Contains(STUNPorts, other.UDP) || other.UDP == stunWellKnown):
			c.at(path, "stun: %s has another application on port %d, which is one of stun's", name, max(other.TCP, other.UDP))
		}
	}
}

// discovered checks what a discovery is expected to find.
func (c *checker) discovered(path string, want map[string]Word) {
	if len(want) == 0 {
		c.at(path, "discovered: nothing is expected: it may have box, %s", strings.Join(DiscoveryKeys, ", "))
	}
	for _, key := range sorted(want) {
		at, value := child(path, key), string(want[key])
		if key == "box" {
			for _, name := range strings.Split(value, " or ") {
				if !slices.Contains(BoxesByName(), name) {
					c.at(at, "box: no box is called %q%s", shorten(name), Suggest(name, BoxesByName()))
				}
			}
			continue
		}
		if !slices.Contains(DiscoveryKeys, key) {
			c.key(at, "discovered: a discovery does not look for %q%s", shorten(key), Suggest(key, append(DiscoveryKeys, "box")))
			continue
		}
		if _, timed := want[key].Found(key); strings.HasSuffix(key, "-timeout") {
			if !timed {
				c.at(at, "%s: want a time, bounds such as 30s..60s, or %s, got %q", key, Endless, shorten(value))
			}
			continue
		}
		if words := wordsOf(key); words != nil && !slices.Contains(words, value) {
			c.at(at, "%s: want %s, got %q%s", key, strings.Join(words, ", "), shorten(value), Suggest(value, words))
		}
	}
}

// wordsOf are what a discovery may find of a key that is no time; nil is any text.
func wordsOf(key string) []string {
	if words, ok := discoveryWords[key]; ok {
		return words
	}
	k, _ := boxes.KeyOf(key)
	if len(k.Words) == 0 { // a setting that is on or off
		return yesAndNo
	}
	return k.Words
}
