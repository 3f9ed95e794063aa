package spec

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/ipseclab/ipseclab/natbox/boxes"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

// NAT makes a router a NAT box: what crosses between the segment outside and its others
// is translated. Keys of behaviour take the place of what the box has.
type NAT struct {
	Box       string     `yaml:"box" jsonschema:"required"`               // whose behaviour it has: one of those that ipseclab boxes lists; none: there is no NAT, in this cell of a file
	Outside   string     `yaml:"outside" jsonschema:"required"`           // the segment from which the others of the node are hidden
	Addresses []string   `yaml:"addresses" jsonschema:"uniqueItems=true"` // that those inside share outside; left out: the one of the interface there
	Forwards  []Forward  `yaml:"forwards"`                                // servers inside that are published
	OneToOne  []OneToOne `yaml:"one-to-one"`                              // addresses that belong to one node inside each

	Behaviour `yaml:",inline"`
}

// Forward is a port outside that belongs to a server inside.
type Forward struct {
	Protocol string `yaml:"protocol" jsonschema:"required,enum=tcp,enum=udp"`
	Port     int    `yaml:"port" jsonschema:"required,minimum=1,maximum=65535"` // outside
	LastPort int    `yaml:"last-port" jsonschema:"minimum=1,maximum=65535"`     // of a range of ports, which begins with port; 0: one port
	Address  string `yaml:"address"`                                            // outside; left out: each of the box's
	To       string `yaml:"to" jsonschema:"required"`                           // the server: a node inside, or an address; none: there is no such forward, in this cell
	ToPort   int    `yaml:"to-port" jsonschema:"minimum=1,maximum=65535"`       // the port there, of a range the first; 0: the same

	OneWay        bool `yaml:"one-way"`        // what the server sends of its own accord does not leave from the port
	RewriteSource bool `yaml:"rewrite-source"` // the server sees the box as the sender
}

// OneToOne is an address outside that belongs to one node inside, with all its ports and protocols.
type OneToOne struct {
	Inside   string `yaml:"inside" jsonschema:"required"`  // a node, or an address; none: there is no such entry, in this cell
	Outside  string `yaml:"outside" jsonschema:"required"` // an address
	Filtered bool   `yaml:"filtered"`                      // only what the box would let in to a mapping gets in
}

