// Package natbox is the forwarding device of the simulated network: IPv4 and IPv6,
// byte for byte, without a host's protocol stack. A router is the device as it
// stands here; with a table of natbox/nat it is a NAT box.
//
// It answers and resolves addresses by ARP and neighbour discovery, validates
// headers, finds the route with the longest prefix, decrements the TTL or hop
// limit, and reports what it cannot forward by ICMP, as RFC 1812, RFC 8200 and RFC
// 4443 demand of a router. IPv4 it fragments to the MTU of the outgoing link; IPv6
// no router does. It answers echo requests to its own addresses.
//
// # What is left out
//
// Multicast and directed broadcasts are not forwarded (RFC 2644). Options are
// carried but not acted on: a record route or timestamp option passes unchanged,
// and a packet that a source route sends through this router ends here with
// "source route failed" (RFC 1812, Section 5.3.13.4 lets a router refuse them).
// Hop-by-hop options of IPv6 are not looked at (RFC 8200, Section 4 lets a router
// leave them), and routing headers not followed (RFC 5095). There are no
// redirects, no router advertisements and no routing protocols.
package natbox

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/sim"
)

// RouterConfig describes a router.
type RouterConfig struct {
	Name       string // the node's name in the world
	Interfaces []Interface
	Routes     []Route // beside those to the prefixes of the interfaces
	Settings   Settings
	NAT        *NAT // nil: addresses are left as they are

	Filters   []Filter   // asked in this order, until one refuses
	Observers []Observer // shown what crosses
	Markers   []Marker   // asked what they make of its DSCP

	// Queues are what packets wait in that leave to a segment, by its name; without one,
	// in nothing but that of the link. ARP and neighbour discovery do not wait.
	Queues map[string]Queue
}

// Interface joins a router to a segment, at most once each.
type Interface struct {
	Segment *sim.Segment

	// Prefixes are the router's addresses there, each with the length of the segment's
	// prefix. An interface with an IPv6 address has a link-local one too.
	Prefixes []netip.Prefix
}

// Route is a static route.
type Route struct {
	To  netip.Prefix
	Via netip.Addr // the next hop: a neighbour on one of the interfaces
}

// Settings are the adjustable limits of a router. Zero fields take the default.
type Settings struct {
	ARPTries      int           // requests of ARP or neighbour discovery before a neighbour counts as unreachable; 0: 3, the MAX_MULTICAST_SOLICIT of RFC 4861, Section 10
	ARPInterval   time.Duration // between these; 0: 1s, the least that RFC 1122, Section 2.3.2.1 allows, and the RETRANS_TIMER of RFC 4861, Section 10
	ARPAge        time.Duration // how long a resolved address is used without news of it; 0: 10m
	ARPQueue      int           // packets that wait for one neighbour, the oldest gives way; 0: 64, room for the longest datagram in Ethernet fragments
	Neighbours    int           // per interface, the one closest to its age gives way; 0: 16384
	ICMPRate      int           // ICMP errors per second in the long run (RFC 1812, Section 4.3.2.8); 0: 1000; negative: no limit
	ICMPBurst     int           // errors at once after a silence; 0: 50
	ReassemblyAge time.Duration // how long fragments to the router itself wait for the others; 0: 30s
}

// withDefaults fills in the zero fields.
func (s Settings) withDefaults() (Settings, error) {
	if s.ICMPRate == 0 {
		s.ICMPRate = 1000
	}
	return s, cmp.Or(
		orDefault("ARPTries", &s.ARPTries, 3),
		orDefault("ARPInterval", &s.ARPInterval, time.Second),
		orDefault("ARPAge", &s.ARPAge, 10*time.Minute),
		orDefault("ARPQueue", &s.ARPQueue, 64),
		orDefault("Neighbours", &s.Neighbours, 16384),
		orDefault("ICMPBurst", &s.ICMPBurst, 50),
		orDefault("ReassemblyAge", &s.ReassemblyAge, 30*time.Second),
	)
}

func orDefault[T int | time.Duration](name string, v *T, initial T) error {
	if *v < 0 {
		return fmt.Errorf("setting %s of %v is negative", name, *v)
	}
	if *v == 0 {
		*v = initial
	}
	return nil
}

// Router is a router in a world. Everything that it does happens in events of that world.
type Router struct {
	w          *sim.World
	name       string
	settings   Settings
	interfaces []*iface
	routes     routeTable
	static     []Route
	ids        *sim.Stream // IP identification of its own packets and fragments
	errors     limiter
	reassembly reassembler
	counters   counters
	nat        *translator // nil: none
	filters    []Filter
	observers  []Observer
	markers    []Marker
}

