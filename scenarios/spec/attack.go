package spec

import (
	"net/netip"
	"slices"
	"time"
)

// Tamper has an attacker alter what passes on a link, from now on and in place of
// what he did there before.
type Tamper struct {
	By        string `yaml:"by" jsonschema:"required"`                 // the attacker
	Link      string `yaml:"link" jsonschema:"required"`               // the node whose link he sits on
	Segment   string `yaml:"segment"`                                  // may be left out when they share one
	Direction string `yaml:"direction" jsonschema:"enum=up,enum=down"` // up (from the node) or down; default both

	FrameSelection `yaml:",inline"`

	Change    []Change `yaml:"change"`                                            // what is altered in each frame; an empty list: nothing any more
	Checksums string   `yaml:"checksums" jsonschema:"enum=all,enum=ip,enum=none"` // which are made right again: all that can be read (default), that of the IP header alone, or none
}

// Change alters one field of a frame: exactly one of flip and set.
type Change struct {
	Field string `yaml:"field" jsonschema:"required"`                // ip.src, payload, esp.sequence …
	Flip  *int   `yaml:"flip" jsonschema:"minimum=0,maximum=524287"` // the bit to flip, from 0, the highest of the field's first byte
	Set   Word   `yaml:"set"`                                        // an address or a node; a number; bytes in hexadecimal in fields of many
	Byte  int    `yaml:"byte" jsonschema:"minimum=0,maximum=65535"`  // of such a field, at which set begins
}

// Replay has an attacker send frames again that have passed him since the start.
type Replay struct {
	By      string `yaml:"by" jsonschema:"required"`
	Segment string `yaml:"segment"` // on which he sends; may be left out when he is on one

	FrameSelection `yaml:",inline"`

	Repeat `yaml:",inline"`
}

// Repeat is how often an attacker acts, and how long the step goes on.
type Repeat struct {
	Count    int      `yaml:"count" jsonschema:"minimum=0,maximum=1000000"` // 0: 1
	Interval Duration `yaml:"interval"`                                     // 0: 1ms
	Watch    Duration `yaml:"watch"`                                        // how long the step goes on behind the last act, so that what comes of it belongs to it; 0: 1s
}

// Inject has an attacker put packets on the wire that are made of these fields.
// Lengths and checksums are right.
type Inject struct {
	By          string `yaml:"by" jsonschema:"required"`
	Segment     string `yaml:"segment"`                                           // may be left out when he is on one
	Via         string `yaml:"via"`                                               // the router that gets the frame; default: the destination, or the only router on the segment
	Source      string `yaml:"source" jsonschema:"required"`                      // an address or a node
	Destination string `yaml:"destination" jsonschema:"required"`                 // an address or a node
	TTL         int    `yaml:"ttl" jsonschema:"minimum=0,maximum=255"`            // the hop limit of IPv6; 0: 128
	TOS         int    `yaml:"tos" jsonschema:"minimum=0,maximum=255"`            // the traffic class of IPv6
	ID          int    `yaml:"id" jsonschema:"minimum=0,maximum=65535"`           // of IPv4
	DF          bool   `yaml:"dont-fragment"`                                     // of IPv4
	FlowLabel   int    `yaml:"flow-label" jsonschema:"minimum=0,maximum=1048575"` // of IPv6

	TCP  *TCPPacket  `yaml:"tcp"`
	UDP  *UDPPacket  `yaml:"udp"`
	ICMP *ICMPPacket `yaml:"icmp"`
	ESP  *ESPPacket  `yaml:"esp"`
	Raw  *RawPacket  `yaml:"raw"`

	Repeat `yaml:",inline"`
}

// Bytes are data of a packet: given, or noise of some length.
type Bytes struct {
	Data Word `yaml:"data"`                                      // in hexadecimal
	Size int  `yaml:"size" jsonschema:"minimum=0,maximum=65000"` // of noise, without data
}

// TCPPacket is a TCP header and its data.
type TCPPacket struct {
	SourcePort      int      `yaml:"source-port" jsonschema:"required,minimum=1,maximum=65535"`
	DestinationPort int      `yaml:"destination-port" jsonschema:"required,minimum=1,maximum=65535"`
	Flags           []string `yaml:"flags" jsonschema:"uniqueItems=true"` // syn, ack, rst, fin, psh, urg
	Sequence        int      `yaml:"sequence" jsonschema:"minimum=0,maximum=4294967295"`
	Acknowledgment  int      `yaml:"acknowledgment" jsonschema:"minimum=0,maximum=4294967295"`
	Window          int      `yaml:"window" jsonschema:"minimum=0,maximum=65535"`
	Bytes           `yaml:",inline"`
}

// UDPPacket is a UDP header and its data.
type UDPPacket struct {
	SourcePort      int `yaml:"source-port" jsonschema:"required,minimum=1,maximum=65535"`
	DestinationPort int `yaml:"destination-port" jsonschema:"required,minimum=1,maximum=65535"`
	Bytes           `yaml:",inline"`
}

// ICMPPacket is an ICMP header and its data; between IPv6 addresses it is ICMPv6.
type ICMPPacket struct {
	Type  int `yaml:"type" jsonschema:"minimum=0,maximum=255"`
	Code  int `yaml:"code" jsonschema:"minimum=0,maximum=255"`
	Rest  int `yaml:"rest" jsonschema:"minimum=0,maximum=4294967295"` // the four bytes behind the checksum
	Bytes `yaml:",inline"`
}

// ESPPacket is an ESP header and what pretends to be encrypted.
type ESPPacket struct {
	SPI      Word `yaml:"spi" jsonschema:"required"` // decimal, or hexadecimal behind 0x
	Sequence int  `yaml:"sequence" jsonschema:"minimum=0,maximum=4294967295"`
	Bytes    `yaml:",inline"`
}