// Behaviour is what a NAT box does. What is left out is as the box has it.
type Behaviour struct {
	UDPMapping      string `yaml:"udp-mapping"`       // which part of the remote endpoint an outside port is for
	UDPFiltering    string `yaml:"udp-filtering"`     // which part of it must have been sent to before something passes from outside
	TCPMapping      string `yaml:"tcp-mapping"`       // as udp-mapping
	TCPFiltering    string `yaml:"tcp-filtering"`     // as udp-filtering
	ICMPMapping     string `yaml:"icmp-mapping"`      // of queries, as udp-mapping
	ICMPFiltering   string `yaml:"icmp-filtering"`    // of queries, as udp-filtering
	DropICMPQueries *bool  `yaml:"drop-icmp-queries"` // from inside
	ICMPErrors      string `yaml:"icmp-errors"`       // what becomes of errors about translated packets
	Silent          *bool  `yaml:"silent"`            // senders are told nothing when the box has dropped a packet

	PortAssignment  string `yaml:"port-assignment"`
	PortCollision   string `yaml:"port-collision"` // when the port to be preserved has another mapping
	PortRange       string `yaml:"port-range"`     // whether ports stay among ports of their kind
	PortParity      *bool  `yaml:"port-parity"`    // even ports stay even, and odd ones odd
	FirstPort       int    `yaml:"first-port" jsonschema:"minimum=1,maximum=65535"`
	LastPort        int    `yaml:"last-port" jsonschema:"minimum=1,maximum=65535"`
	ReservedPorts   []int  `yaml:"reserved-ports" jsonschema:"uniqueItems=true"` // outside ports that are the box's own
	Pooling         string `yaml:"pooling"`                                      // how inside hosts share several addresses
	BlockSize       int    `yaml:"block-size" jsonschema:"minimum=1,maximum=65535"`
	BlocksPerHost   int    `yaml:"blocks-per-host" jsonschema:"minimum=1,maximum=65535"`
	BlocksExhausted string `yaml:"blocks-exhausted"` // when a host has no port left in its blocks
	Hairpinning     string `yaml:"hairpinning"`      // of packets from inside to an outside endpoint of the box

	UDPTimeout            Duration `yaml:"udp-timeout"`
	UDPUnrepliedTimeout   Duration `yaml:"udp-unreplied-timeout"`  // until a packet has come back
	UDPWellKnownTimeout   Duration `yaml:"udp-well-known-timeout"` // to remote ports up to 1023
	TCPOpeningTimeout     Duration `yaml:"tcp-opening-timeout"`
	TCPEstablishedTimeout Duration `yaml:"tcp-established-timeout"`
	TCPClosingTimeout     Duration `yaml:"tcp-closing-timeout"`
	ICMPTimeout           Duration `yaml:"icmp-timeout"`
	ESPTimeout            Duration `yaml:"esp-timeout"` // of AH as well
	SPITimeout            Duration `yaml:"spi-timeout"` // how long an inside host waits for the number of the SA in the other direction
	OtherTimeout          Duration `yaml:"other-timeout"`
	Refresh               string   `yaml:"refresh"`       // which packets keep a mapping of UDP or ICMP
	TimeoutScope          string   `yaml:"timeout-scope"` // whose time runs out when nothing is sent

	Fragments           string   `yaml:"fragments"`
	FragmentTimeout     Duration `yaml:"fragment-timeout"`
	FragmentsHeld       int      `yaml:"fragments-held" jsonschema:"minimum=1"` // of one datagram, until the first one comes
	FragmentsHeldTotal  int      `yaml:"fragments-held-total" jsonschema:"minimum=1"`
	FragmentedDatagrams int      `yaml:"fragmented-datagrams" jsonschema:"minimum=1"` // that are known at a time
	RewriteID           *bool    `yaml:"rewrite-id"`                                  // of fragments, and of packets that may become some

	ESP            string `yaml:"esp"`
	ESPKeep        string `yaml:"esp-keep"`   // with one client: whose it is
	ESPSerial      *bool  `yaml:"esp-serial"` // by SPI: a host waits until the SAs of the other one are known
	AH             string `yaml:"ah"`
	AHKeep         string `yaml:"ah-keep"`
	AHSerial       *bool  `yaml:"ah-serial"`
	OtherProtocols string `yaml:"other-protocols"` // but ICMP, TCP, UDP, ESP and AH
	OtherKeep      string `yaml:"other-keep"`
	IKE            string `yaml:"ike"`                                     // what the box does about it, on top of what it does about UDP
	IKEPorts       []int  `yaml:"ike-ports" jsonschema:"uniqueItems=true"` // the source ports that ike is about

	UnsolicitedSYN string `yaml:"unsolicited-syn"` // how one from outside is answered that nothing lets in
	MidStream      string `yaml:"mid-stream"`      // what becomes of TCP segments from inside that belong to no connection
	TCPReset       string `yaml:"tcp-reset"`       // what a RST does to its connection
	TCPWindow      string `yaml:"tcp-window"`      // which segments must lie in the window

	MaxMappings        int      `yaml:"max-mappings" jsonschema:"minimum=1"`
	MaxMappingsPerHost int      `yaml:"max-mappings-per-host" jsonschema:"minimum=1"`
	MaxSessions        int      `yaml:"max-sessions" jsonschema:"minimum=1"`
	MaxSessionsPerHost int      `yaml:"max-sessions-per-host" jsonschema:"minimum=1"`
	MaxHeldSYNs        int      `yaml:"max-held-syns" jsonschema:"minimum=1"`
	Eviction           string   `yaml:"eviction"`       // when a table is full
	AddressChange      string   `yaml:"address-change"` // what becomes of mappings when their outside address goes
	Faults             []string `yaml:"faults" jsonschema:"uniqueItems=true"`
}

// noNAT is the word for a box, a forward or an entry that a cell does not have: the cells
// of a file have the same keys.
const noNAT = "none"

// withoutNAT makes routers of the boxes that the cell does not have.
func (s *Scenario) withoutNAT() {
	for _, name := range sorted(s.Nodes) {
		if n := s.Nodes[name]; n.NAT != nil && n.NAT.Box == noNAT {
			n.NAT = nil
			s.Nodes[name] = n
		}
	}
}

func (f Forward) absent() bool  { return f.To == noNAT }
func (o OneToOne) absent() bool { return o.Inside == noNAT }

// Differs are the keys of behaviour that are not left out, with their values as data files
// of boxes have them.
func (b Behaviour) Differs(f func(key string, value any)) {
	v := reflect.ValueOf(b)
	s := shapeOf(v.Type())
	for _, key := range s.keys {
		field := v.FieldByIndex(s.fields[key].Index)
		if field.IsZero() {
			continue
		}
		switch x := reflect.Indirect(field).Interface().(type) {
		case Duration:
			f(key, x.Span().String())
		case []int:
			f(key, items(x))
		case []string:
			f(key, items(x))
		default:
			f(key, x)
		}
	}
}

func items[T any](all []T) []any {
	out := []any{}
	for _, v := range all {
		out = append(out, v)
	}
	return out
}