// iface is the running twin of an Interface.
type iface struct {
	r          *Router
	port       *sim.Port
	prefixes   []netip.Prefix // its addresses, the link-local one last
	neighbours map[netip.Addr]*neighbour
	outlet     *outlet // nil: packets do not wait here
}

// NewRouter adds a router to a world.
func NewRouter(w *sim.World, c RouterConfig) (*Router, error) {
	fail := func(err error) (*Router, error) { return nil, fmt.Errorf("natbox: router %q: %w", c.Name, err) }
	if w == nil || c.Name == "" {
		return fail(fmt.Errorf("it needs a world and a name"))
	}
	settings, err := c.Settings.withDefaults()
	if err != nil {
		return fail(err)
	}
	r := &Router{
		w: w, name: c.Name, settings: settings, ids: w.Rand(c.Name, "ip identification"),
		errors: newLimiter(settings.ICMPRate, settings.ICMPBurst), counters: newCounters(), filters: c.Filters, observers: c.Observers, markers: c.Markers,
	}
	if err := checkInterfaces(c.Interfaces); err != nil {
		return fail(err)
	}
	if err := checkQueues(c); err != nil {
		return fail(err)
	}
	for _, c := range c.Interfaces {
		i := &iface{r: r, prefixes: slices.Clone(c.Prefixes), neighbours: map[netip.Addr]*neighbour{}}
		if slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			i.prefixes = append(i.prefixes, ipv6.LinkLocal(sim.MACFor(r.name, c.Segment.Name())))
		}
		r.interfaces = append(r.interfaces, i)
	}
	if err := r.addNAT(c); err != nil {
		return fail(err)
	}
	r.static = slices.Clone(c.Routes)
	if err := r.addRoutes(r.static); err != nil {
		return fail(err)
	}
	for n, i := range r.interfaces {
		segment := c.Interfaces[n].Segment
		if q := c.Queues[segment.Name()]; q != nil {
			i.outlet = &outlet{Queue: q, i: i, waiting: map[uint64]parcel{}}
		}
		port := sim.PortConfig{Node: c.Name, MAC: sim.MACFor(c.Name, segment.Name()), Addrs: i.addrs(), Receive: i.receive}
		if i.port, err = segment.Attach(port); err != nil {
			return fail(err)
		}
	}
	return r, nil
}

// checkInterfaces finds what is wrong with the interfaces before any of them is attached.
func checkInterfaces(interfaces []Interface) error {
	for n, i := range interfaces {
		switch {
		case i.Segment == nil:
			return fmt.Errorf("interface %d has no segment", n+1)
		case len(i.Prefixes) == 0:
			return fmt.Errorf("interface %d has no address", n+1)
		case slices.ContainsFunc(interfaces[:n], func(other Interface) bool { return other.Segment == i.Segment }):
			return fmt.Errorf("unsupported: two interfaces on segment %s", i.Segment.Name())
		}
		for k, p := range i.Prefixes {
			if err := checkPrefix(p, i.Segment.Name()); err != nil {
				return err
			}
			if slices.ContainsFunc(i.Prefixes[:k], func(q netip.Prefix) bool { return p.Overlaps(q) }) {
				return fmt.Errorf("%s on segment %s overlaps another address of the router there", p, i.Segment.Name())
			}
			for _, other := range interfaces[:n] {
				for _, q := range other.Prefixes {
					if q.Overlaps(p) {
						return fmt.Errorf("%s on segment %s overlaps %s on segment %s", p, i.Segment.Name(), q, other.Segment.Name())
					}
				}
			}
		}
	}
	return nil
}

func checkPrefix(p netip.Prefix, segment string) error {
	switch {
	case !p.IsValid():
		return fmt.Errorf("an address on segment %s is invalid", segment)
	case !hostAddress(p.Addr()):
		return fmt.Errorf("%s on segment %s is not the address of a host", p.Addr(), segment)
	case broadcastOf(p, p.Addr()):
		return fmt.Errorf("%s on segment %s is the network's own or its broadcast address", p, segment)
	}
	return nil
}

// Name is the node's name.
func (r *Router) Name() string { return r.name }

// Addresses are those of the router's interface on a segment.
func (r *Router) Addresses(segment string) (all []netip.Addr) {
	for _, i := range r.interfaces {
		for _, p := range i.prefixes {
			if i.segment() == segment {
				all = append(all, p.Addr())
			}
		}
	}
	return all
}

// Ports are the router's ports, in the order of its interfaces.
func (r *Router) Ports() []*sim.Port {
	var ports []*sim.Port
	for _, i := range r.interfaces {
		ports = append(ports, i.port)
	}
	return ports
}

