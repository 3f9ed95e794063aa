package discovery

import "slices"

// test is one of those that a discovery is made of. They are in an order in which none is
// misled by what the box remembers of an earlier one; each asks from ports of its own.
type test struct {
	name string
	keys []string // what it looks for
	run  func(*Client)
}

// Keys that no NAT box has as a setting.
const (
	KeyNAT          = "nat"                   // none, or yes: whether servers see another address or port
	KeyALG          = "rewrites-payload"      // true: addresses in payloads are altered (RFC 5780, Section 3.6)
	KeyOneToOne     = "one-to-one"            // true: the outside address leads to the inside host, whatever the port
	KeyOutside      = "outside-addresses"     // one, or several, as far as was seen
	KeySimultaneous = "tcp-simultaneous-open" // true: two SYNs that cross make a connection (RFC 5382, REQ-2)
	KeyPublished    = "published"             // ports at which somebody inside answers from outside, as "tcp 80, tcp 443"; none
	KeyBlocks       = "port-blocks"           // true: the random ports of an inside host are of one block (RFC 7422)
	KeyAtOnce       = "esp-two-at-once"       // both, mixed-up or one: what becomes of two inside hosts that begin ESP with one peer at the same time
)

var tests = []test{
	{"mapping", []string{KeyNAT, KeyALG, "udp-mapping"}, (*Client).mapping},
	{"filtering", []string{"udp-filtering"}, (*Client).filtering},
	{"reach", []string{KeyOneToOne, "silent", KeyPublished}, (*Client).reach},
	{"ports", []string{"port-assignment", "port-parity", KeyBlocks}, (*Client).assignment},
	{"pooling", []string{KeyOutside, "pooling"}, (*Client).pooling},
	{"collision", []string{"port-collision", "port-range"}, (*Client).collision},
	{"hairpinning", []string{"hairpinning"}, (*Client).hairpin},
	{"fragments", []string{"fragments", "rewrite-id"}, (*Client).fragments},
	{"tcp", []string{"tcp-mapping", "tcp-filtering", KeySimultaneous, "mid-stream", "tcp-reset", "tcp-window", "unsolicited-syn"}, (*Client).tcp},
	{"icmp", []string{"drop-icmp-queries", "icmp-mapping", "icmp-filtering", "icmp-errors"}, (*Client).icmp},
	{"checksums", []string{keyFaults}, (*Client).checksums},
	{"ipsec", []string{"esp", "esp-keep", "esp-serial", KeyAtOnce, "ah", "ah-keep"}, (*Client).ipsec},
	{"ike", []string{"ike"}, (*Client).ike},
	{"other-protocols", []string{"other-protocols", "other-keep"}, (*Client).others},
	{"udp-lifetime", []string{"udp-timeout", "udp-unreplied-timeout", "udp-well-known-timeout", "refresh", "timeout-scope"}, (*Client).lifetime},
	{"icmp-lifetime", []string{"icmp-timeout"}, (*Client).queryLifetime},
	{"ipsec-lifetime", []string{"esp-timeout", "spi-timeout"}, (*Client).spiLifetime},
	{"tcp-lifetime", []string{"tcp-established-timeout", "tcp-opening-timeout", "tcp-closing-timeout"}, (*Client).tcpLifetime},
}

// TestNames are the names of all tests, in the order in which they are made.
func TestNames() (names []string) {
	for _, t := range tests {
		names = append(names, t.name)
	}
	return names
}

// Keys are all that a discovery looks for, in the order of the tests.
func Keys() (keys []string) {
	for _, t := range tests {
		keys = append(keys, t.keys...)
	}
	return keys
}

// Run makes the tests. An error means that the discovery could not go on; the report has
// what was found before.
func (c *Client) Run() (Report, error) {
	for _, t := range tests {
		if c.err != nil {
			break
		}
		if c.config.Tests == nil || slices.Contains(c.config.Tests, t.name) {
			c.connect()
			c.forget()
			t.run(c)
		}
	}
	return c.report, c.err
}
