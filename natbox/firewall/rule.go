package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Action is what a rule does with a packet.
type Action uint8

// The actions.
const (
	Deny     Action = iota // it ends here, and nobody is told
	Prohibit               // it ends here, and its sender is told: communication administratively prohibited
	Permit
)

var actionNames = [...]string{Deny: "deny", Prohibit: "prohibit", Permit: "permit"}

func (a Action) String() string { return actionNames[a] }

// Sides of a firewall, for Rule.From and Rule.To beside the names of segments.
const (
	Inside  = "inside"  // the segments of Config.Inside, and the device itself
	Outside = "outside" // all others
	Self    = "self"    // the device itself
)

// Rule is one entry of a list. Fields left out match everything.
type Rule struct {
	Name   string // in reasons; "" has them say which rule of the list it is
	Action Action

	From, To            string         // a segment, or a side
	Source, Destination []netip.Prefix // one of which the address must be in
	Protocol            uint8          // of IP

	// What follows is of the upper layer, and needs Protocol: TCP or UDP for
	// ports, TCP for Established, ICMP or ICMPv6 for ICMP.
	SourcePorts, DestinationPorts []Ports // one of which must have the port
	ICMP                          []ICMP  // one of which the message must be
	Established                   bool    // of a connection that was made before: with ACK or RST

	// Fragments matches the fragments of a datagram but the first, and nothing else.
	Fragments bool
}

// Ports are those from First to Last.
type Ports struct{ First, Last uint16 }

func (p Ports) has(port uint16) bool { return port >= p.First && port <= p.Last }

func (p Ports) String() string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// ICMP are the messages of one type, of all codes or of one.
type ICMP struct {
	Type    uint8
	Code    uint8
	OneCode bool
}

func (m ICMP) String() string {
	if m.OneCode {
		return fmt.Sprintf("%d/%d", m.Type, m.Code)
	}
	return fmt.Sprint(m.Type)
}

// upper reports whether the rule looks at the upper layer.
func (r *Rule) upper() bool {
	return len(r.SourcePorts) > 0 || len(r.DestinationPorts) > 0 || len(r.ICMP) > 0 || r.Established
}

// check finds what makes no sense.
func (r *Rule) check() error {
	switch {
	case int(r.Action) >= len(actionNames):
		return fmt.Errorf("there is no action %d", r.Action)
	case (len(r.SourcePorts) > 0 || len(r.DestinationPorts) > 0) && r.Protocol != protoTCP && r.Protocol != protoUDP:
		return fmt.Errorf("ports are of TCP or UDP")
	case len(r.ICMP) > 0 && r.Protocol != protoICMP && r.Protocol != protoICMPv6:
		return fmt.Errorf("types of ICMP are of ICMP or ICMPv6")
	case r.Established && r.Protocol != protoTCP:
		return fmt.Errorf("only TCP has connections that are established")
	case r.Fragments && r.upper():
		return fmt.Errorf("the fragments of a datagram but the first have no ports, types or flags")
	}
	for _, p := range slices.Concat(r.SourcePorts, r.DestinationPorts) {
		if p.First > p.Last {
			return fmt.Errorf("there are no ports from %d to %d", p.First, p.Last)
		}
	}
	for _, p := range slices.Concat(r.Source, r.Destination) {
		if !p.IsValid() {
			return fmt.Errorf("a prefix is invalid")
		}
	}
	return nil
}

// matches compares a packet with the rule. Of fragments it follows the classic access
// lists ("Specifying IP Extended Access Lists with Fragment Control", Cisco IOS IP
// Configuration Guide): a rule about addresses and protocols alone is for all packets.
// Of one about the upper layer, what stands there is compared for whole packets and
// first fragments. The other fragments have nothing to compare: where all else fits they match
// if the rule permits, and do not if it denies, since the datagram is worth nothing
// without its first fragment.
func (r *Rule) matches(p *Packet, from, to side) bool {
	if !from.is(r.From) || !to.is(r.To) || r.Protocol != 0 && r.Protocol != p.Proto ||
		!within(r.Source, p.Src) || !within(r.Destination, p.Dst) {
		return false
	}
	switch {
	case r.Fragments:
		return p.Later
	case !r.upper():
		return true
	case p.Later:
		return r.Action == Permit
	}
	return between(r.SourcePorts, p.SrcPort) && between(r.DestinationPorts, p.DstPort) &&
		(len(r.ICMP) == 0 || slices.ContainsFunc(r.ICMP, func(m ICMP) bool {
			return m.Type == p.ICMPType && (!m.OneCode || m.Code == p.ICMPCode)
		})) &&
		(!r.Established || p.Flags&(ack|rst) != 0)
}

func within(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return len(prefixes) == 0
}

func between(ports []Ports, port uint16) bool {
	for _, p := range ports {
		if p.has(port) {
			return true
		}
	}
	return len(ports) == 0
}

// side is where a packet comes from or goes to.
type side struct {
	segment string // "": the device itself
	inside  bool
}

func (s side) is(word string) bool {
	switch word {
	case "":
		return true
	case Inside:
		return s.inside
	case Outside:
		return !s.inside
	case Self:
		return s.segment == ""
	}
	return s.segment == word
}

// String is the rule in one line.
func (r Rule) String() string {
	words := []string{r.Action.String()}
	switch {
	case r.Protocol != 0:
		words = append(words, ProtocolName(r.Protocol))
	default:
		words = append(words, "any protocol")
	}
	end := func(word, zone string, prefixes []netip.Prefix, ports []Ports) {
		if zone == "" && len(prefixes) == 0 && len(ports) == 0 {
			return
		}
		words = append(words, word)
		if zone != "" {
			words = append(words, zone)
		}
		if len(prefixes) > 0 {
			words = append(words, list(prefixes))
		}
		if len(ports) > 0 {
			words = append(words, "port "+list(ports))
		}
	}
	end("from", r.From, r.Source, r.SourcePorts)
	end("to", r.To, r.Destination, r.DestinationPorts)
	if len(r.ICMP) > 0 {
		words = append(words, "type "+list(r.ICMP))
	}
	if r.Established {
		words = append(words, "established")
	}
	if r.Fragments {
		words = append(words, "fragments")
	}
	return strings.Join(words, " ")
}

// list is what is in a slice, with commas.
func list[T fmt.Stringer](all []T) string {
	var words []string
	for _, one := range all {
		words = append(words, one.String())
	}
	return strings.Join(words, ",")
}
