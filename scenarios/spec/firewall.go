package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Firewall is what a router lets through. The first entry of acl that fits decides.
type Firewall struct {
	Inside   []string  `yaml:"inside" jsonschema:"uniqueItems=true"`                     // the segments that are inside; the router itself is too, and all others are outside
	ACL      []ACLRule `yaml:"acl"`                                                      // in the order in which they are asked
	Default  string    `yaml:"default" jsonschema:"enum=deny,enum=prohibit,enum=permit"` // what becomes of what no entry fits: deny (default), prohibit or permit; with stateful of what the outside begins, as whatever the inside begins passes
	Stateful *Stateful `yaml:"stateful"`                                                 // it remembers what it let through; {} has all defaults. Left out: each packet is judged by itself

	// Inspect is traffic that the firewall looks into, as an application filter does: what it cannot
	// read, ESP and ESP in UDP, does not pass (claim C022).
	Inspect []Inspection `yaml:"inspect"`
}

// ACLRule is an entry of an access list. What is left out fits everything. Fragments of a
// datagram but the first show no ports: an entry that asks for some fits them where it
// permits, and does not where it denies, as in the access lists of Cisco IOS.
type ACLRule struct {
	Name            string `yaml:"name"`                                                             // in the reasons of drops; default: which entry it is
	Action          string `yaml:"action" jsonschema:"required,enum=permit,enum=deny,enum=prohibit"` // permit, deny, or prohibit: denied, and the sender is told by ICMP
	From            string `yaml:"from"`                                                             // a segment, inside or outside
	To              string `yaml:"to"`                                                               // likewise, or self: the router itself
	Source          string `yaml:"source"`                                                           // any, an address, a prefix, or a node: all its addresses at the start
	Destination     string `yaml:"destination"`                                                      // likewise
	Protocol        string `yaml:"protocol" jsonschema:"oneof_type=string;integer"`                  // any (default), icmp, icmpv6, tcp, udp, esp, ah or a number
	SourcePort      string `yaml:"source-port" jsonschema:"oneof_type=string;integer"`               // of TCP or UDP: a number, or several: 1024-65535; any (default)
	DestinationPort string `yaml:"destination-port" jsonschema:"oneof_type=string;integer"`          // likewise
	ICMP            string `yaml:"icmp" jsonschema:"oneof_type=string;integer"`                      // of ICMP or ICMPv6: echo-request, fragmentation-needed or another word, a type, or type/code
	Established     bool   `yaml:"established"`                                                      // of TCP: segments with ACK or RST, so no first ones
	Fragments       bool   `yaml:"fragments"`                                                        // fits the fragments of a datagram but the first, and nothing else
}

// Stateful is what a firewall remembers.
type Stateful struct {
	States    int    `yaml:"states" jsonschema:"minimum=1,maximum=1000000"`                  // at one time; for another one, one that was never made or closes goes, or else the one used longest ago; 0: 65536
	MidStream bool   `yaml:"mid-stream"`                                                     // takes up TCP connections whose beginning it has not seen; default: it drops them
	IPsec     string `yaml:"ipsec" jsonschema:"enum=by-addresses,enum=by-ike,enum=by-rules"` // how ESP and AH are known that belong to what passed: by-addresses (default, RFC 6092, REC-25); by-ike: by IKE that passed between the two addresses; by-rules: they are not, and entries of acl have to permit them in both directions

	Timeouts *StateTimeouts `yaml:"timeouts"`
}

// StateTimeouts are how long a firewall remembers what nothing uses.
type StateTimeouts struct {
	Handshake Duration `yaml:"tcp-handshake"` // TCP that is not established; 0: 4m (RFC 5382, REQ-5)
	TCP       Duration `yaml:"tcp"`           // 0: 2h4m (RFC 5382, REQ-5)
	Closing   Duration `yaml:"tcp-closing"`   // TCP after a FIN or RST; 0: 4m (RFC 5382, REQ-5)
	UDP       Duration `yaml:"udp"`           // 0: 5m (RFC 4787, REQ-5)
	ICMP      Duration `yaml:"icmp"`          // queries; 0: 60s (RFC 5508, REQ-2)
	IPsec     Duration `yaml:"ipsec"`         // ESP and AH; 0: 5m
	Other     Duration `yaml:"other"`         // other protocols; 0: 5m
}

// Inspection names traffic, in both directions. What is left out fits everything.
type Inspection struct {
	Source      string `yaml:"source"`      // any, an address, a prefix or a node
	Destination string `yaml:"destination"` // likewise
}

// SetFirewall changes the firewall of a router while it runs. Fields left out stay as they are.
type SetFirewall struct {
	Node    string       `yaml:"node" jsonschema:"required"`
	ACL     []ACLRule    `yaml:"acl"` // in place of all its entries; []: none
	Default string       `yaml:"default" jsonschema:"enum=deny,enum=prohibit,enum=permit"`
	Inspect []Inspection `yaml:"inspect"` // in place of what it looked into; []: nothing
	Forget  bool         `yaml:"forget"`  // what it remembered is gone, as after a restart
}