// Ethernet. RFC 894, RFC 826.
const (
	etherHeader   = 14
	etherTypeIPv4 = 0x0800
	etherTypeARP  = 0x0806
)

type mac [6]byte

var broadcastMAC = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// group reports whether the address is multicast or broadcast. IEEE 802-2014, Section 8.2.2.
func (m mac) group() bool { return m[0]&1 != 0 }

// receive takes a frame from the segment; it is the router's own.
func (i *iface) receive(frame []byte) {
	if i.line() {
		i.receiveLine(frame)
		return
	}
	if len(frame) < etherHeader {
		i.r.dropBytes(malformedFrame, frame)
		return
	}
	to := mac(frame[:6])
	if !to.group() && to != i.port.MAC() {
		return // flooded by the switch
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherTypeARP:
		i.receiveARP(frame[etherHeader:])
	case etherTypeIPv4:
		i.receiveIPv4(frame, to.group())
	case ipv6.EtherType:
		i.receiveIPv6(frame, to.group())
	default:
		i.r.dropBytes(otherProtocol, frame)
	}
}

// send puts an IP packet, which lies behind room for the Ethernet header, on the segment.
func (i *iface) send(to mac, frame []byte, comment string) {
	if i.outlet != nil {
		i.outlet.put(parcel{to, frame, comment})
		return
	}
	i.transmit(to, frame, comment)
}

// transmit puts a packet on the segment whose turn it is.
func (i *iface) transmit(to mac, frame []byte, comment string) {
	if i.line() {
		i.port.Send(frame[etherHeader:], comment)
		return
	}
	etherType := uint16(etherTypeIPv4)
	if frame[etherHeader]>>4 == 6 {
		etherType = ipv6.EtherType
	}
	i.sendEther(to, etherType, frame, comment)
}

// line reports whether the interface is at an end of a point-to-point line: what it
// sends goes to the other end, and has no Ethernet header.
func (i *iface) line() bool { return i.port.Segment().Config().Medium == sim.PointToPoint }

// receiveLine takes a packet that came without an Ethernet header, for which the
// rest of the router wants room.
func (i *iface) receiveLine(packet []byte) {
	_, kind, _ := sim.PointToPoint.Packet(packet)
	frame := append(make([]byte, etherHeader, etherHeader+len(packet)), packet...)
	switch kind {
	case etherTypeIPv4:
		i.receiveIPv4(frame, false)
	case ipv6.EtherType:
		i.receiveIPv6(frame, false)
	default:
		i.r.dropBytes(otherProtocol, packet)
	}
}

func (i *iface) sendEther(to mac, etherType uint16, frame []byte, comment string) {
	from := i.port.MAC()
	copy(frame, to[:])
	copy(frame[6:], from[:])
	binary.BigEndian.PutUint16(frame[12:], etherType)
	i.port.Send(frame, comment)
}

// own reports whether an address is one of the router's.
func (r *Router) own(a netip.Addr) bool {
	return r.nat.holds(a) || slices.ContainsFunc(r.interfaces, func(i *iface) bool { return i.own(a) })
}

// own reports whether the interface answers for an address on its segment.
func (i *iface) own(a netip.Addr) bool {
	return slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return p.Addr() == a }) || i.r.nat.faces(i) && i.r.nat.holds(a)
}

// addrs are the addresses that the interface answers for.
func (i *iface) addrs() (all []netip.Addr) {
	for _, p := range i.prefixes {
		all = append(all, p.Addr())
	}
	if i.r.nat.faces(i) {
		all = append(all, i.r.nat.addrs...)
	}
	return all
}

// onLink is the interface's prefix that an address is in.
func (i *iface) onLink(a netip.Addr) (p netip.Prefix, ok bool) {
	n := slices.IndexFunc(i.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
	if n < 0 {
		return p, false
	}
	return i.prefixes[n], true
}

// source is the interface's address for what the router itself sends to a: the one
// on the prefix of a, or else the first of the same family. Invalid without one.
func (i *iface) source(a netip.Addr) netip.Addr {
	if p, ok := i.onLink(a); ok {
		return p.Addr()
	}
	n := slices.IndexFunc(i.prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() == a.Is4() })
	if n < 0 {
		return netip.Addr{}
	}
	return i.prefixes[n].Addr()
}

// broadcast reports whether an address is the limited broadcast or one of a connected prefix.
func (r *Router) broadcast(a netip.Addr) bool {
	return a == limitedBroadcast || slices.ContainsFunc(r.interfaces, func(i *iface) bool {
		return slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return broadcastOf(p, a) })
	})
}