// RawPacket is whatever stands behind the IP header.
type RawPacket struct {
	Protocol string `yaml:"protocol" jsonschema:"required,oneof_type=string;integer"` // icmp, icmpv6, tcp, udp, esp, ah or a number
	Bytes    `yaml:",inline"`
}

// Spoof has an attacker forge a message in the name of another, with what he has
// overheard of their conversations.
type Spoof struct {
	By       string `yaml:"by" jsonschema:"required"`
	Segment  string `yaml:"segment"`                  // may be left out when he is on one
	Via      string `yaml:"via"`                      // the router that gets the frame; default: the receiver, or the only router on the segment
	As       string `yaml:"as" jsonschema:"required"` // in whose name: a node or an address
	To       string `yaml:"to" jsonschema:"required"` // who gets it
	Message  string `yaml:"message" jsonschema:"required,enum=udp,enum=ping,enum=tcp-syn,enum=tcp-ack,enum=tcp-reset,enum=unreachable,enum=fragmentation-needed,enum=packet-too-big,enum=ike-notify,enum=ike-delete,enum=ike-main-mode"`
	Port     int    `yaml:"port" jsonschema:"minimum=0,maximum=65535"`      // with udp and tcp-…
	FromPort int    `yaml:"from-port" jsonschema:"minimum=0,maximum=65535"` // 0: of the conversation overheard, or any
	Size     int    `yaml:"size" jsonschema:"minimum=0,maximum=65000"`      // bytes of data, with udp and ping; 0: 64
	MTU      int    `yaml:"mtu" jsonschema:"minimum=0,maximum=65535"`       // with fragmentation-needed and packet-too-big
	Code     int    `yaml:"code" jsonschema:"minimum=0,maximum=15"`         // with unreachable: 0 network, 1 host, 2 protocol, 3 port; of ICMPv6 0 no route, 1 prohibited, 3 address, 4 port
	About    string `yaml:"about" jsonschema:"oneof_type=string;integer"`   // the protocol of the packet that an ICMP error quotes; default: the latest one of any
	Notify   int    `yaml:"notify" jsonschema:"minimum=0,maximum=65535"`    // with ike-notify: the type

	Repeat `yaml:",inline"`
}

// RestartHost cuts a host's power and starts it again.
type RestartHost struct {
	Host     string   `yaml:"host" jsonschema:"required"`
	Boot     Duration `yaml:"boot"`     // until it speaks again; 0: 30s
	Graceful bool     `yaml:"graceful"` // it is shut down, and tells its peers that its SAs are gone
}

// The words of Tamper.Checksums.
const (
	ChecksumsAll  = "all"
	ChecksumsIP   = "ip"
	ChecksumsNone = "none"
)

// Repairs is which checksums are made right.
func (t Tamper) Repairs() string { return or(t.Checksums, ChecksumsAll) }

// Times is how often the attacker acts.
func (r Repeat) Times() int { return or(r.Count, 1) }

// Gap is the time from one act to the next.
func (r Repeat) Gap() time.Duration { return or(r.Interval.Span(), time.Millisecond) }

// Watching is how long the step goes on behind the last act.
func (r Repeat) Watching() time.Duration { return or(r.Watch.Span(), time.Second) }

// DataBytes is the length of the data.
func (s Spoof) DataBytes() int { return or(s.Size, 64) }

// Boots is how long the host takes to start.
func (r RestartHost) Boots() time.Duration { return or(r.Boot.Span(), 30*time.Second) }

// AttackSegment is the segment that an attacker's step means: the one named, or
// the only one that he is on.
func (s *Scenario) AttackSegment(by, segment string) string {
	if node := s.Nodes[by]; segment == "" && len(node.Interfaces) == 1 {
		return node.Interfaces[0].Segment
	}
	return segment
}

// TamperSegment is the segment whose link is tampered with: the one named, or
// the only one that attacker and node share.
func (s *Scenario) TamperSegment(t *Tamper) string {
	if t.Segment != "" {
		return t.Segment
	}
	shared := s.shared(t.By, t.Link)
	if len(shared) == 1 {
		return shared[0]
	}
	return ""
}

// shared are the segments on which both nodes are.
func (s *Scenario) shared(a, b string) (segments []string) {
	for _, i := range s.Nodes[a].Interfaces {
		if s.addressOn(b, i.Segment) != nil {
			segments = append(segments, i.Segment)
		}
	}
	return segments
}

// addressOn is the interface of a node on a segment.
func (s *Scenario) addressOn(node, segment string) *Interface {
	for i, ifc := range s.Nodes[node].Interfaces {
		if ifc.Segment == segment {
			return &s.Nodes[node].Interfaces[i]
		}
	}
	return nil
}

// FirstHop is the node on a segment to which a frame for an address goes: the
// one that has the address there, the router named by via, or the only router.
func (s *Scenario) FirstHop(segment, via string, to netip.Addr) (node string, ok bool) {
	var routers []string
	for _, name := range sorted(s.Nodes) {
		ifc := s.addressOn(name, segment)
		if ifc == nil || s.Nodes[name].Attacker() {
			continue
		}
		if via == "" && slices.ContainsFunc(ifc.Prefixes(), func(p netip.Prefix) bool { return p.Addr() == to }) {
			return name, true
		}
		if name == via {
			return name, true
		}
		if s.Nodes[name].Router() {
			routers = append(routers, name)
		}
	}
	if via == "" && len(routers) == 1 {
		return routers[0], true
	}
	return "", false
}