// NATConfig is what the NAT of a node does.
func (s *Scenario) NATConfig(name string) (c nat.Config, err error) {
	n := s.Nodes[name]
	box, ok := boxes.Named(n.NAT.Box)
	if !ok {
		return c, fmt.Errorf("no box is called %q", n.NAT.Box)
	}
	c = boxes.Config(box)
	n.NAT.Differs(func(key string, value any) {
		if k, ok := boxes.KeyOf(key); ok && err == nil {
			if err = k.Set(&c, value); err != nil {
				err = fmt.Errorf("%s: %w", key, err)
			}
		}
	})
	if err != nil {
		return c, err
	}
	c.Outside = n.OutsideAddrs()
	for _, segment := range n.Inside() {
		if all := n.addrsOn(segment); len(all) > 0 && !c.Inside.IsValid() {
			c.Inside = all[0]
		}
	}
	for _, f := range n.NAT.Forwards {
		if f.absent() {
			continue
		}
		to, err := s.NATAddress(name, f.To)
		if err != nil {
			return c, err
		}
		proto, _ := ProtocolNumber(f.Protocol)
		address, _ := netip.ParseAddr(f.Address)
		c.Forwards = append(c.Forwards, nat.Forward{
			Proto: proto, Outside: address, Port: uint16(f.Port), Last: uint16(f.LastPort), Inside: netip.AddrPortFrom(to, uint16(or(f.ToPort, f.Port))),
			OneWay: f.OneWay, RewriteSource: f.RewriteSource,
		})
	}
	for _, o := range n.NAT.OneToOne {
		if o.absent() {
			continue
		}
		inside, err := s.NATAddress(name, o.Inside)
		if err != nil {
			return c, err
		}
		outside, err := netip.ParseAddr(o.Outside)
		if err != nil {
			return c, err
		}
		c.Static = append(c.Static, nat.Static{Inside: inside, Outside: outside, Filtered: o.Filtered})
	}
	return c, nil
}

// Published is the node inside of a NAT box to which it hands what comes from outside to a
// port or protocol of an address of its, and the port there; ok is false for none.
func (s *Scenario) Published(box string, a netip.Addr, proto uint8, port int) (name string, there int, ok bool) {
	n := s.Nodes[box]
	if n.NAT == nil {
		return "", 0, false
	}
	for _, o := range n.NAT.OneToOne {
		if outside, err := netip.ParseAddr(o.Outside); err == nil && outside == a && !o.absent() {
			name, ok = s.NodeOf(box, o.Inside)
			return name, port, ok
		}
	}
	for _, f := range n.NAT.Forwards {
		p, _ := ProtocolNumber(f.Protocol)
		address, _ := netip.ParseAddr(f.Address)
		if p == proto && !f.absent() && f.Port <= port && port <= or(f.LastPort, f.Port) && (address == a || f.Address == "" && slices.Contains(n.OutsideAddrs(), a)) {
			name, ok = s.NodeOf(box, f.To)
			return name, port - f.Port + or(f.ToPort, f.Port), ok
		}
	}
	return "", 0, false
}

// NATAddress is the IPv4 address that a word means inside of a NAT box.
func (s *Scenario) NATAddress(box, word string) (netip.Addr, error) {
	inside := s.Nodes[box].Inside()
	realms := s.Realms()
	if a, err := netip.ParseAddr(word); err == nil {
		if !a.Is4() {
			return a, fmt.Errorf("%s is no address of IPv4", a)
		}
		return a, nil
	}
	if _, err := s.addresses(word); err != nil {
		return netip.Addr{}, err
	}
	for _, h := range s.Holdings(word) {
		if h.Addr.Is4() && slices.ContainsFunc(inside, func(segment string) bool { return realms.Realm(segment) == realms.Realm(h.Segment) }) {
			return h.Addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no IPv4 address inside of %s", word, box)
}

// addrs are the addresses that a NAT has besides the one of its interface outside,
// without those that Check refuses.
func (n *NAT) addrs() (all []netip.Addr) {
	add := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	for _, text := range n.Addresses {
		add(text)
	}
	for _, o := range n.OneToOne {
		if !o.absent() {
			add(o.Outside)
		}
	}
	return all
}

// OutsideAddrs are the addresses that what is inside of a NAT box shares.
func (n Node) OutsideAddrs() (all []netip.Addr) {
	for _, text := range n.NAT.Addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, a)
		}
	}
	if len(all) > 0 {
		return all
	}
	return n.addrsOn(n.NAT.Outside)
}

// addrsOn are the IPv4 addresses of the node's interface on a segment.
func (n Node) addrsOn(segment string) (all []netip.Addr) {
	for _, i := range n.Interfaces {
		for _, p := range i.Prefixes() {
			if i.Segment == segment && p.Addr().Is4() {
				all = append(all, p.Addr())
			}
		}
	}
	return all
}
