package spec

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// NATStep is what happens to a NAT box. One of reboot, flush and change-address is there.
type NATStep struct {
	Node          string `yaml:"node" jsonschema:"required"`
	Reboot        bool   `yaml:"reboot"`         // it forgets its mappings, neighbours and fragments
	Flush         bool   `yaml:"flush"`          // it forgets its mappings
	ChangeAddress string `yaml:"change-address"` // of its interface outside, with or without prefix length, in place of the one it has
	Gateway       string `yaml:"gateway"`        // with change-address: next hop of its default route from now on; left out: it stays
}

func (n *NATStep) words() string {
	switch {
	case n.Reboot:
		return fmt.Sprintf("%s reboots", n.Node)
	case n.Flush:
		return fmt.Sprintf("%s forgets its mappings", n.Node)
	}
	return fmt.Sprintf("%s gets the address %s", n.Node, n.ChangeAddress)
}

// NewAddress is the address that the step gives; ok is false when it gives none, or one
// that Check refuses.
func (s *Scenario) NewAddress(n *NATStep) (p netip.Prefix, ok bool) {
	if strings.Contains(n.ChangeAddress, "/") {
		p, err := parseInterface(n.ChangeAddress)
		return p, err == nil && p.Addr().Is4()
	}
	a, err := netip.ParseAddr(n.ChangeAddress)
	if node := s.Nodes[n.Node]; err == nil && a.Is4() && node.NAT != nil {
		for _, i := range node.Interfaces {
			for _, q := range i.Prefixes() {
				if i.Segment == node.NAT.Outside && q.Addr().Is4() {
					p, err = parseInterface(netip.PrefixFrom(a, q.Bits()).String())
					return p, err == nil
				}
			}
		}
	}
	return p, false
}

// NATExpect is what a NAT box has, and how far its statistics moved.
type NATExpect struct {
	Mappings    *Range          `yaml:"mappings"` // at the end
	Has         []MappingExpect `yaml:"has"`      // mappings that are among them
	NATCounters `yaml:",inline"`
}

// NATCounters are statistics of a NAT box: packets, and mappings.
type NATCounters struct {
	Outbound   *Range `yaml:"outbound"`   // translated from inside to outside
	Inbound    *Range `yaml:"inbound"`    // translated from outside to inside
	Hairpinned *Range `yaml:"hairpinned"` // translated from inside to inside
	Held       *Range `yaml:"held"`       // fragments that had to wait
	Own        *Range `yaml:"own"`        // to the box itself
	Answers    *Range `yaml:"answers"`    // of the box about packets that it dropped
	Dropped    *Range `yaml:"dropped"`
	Made       *Range `yaml:"made"` // mappings
	Expired    *Range `yaml:"expired"`
	Evicted    *Range `yaml:"evicted"` // gave way in a full table
	Refused    *Range `yaml:"refused"` // were not made
}

// MappingExpect is what a mapping must look like. What is left out fits all. Endpoints are
// written as ADDRESS, ADDRESS:PORT, ADDRESS:FIRST-LAST or :PORT, and the name of a node may stand
// for its address.
type MappingExpect struct {
	Protocol string         `yaml:"protocol" jsonschema:"oneof_type=string;integer"` // udp, tcp, icmp, esp, ah or a number
	Inside   string         `yaml:"inside"`
	Outside  string         `yaml:"outside"`
	Remote   string         `yaml:"remote"`   // the only one that the mapping is for; any: it is for all
	Expires  *DurationRange `yaml:"expires"`  // how long it lives if nothing uses it
	Sessions *Range         `yaml:"sessions"` // remote endpoints that are known one by one
	Bound    *bool          `yaml:"bound"`    // of ESP or AH that is followed by the numbers of SAs: whether the number of the other direction is known
}

// NATOn limits the NAT of one node, at the end of the run and all over it.
type NATOn struct {
	Node      string `yaml:"node" jsonschema:"required"`
	NATExpect `yaml:",inline"`
}

// Endpoint is an end of a mapping as a scenario writes it, for a box.
type Endpoint struct {
	Addr        netip.Addr // invalid: any
	First, Last int        // ports; 0: any
}

// Fits reports whether an endpoint is one that is wanted.
func (e Endpoint) Fits(a netip.AddrPort) bool {
	return (!e.Addr.IsValid() || e.Addr == a.Addr()) && (e.First == 0 || e.First <= int(a.Port()) && int(a.Port()) <= e.Last)
}

// Endpoint reads an end of a mapping. Names mean the address that the node has for a box, or inside of it.
func (s *Scenario) Endpoint(box, text string, inside bool) (e Endpoint, err error) {
	word := text
	if at := strings.LastIndexByte(text, ':'); at >= 0 {
		word = text[:at]
		first, last, several := strings.Cut(text[at+1:], "-")
		e.First, err = strconv.Atoi(first)
		if e.Last = e.First; several && err == nil {
			e.Last, err = strconv.Atoi(last)
		}
		if err != nil || e.First < 1 || e.Last < e.First || e.Last > 65535 {
			return e, fmt.Errorf("want ADDRESS, ADDRESS:PORT, ADDRESS:FIRST-LAST or a port alone, :PORT, got %q", shorten(text))
		}
	}
	if word == "" {
		return e, nil
	}
	if e.Addr, err = netip.ParseAddr(word); err == nil {
		return e, nil
	}
	if inside {
		e.Addr, err = s.NATAddress(box, word)
		return e, err
	}
	if word == box {
		if all := s.Nodes[box].OutsideAddrs(); len(all) > 0 {
			e.Addr = all[0]
			return e, nil
		}
	}
	e.Addr, err = s.Destination(box, word)
	return e, err
}

// MappingProtocol is the number of the protocol that a mapping is of.
func (m MappingExpect) MappingProtocol() uint8 {
	n, _ := frameProtocol(m.Protocol)
	return n
}

// MappingAny is the word in MappingExpect.Remote for a mapping that is for all.
const MappingAny = "any"
