package natbox

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// Counters are what a router has done since its start, in packets unless said otherwise.
type Counters struct {
	Received       uint64 // valid IPv4 and IPv6 packets, but those of neighbour discovery
	Delivered      uint64 // of these, datagrams for the router itself
	Forwarded      uint64 // of these, sent on; a packet that was fragmented counts once
	Fragmented     uint64 // packets cut into fragments
	Fragments      uint64 // made of them
	EchoReplies    uint64
	ICMPErrors     uint64 // sent
	ICMPSuppressed uint64 // not sent: forbidden, over the rate, or no way back
	ARPRequests    uint64 // sent
	ARPReplies     uint64 // sent
	Solicitations  uint64 // of neighbours, sent
	Advertisements uint64 // in answer to solicitations, sent
	Drops          []Drop // why packets and frames ended here; reasons that did not occur are absent
}

// Drop is how often one reason ended a packet.
type Drop struct {
	Reason string
	Count  uint64
}

// Counters are the router's counters now.
func (r *Router) Counters() Counters {
	c := r.counters.Counters
	c.Drops = nil
	for i, n := range r.counters.drops {
		if n > 0 {
			c.Drops = append(c.Drops, Drop{Reason: reason(i).String(), Count: n})
		}
	}
	return c
}

// Dropped is how often a reason ended a packet, by its words in Drop.
func (c Counters) Dropped(reason string) uint64 {
	for _, d := range c.Drops {
		if d.Reason == reason {
			return d.Count
		}
	}
	return 0
}

// reason is why a packet or frame ended on the router. 0 is none.
type reason uint8

const (
	malformedFrame reason = iota + 1
	otherProtocol
	malformedARP
	foreignARP
	malformedND
	foreignND
	addressConflict
	shortHeader
	badVersion
	badIHL
	badTotalLength
	badChecksum
	badOptions
	badIPv6
	badSource
	ownSource
	badDestination
	multicast
	broadcast
	linkBroadcast
	linkLocalScope
	sourceRouted
	noRoute
	ttlExpired
	mustFragment
	unfragmentable
	oversized
	queueFull
	neighboursFull
	noNeighbour
	badFragment
	reassemblyFull
	reassemblyTimeout
	badICMP
	noService
	filtered
	noTurn
	untranslated
	notTranslated
	numReasons
)

var reasonText = [numReasons]string{
	malformedFrame:    "malformed Ethernet frame",
	otherProtocol:     "neither IP nor ARP",
	malformedARP:      "malformed ARP packet",
	foreignARP:        "ARP sender is not on the interface's prefix",
	malformedND:       "malformed neighbour discovery message",
	foreignND:         "neighbour discovery from another network",
	addressConflict:   "another node uses the router's address",
	shortHeader:       "shorter than an IPv4 header",
	badVersion:        "IP version is not 4",
	badIHL:            "bad IPv4 header length",
	badTotalLength:    "bad IPv4 total length",
	badChecksum:       "bad IPv4 header checksum",
	badOptions:        "malformed IPv4 option",
	badIPv6:           "malformed IPv6 headers",
	badSource:         "source is not the address of a host",
	ownSource:         "source is the router's own address",
	badDestination:    "destination is not the address of a host",
	multicast:         "multicast is not forwarded",
	broadcast:         "broadcast is not forwarded",
	linkBroadcast:     "sent to a link-layer broadcast or multicast address",
	linkLocalScope:    "link-local addresses are not forwarded",
	sourceRouted:      "source routes are not followed",
	noRoute:           "no route",
	ttlExpired:        "TTL or hop limit expired",
	mustFragment:      "longer than the MTU and not to be fragmented",
	unfragmentable:    "the MTU is too small for a fragment",
	oversized:         "fragment beyond the end of the longest datagram",
	queueFull:         "too many packets wait for the neighbour",
	neighboursFull:    "too many neighbours are being resolved",
	noNeighbour:       "no answer from the next hop to ARP or neighbour discovery",
	badFragment:       "fragments contradict each other",
	reassemblyFull:    "too many datagrams wait for fragments",
	reassemblyTimeout: "fragments are missing",
	badICMP:           "malformed ICMP message",
	noService:         "the router has no such service",
	filtered:          "stopped by a filter",
	noTurn:            "no room in the queue of the interface",
	untranslated:      "stopped by the NAT",
	notTranslated:     "not for an address of the outside",
}

func (r reason) String() string { return reasonText[r] }

// maxTraced bounds the memory for what was traced already.
const maxTraced = 4096

// counters are the counters and which drops the trace has already.
type counters struct {
	Counters
	drops  [numReasons]uint64
	traced map[trace.PacketDropped]bool
}

func newCounters() counters { return counters{traced: map[trace.PacketDropped]bool{}} }

// drop counts the end of a valid packet.
func (r *Router) drop(why reason, p datagram) { r.ended(why, p.String()) }

// dropBytes counts the end of something that cannot be printed as a packet.
func (r *Router) dropBytes(why reason, b []byte) { r.ended(why, fmt.Sprintf("%d bytes", len(b))) }

// ended records the first drop of one reason and flow.
func (r *Router) ended(why reason, packet string) {
	r.record(why, trace.PacketDropped{Where: "router", Packet: packet, Reason: why.String()})
}

// stopped counts the end of a packet that a part of the router let end for a reason of its own.
func (r *Router) stopped(why reason, where, packet, text string) {
	r.record(why, trace.PacketDropped{Where: where, Packet: packet, Reason: text})
}

func (r *Router) record(why reason, d trace.PacketDropped) {
	r.counters.drops[why]++
	if r.counters.traced[d] || len(r.counters.traced) >= maxTraced {
		return
	}
	r.counters.traced[d] = true
	r.w.Record(r.name, d)
}
