package scenarios

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// kept is what routers and NATs leave as it is of a datagram: all but the headers that they
// translate, with the checksums over them.
func (p decoded) kept() []byte {
	b := p.body
	switch {
	case p.flow.Proto == ipsec.ProtoUDP && len(b) >= 8:
		return b[8:]
	case p.flow.Proto == ipsec.ProtoTCP && len(b) >= 16: // ports, checksum and urgent pointer aside; RFC 9293, Section 3.1
		return slices.Concat(b[4:16], b[min(20, len(b)):])
	case (p.flow.Proto == ipsec.ProtoICMP || p.flow.Proto == ipsec.ProtoICMPv6) && len(b) >= 8: // identifier and checksum aside; RFC 792
		return slices.Concat(b[:2], b[6:])
	}
	return b
}

// trail is the way of a datagram over the segments, as far as it was seen.
type trail struct {
	hops   []*sighting // on each segment one, in order; never empty
	end    string      // the node where it ended: a host that it reached, or a device; "": nobody took it
	host   bool        // that is a host
	reason string      // why it ended there; "": no node said so
}

func (t trail) last() *sighting { return t.hops[len(t.hops)-1] }

// trail follows a datagram from the frame with the index in seen, which its sender put on
// the wire: the same datagram, sent on by another node before the sender repeats it.
func (l *lab) trail(i int) trail {
	all := l.wire.seen
	t := trail{hops: []*sighting{&all[i]}}
	for k := i + 1; k < len(all) && !t.last().lost; k++ {
		s := &all[k]
		if !s.first || s.payload != all[i].payload || s.attacker {
			continue
		}
		if s.node == all[i].node && s.segment == all[i].segment {
			break // another copy
		}
		if s.node != t.last().node {
			t.hops = append(t.hops, s)
		}
	}
	last := t.last()
	if last.lost {
		t.reason = "it was " + l.wire.losses[last.number]
		return t
	}
	t.end, t.host = l.taker(last)
	t.reason = l.dropOf(last, &t)
	return t
}

// taker is the node on the segment of a frame that has its destination; else the router
// there that it goes to, if there is one.
func (l *lab) taker(s *sighting) (name string, host bool) {
	on := func(name string) bool {
		return slices.ContainsFunc(l.spec.Nodes[name].Interfaces, func(i spec.Interface) bool { return i.Segment == s.segment })
	}
	if name, ok := l.holder([]string{s.segment}, s.dst, s.at, s.at); ok && on(name) {
		return name, l.hosts[name] != nil
	}
	var routers []string
	for _, name := range slices.Sorted(maps.Keys(l.routers)) {
		if on(name) && name != s.node {
			routers = append(routers, name)
		}
	}
	if len(routers) == 1 {
		return routers[0], false
	}
	return "", false
}

// dropOf is why the node at the end of a trail dropped the datagram, in its own words. A
// node records a reason once for each flow, so that it may be older than the datagram.
func (l *lab) dropOf(last *sighting, t *trail) string {
	older := ""
	for _, e := range l.log.Events() {
		d, ok := e.Body.(trace.PacketDropped)
		if !ok || !aboutSighting(d.Packet, last) || e.Node != t.end && (t.host || l.routers[e.Node] == nil) {
			continue
		}
		if e.At >= last.at {
			t.end = e.Node
			return d.Reason
		}
		older = d.Reason
	}
	return older
}

// aboutSighting reports whether the printed packet of an event may be the frame's.
func aboutSighting(packet string, s *sighting) bool {
	from, to := endpoint(s.src, s.srcPort, s.proto), endpoint(s.dst, s.dstPort, s.proto)
	return strings.Contains(packet, from+" > "+to)
}

// endpoint is an address as packets are printed, with its port where there are ports.
func endpoint(a netip.Addr, port uint16, proto uint8) string {
	if ipsec.HasPorts(proto) {
		return netip.AddrPortFrom(a, port).String()
	}
	return a.String()
}

// translations says what devices on the way made of the addresses.
func (t trail) translations() (all []string) {
	for i, s := range t.hops[1:] {
		before := t.hops[i]
		wasFrom, from := endpoint(before.src, before.srcPort, before.proto), endpoint(s.src, s.srcPort, s.proto)
		wasTo, to := endpoint(before.dst, before.dstPort, before.proto), endpoint(s.dst, s.dstPort, s.proto)
		if from != wasFrom {
			all = append(all, fmt.Sprintf("%s made %s of %s", s.node, from, wasFrom))
		}
		if to != wasTo {
			all = append(all, fmt.Sprintf("%s sent what is for %s to %s", s.node, wasTo, to))
		}
	}
	return all
}

// fate says where a datagram ended that did not do what it should. sender is its sender.
func (t trail) fate() string {
	where := ""
	if made := t.translations(); len(made) > 0 {
		where = " (" + strings.Join(made, "; ") + ")"
	}
	switch {
	case t.last().lost:
		return t.reason + where
	case t.end == "":
		return "nobody on " + t.last().segment + " took it" + where
	case t.reason != "" && t.host:
		return "it reached " + t.end + where + ", which dropped it: " + t.reason
	case t.reason != "":
		return t.end + " dropped it" + where + ": " + t.reason
	case t.host:
		return "it reached " + t.end + where
	}
	return t.end + " did not send it on" + where
}