// FirewallCounters are statistics of the firewall of a router or host: how far each moved.
// That of what there is, states, is as it stands at the end.
type FirewallCounters struct {
	Passed      *Range `yaml:"passed"`      // packets
	Dropped     *Range `yaml:"dropped"`     // packets
	Prohibited  *Range `yaml:"prohibited"`  // of the dropped: the sender was to be told
	Uninspected *Range `yaml:"uninspected"` // of the dropped: it was to look into them, and could not
	Bypassed    *Range `yaml:"bypassed"`    // of the passed, at a host: protected packets of computers of its bypass
	Related     *Range `yaml:"related"`     // of the passed: ICMP errors about what was let through
	States      *Range `yaml:"states"`      // at the end
	Created     *Range `yaml:"created"`     // states
	Expired     *Range `yaml:"expired"`     // states that nothing used for their time
	Evicted     *Range `yaml:"evicted"`     // states that gave way to others
	Closed      *Range `yaml:"closed"`      // states whose ports a new connection took, and those that were forgotten
}

// FirewallCountersOn limits the statistics of one firewall.
type FirewallCountersOn struct {
	Node             string `yaml:"node" jsonschema:"required"`
	FirewallCounters `yaml:",inline"`
}

// The words of a firewall.
const (
	FirewallPermit   = "permit"
	FirewallDeny     = "deny"
	FirewallProhibit = "prohibit"

	SideInside  = "inside"
	SideOutside = "outside"
	SideSelf    = "self"

	TrackByAddresses = "by-addresses"
	TrackByIKE       = "by-ike"
	TrackByRules     = "by-rules"

	anyWord = "any"
)

// Initial is what becomes of what no entry fits.
func (f Firewall) Initial() string { return or(f.Default, FirewallDeny) }

// Tracking is how ESP and AH are known that belong to what passed.
func (s Stateful) Tracking() string { return or(s.IPsec, TrackByAddresses) }

// FirewallProtocol is the number of a protocol in an access list; 0 is any.
func FirewallProtocol(word string) (uint8, bool) {
	switch word {
	case "esp":
		return 50, true
	case "ah":
		return 51, true
	}
	return ProtocolNumber(word)
}

// ParsePorts reads a port or a span of them; any is 0 to 65535.
func ParsePorts(text string) (first, last uint16, err error) {
	if text == "" || text == anyWord {
		return 0, 65535, nil
	}
	low, high, several := strings.Cut(text, "-")
	if !several {
		high = low
	}
	a, err1 := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || a > b {
		return 0, 0, fmt.Errorf("want a port, several such as 1024-65535, or any, got %q", shorten(text))
	}
	return uint16(a), uint16(b), nil
}

// icmpWords are the messages with names, by protocol: RFC 792 and RFC 1191, RFC 4443.
// Of codes -1 is all.
var icmpWords = map[string]map[string][2]int{
	"icmp": {
		"echo-request": {8, -1}, "echo-reply": {0, -1}, "unreachable": {3, -1}, "port-unreachable": {3, 3},
		"fragmentation-needed": {3, 4}, "prohibited": {3, 13}, "source-quench": {4, -1}, "redirect": {5, -1},
		"time-exceeded": {11, -1}, "parameter-problem": {12, -1},
	},
	"icmpv6": {
		"echo-request": {128, -1}, "echo-reply": {129, -1}, "unreachable": {1, -1}, "port-unreachable": {1, 4},
		"packet-too-big": {2, -1}, "prohibited": {1, 1}, "time-exceeded": {3, -1}, "parameter-problem": {4, -1},
	},
}

// ParseICMP reads a message of ICMP or ICMPv6 by a word, a type or type/code; code -1 is all.
func ParseICMP(protocol, text string) (typ, code int, err error) {
	if m, ok := icmpWords[protocol][text]; ok {
		return m[0], m[1], nil
	}
	t, c, both := strings.Cut(text, "/")
	n, err1 := strconv.ParseUint(t, 10, 8)
	code = -1
	var err2 error
	if both {
		var m uint64
		m, err2 = strconv.ParseUint(c, 10, 8)
		code = int(m)
	}
	if err1 != nil || err2 != nil {
		known := sorted(icmpWords[protocol])
		return 0, 0, fmt.Errorf("want %s, a type or type/code, got %q%s", strings.Join(known, ", "), shorten(text), Suggest(text, known))
	}
	return int(n), code, nil
}

// FirewallAddresses are the prefixes that a word of an access list means; none is any.
func (s *Scenario) FirewallAddresses(word string) ([]netip.Prefix, error) {
	if word == "" || word == anyWord {
		return nil, nil
	}
	if p, err := netip.ParsePrefix(word); err == nil {
		if p != p.Masked() {
			return nil, fmt.Errorf("%s has bits behind its length: %s", word, p.Masked())
		}
		return []netip.Prefix{p}, nil
	}
	if a, err := netip.ParseAddr(word); err == nil {
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
	}
	if _, ok := s.Nodes[word]; !ok {
		return nil, fmt.Errorf("want any, an address, a prefix or a node, got %q%s", shorten(word), Suggest(word, sorted(s.Nodes)))
	}
	var all []netip.Prefix
	for _, a := range s.NodeAddrs(word) {
		all = append(all, netip.PrefixFrom(a, a.BitLen()))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no address at the start", word)
	}
	return all, nil
}

// segments are those that a node is on, once each.
func (n Node) segments() (all []string) {
	for _, i := range n.Interfaces {
		if !slices.Contains(all, i.Segment) {
			all = append(all, i.Segment)
		}
	}
	return all
}
