package scenarios

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/recent"
	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// observer stands at every segment and notes what it sees of each IP packet,
// without asking anybody who knows: expectations about the wire are judged from
// its notes.
type observer struct {
	across   *across // nil: there is no NAT box
	attacker func(node string) bool
	decoder  packetDecoder
	heads    recent.Map[datagramKey, head] // of datagrams in fragments
	seen     []sighting
	reads    bool           // looks for the applications' data, too
	follows  bool           // tells datagrams apart, to follow them on their way
	opener   *opener        // nil: there are no real peers
	losses   map[int]string // where datagrams are followed: why frames were lost, by their numbers
}

// head is what only the first fragment of a datagram shows.
type head struct {
	src, dst uint16    // ports
	esp      bool      // behind AH
	udp      natt.Kind // on a port of IKE
}

// sighting is one frame with an IP packet on one segment.
type sighting struct {
	at               time.Duration
	number           int // in the capture
	segment, node    string
	src, dst         netip.Addr
	proto            uint8
	srcPort, dstPort uint16    // of the datagram; 0 in a fragment whose first one was not seen
	fragment         bool      // a part of a datagram
	first            bool      // the whole datagram, or its first fragment
	length           int       // of the IP packet, in bytes
	spi              uint32    // of the outer of AH and ESP, in the first fragment
	esp              bool      // ESP stands behind AH
	espSPI           uint32    // then, in the first fragment
	udp              natt.Kind // what a UDP datagram on a port of IKE is
	icmpType         uint8
	icmpID           uint16 // of echoes
	lost             bool
	attacker         bool   // an attacker sent it, whatever addresses it has: it is no traffic of theirs
	readable         bool   // an application's data stand in it
	payload          uint64 // of a message of IKE, or its first fragment: equal messages, equal sums; where datagrams are followed, of the others too
}

// newObserver makes an observer for a scenario. It reads the applications' data
// only for one that asks, because that means to go through every byte.
func newObserver(s *spec.Scenario) *observer {
	o := &observer{
		heads:    recent.New[datagramKey, head](recentDatagrams),
		attacker: func(node string) bool { return s.Nodes[node].Attacker() },
		follows:  s.Grid != nil,
		losses:   map[int]string{},
		reads: slices.ContainsFunc(s.Steps, func(s spec.Step) bool {
			return s.Expect != nil && s.Expect.Wire != nil && s.Expect.Wire.Data != ""
		}),
	}
	if len(s.Peers()) > 0 {
		o.opener = newOpener()
	}
	return o
}

// frame takes a frame from the tap.
func (o *observer) frame(f sim.Frame) {
	p, ok := o.decoder.decode(f)
	if !ok || p.resolves {
		return
	}
	s := sighting{
		at: f.At, number: f.Number, segment: f.Segment, node: f.Node, lost: f.Lost != "", attacker: o.attacker(f.Node),
		src: p.flow.Src, dst: p.flow.Dst, proto: p.flow.Proto, srcPort: p.flow.SrcPort, dstPort: p.flow.DstPort,
		fragment: p.fragment, first: !p.flow.Fragment, spi: p.spi, esp: p.esp, espSPI: p.espSPI, udp: p.udp, icmpType: p.flow.ICMPType, icmpID: p.icmpID, length: p.length,
		readable: o.reads && traffic.Shows(f.Data),
	}
	switch {
	case p.flow.Fragment:
		known, _ := o.heads.Get(p.key())
		s.srcPort, s.dstPort, s.esp, s.udp = known.src, known.dst, known.esp, known.udp
	case p.fragment:
		o.heads.Put(p.key(), head{s.srcPort, s.dstPort, s.esp, s.udp})
	}
	switch {
	case !s.first:
	case s.isIKE():
		s.payload = sumOf(p.payload)
	case o.follows:
		s.payload = sumOf(p.kept())
	}
	if s.lost && o.follows {
		o.losses[f.Number] = f.Lost
	}
	if o.opener != nil {
		o.opener.keep(f, &o.decoder, p)
	}
	o.seen = append(o.seen, s)
}

func sumOf(b []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(b)
	return sum.Sum64()
}

// isIKE reports a message of IKE.
func (s *sighting) isIKE() bool { return s.udp == natt.IKE }

// keying reports what serves key management: IKE, and keep-alives of NAT traversal.
func (s *sighting) keying() bool { return s.udp != natt.Nothing && s.udp != natt.ESP }

func (s *sighting) protected() bool {
	return s.proto == ipsec.ProtoESP || s.proto == ipsec.ProtoAH || s.udp == natt.ESP
}

// protection is the word of a scenario for what the frame shows.
func (s *sighting) protection() string {
	switch {
	case s.proto == ipsec.ProtoESP:
		return spec.WireESP
	case s.udp == natt.ESP:
		return spec.WireUDP
	case s.proto == ipsec.ProtoAH && s.esp:
		return spec.WireBoth
	case s.proto == ipsec.ProtoAH:
		return spec.WireAH
	}
	return spec.WireClear
}

// arrives reports whether the frame is on a segment of its receiver: a datagram
// that routers forward is seen on every segment, and counted on the last.
func (s *sighting) arrives(a, b party, there bool) bool {
	to := a
	if there {
		to = b
	}
	return len(to.segments) == 0 || to.segments[s.segment]
}
