package scenarios

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// across follows packets through NAT boxes, so that what is seen of them on the other
// side counts as traffic of their ends. It learns from each box what it makes of what.
type across struct {
	lab     *lab
	origin  map[natFlow][]crossing // of a packet as a box let it go: what it was before
	arrival map[natFlow][]crossing // of a packet as it came to a box: what it became
	decoder packetDecoder
}

// natFlow is what a NAT rewrites of a packet. Of an ICMP query the identifier stands for
// the port of who asked (RFC 5508, Section 3.1).
type natFlow struct {
	proto    uint8
	src, dst netip.AddrPort
}

// crossing is what a flow is on the other side of a box, from some time on.
type crossing struct {
	at       time.Duration
	flow     natFlow
	segments []string // of the box on that side
}

func newAcross(l *lab) *across {
	return &across{lab: l, origin: map[natFlow][]crossing{}, arrival: map[natFlow][]crossing{}}
}

// crossingOf is told by the NAT box that a node is of each packet that it translates.
func (l *lab) crossingOf(n spec.Node) func(from string, outside bool, before, after []byte) {
	if l.wire.across == nil {
		l.wire.across = newAcross(l)
	}
	out, in := []string{n.NAT.Outside}, n.Inside()
	return func(from string, outside bool, before, after []byte) {
		to := in
		if outside {
			to = out
		}
		l.wire.across.crossed([]string{from}, to, before, after)
	}
}

// crossed notes what a packet has become on the other side of a box.
func (x *across) crossed(from, to []string, before, after []byte) {
	b, ok1 := x.decoder.decode4(before)
	a, ok2 := x.decoder.decode4(after)
	if !ok1 || !ok2 || b.flow.Fragment || a.flow.Fragment {
		return
	}
	was, is := flowOf(b), flowOf(a)
	x.note(x.origin, is, crossing{x.lab.world.Now(), was, from})
	x.note(x.arrival, was, crossing{x.lab.world.Now(), is, to})
}

// note keeps what changes alone.
func (*across) note(m map[natFlow][]crossing, of natFlow, c crossing) {
	if all := m[of]; len(all) == 0 || all[len(all)-1].flow != c.flow {
		m[of] = append(all, c)
	}
}

func flowOf(p decoded) natFlow {
	f := natFlow{p.flow.Proto, netip.AddrPortFrom(p.flow.Src, p.flow.SrcPort), netip.AddrPortFrom(p.flow.Dst, p.flow.DstPort)}
	if p.flow.Proto == ipsec.ProtoICMP {
		f.identify(p.flow.ICMPType, p.icmpID)
	}
	return f
}

// identify puts the identifier of an ICMP echo where its ports would be.
func (f *natFlow) identify(icmpType uint8, id uint16) {
	const echoReply, echo = 0, 8
	switch icmpType {
	case echo:
		f.src = netip.AddrPortFrom(f.src.Addr(), id)
	case echoReply:
		f.dst = netip.AddrPortFrom(f.dst.Addr(), id)
	}
}

// ends are the nodes between which a frame travels, in the end: "" where nobody has the address.
func (x *across) ends(s *sighting) (from, to string) {
	f := natFlow{s.proto, netip.AddrPortFrom(s.src, s.srcPort), netip.AddrPortFrom(s.dst, s.dstPort)}
	if s.proto == ipsec.ProtoICMP {
		f.identify(s.icmpType, s.icmpID)
	}
	from = x.end(f, s, x.origin, func(f natFlow) netip.Addr { return f.src.Addr() })
	to = x.end(f, s, x.arrival, func(f natFlow) netip.Addr { return f.dst.Addr() })
	return from, to
}

// end follows a flow from box to box, and says who has the address there.
func (x *across) end(f natFlow, s *sighting, m map[natFlow][]crossing, address func(natFlow) netip.Addr) string {
	segments := []string{s.segment}
	for range len(x.lab.tables) {
		all := m[f]
		i := len(all) - 1
		for i > 0 && all[i].at > s.at {
			i--
		}
		if i < 0 {
			break
		}
		f, segments = all[i].flow, all[i].segments
	}
	node, _ := x.lab.holder(segments, address(f), s.at, s.at)
	return node
}

// way is the direction in which a frame travels between two parties: from the first to
// the second, or back; of neither, it is none of theirs.
func (o *observer) way(s *sighting, a, b party) (there, back bool) {
	if o.across == nil || s.src.Is6() {
		return a.has(s.src) && b.has(s.dst), b.has(s.src) && a.has(s.dst)
	}
	from, to := o.across.ends(s)
	here := []string{s.segment}
	is := func(p party, addr netip.Addr, end string) bool {
		if end == p.name || p.bare() {
			return end == p.name || p.has(addr)
		}
		node, _ := o.across.lab.holder(here, addr, s.at, s.at)
		return node == p.name
	}
	return is(a, s.src, from) && is(b, s.dst, to), is(b, s.src, from) && is(a, s.dst, to)
}

// between reports whether a frame travels between the two, in either direction.
func (o *observer) between(s *sighting, a, b party) bool {
	there, back := o.way(s, a, b)
	return there || back
}

// hiding are the addresses under which NAT boxes hide a node from some of the others, or publish it.
func (l *lab) hiding(node string) (all []netip.Addr) {
	for _, box := range slices.Sorted(maps.Keys(l.tables)) {
		if l.behind(l.spec.Nodes[node], l.spec.Nodes[box]) {
			for _, h := range l.spec.Holdings(box) {
				if h.Segment == l.spec.Nodes[box].NAT.Outside {
					all = append(all, h.Addr)
				}
			}
		}
	}
	return all
}

// behind reports whether packets of a node come out of a box.
func (l *lab) behind(n, box spec.Node) bool {
	d, ok := l.realms.Distance(n.Segments(), box.NAT.Outside)
	if !ok || d == 0 {
		return false
	}
	for _, segment := range box.Segments() {
		if inner, ok := l.realms.Distance(n.Segments(), segment); ok && inner < d {
			return true
		}
	}
	return false
}
