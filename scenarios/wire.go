package scenarios

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// observer stands at every segment and notes what it sees of each IPv4 frame,
// without asking anybody who knows: expectations about the wire are judged from
// its notes.
type observer struct {
	decoder packetDecoder
	heads   recent[head] // of datagrams in fragments
	seen    []sighting
	reads   bool // looks for the applications' data, too
}

// head is what only the first fragment of a datagram shows.
type head struct {
	src, dst uint16 // ports
	esp      bool   // behind AH
}

// sighting is one IPv4 frame on one segment.
type sighting struct {
	at               time.Duration
	number           int // in the capture
	segment, node    string
	src, dst         netip.Addr
	proto            uint8
	srcPort, dstPort uint16 // of the datagram; 0 in a fragment whose first one was not seen
	fragment         bool   // a part of a datagram
	first            bool   // the whole datagram, or its first fragment
	length           int    // of the IP packet, in bytes
	spi              uint32 // of the outer of AH and ESP, in the first fragment
	esp              bool   // ESP stands behind AH
	espSPI           uint32 // then, in the first fragment
	lost             bool
	readable         bool   // an application's data stand in it
	payload          uint64 // of a UDP datagram to or from port 500, or its first fragment: equal payloads, equal sums
}

// newObserver makes an observer for a scenario. It reads the applications' data
// only for one that asks, because that means to go through every byte.
func newObserver(s *spec.Scenario) *observer {
	return &observer{reads: slices.ContainsFunc(s.Steps, func(s spec.Step) bool {
		return s.Expect != nil && s.Expect.Wire != nil && s.Expect.Wire.Data != ""
	})}
}

// frame takes a frame from the tap.
func (o *observer) frame(f sim.Frame) {
	p, ok := o.decoder.decode(f.Data)
	if !ok {
		return
	}
	s := sighting{
		at: f.At, number: f.Number, segment: f.Segment, node: f.Node, lost: f.Lost != "",
		src: p.flow.Src, dst: p.flow.Dst, proto: p.flow.Proto, srcPort: p.flow.SrcPort, dstPort: p.flow.DstPort,
		fragment: p.fragment, first: !p.flow.Fragment, spi: p.spi, esp: p.esp, espSPI: p.espSPI, length: p.length,
		readable: o.reads && hosts.ShowsTestData(f.Data),
	}
	switch {
	case p.flow.Fragment:
		known, _ := o.heads.get(p.key())
		s.srcPort, s.dstPort, s.esp = known.src, known.dst, known.esp
	case p.fragment:
		o.heads.put(p.key(), head{s.srcPort, s.dstPort, s.esp})
	}
	if s.isIKE() && s.first {
		sum := fnv.New64a()
		sum.Write(p.payload)
		s.payload = sum.Sum64()
	}
	o.seen = append(o.seen, s)
}

// isIKE reports UDP from or to port 500.
func (s *sighting) isIKE() bool {
	return s.proto == ipsec.ProtoUDP && (s.srcPort == 500 || s.dstPort == 500)
}

func (s *sighting) protected() bool { return s.proto == ipsec.ProtoESP || s.proto == ipsec.ProtoAH }

// protection is the word of a scenario for what the frame shows.
func (s *sighting) protection() string {
	switch {
	case s.proto == ipsec.ProtoESP:
		return spec.WireESP
	case s.proto == ipsec.ProtoAH && s.esp:
		return spec.WireBoth
	case s.proto == ipsec.ProtoAH:
		return spec.WireAH
	}
	return spec.WireClear
}

// between reports whether the frame travels between the two, in either direction.
func (s *sighting) between(a, b party) bool {
	return a.has(s.src) && b.has(s.dst) || b.has(s.src) && a.has(s.dst)
}

// arrives reports whether the frame is on a segment of its receiver: a datagram
// that routers forward is seen on every segment, and counted on the last.
func (s *sighting) arrives(a, b party) bool {
	to := a
	if b.has(s.dst) {
		to = b
	}
	return len(to.segments) == 0 || to.segments[s.segment]
}

// packetDecoder reads IPv4 frames with gopacket.
type packetDecoder struct {
	eth layers.Ethernet
	ip  layers.IPv4
}

// decoded is what the lab's observers look at in a frame.
type decoded struct {
	flow     ipsec.Flow
	id       uint16
	fragment bool   // a part of a datagram, the first or another
	spi      uint32 // of the outer of AH and ESP
	esp      bool   // ESP stands behind AH
	espSPI   uint32
	length   int    // of the IP packet
	payload  []byte // of UDP
}

// decode is false for a frame that is no IPv4, or broken.
func (d *packetDecoder) decode(frame []byte) (decoded, bool) {
	d.eth.EthernetType = 0
	if d.eth.DecodeFromBytes(frame, gopacket.NilDecodeFeedback) != nil || d.eth.EthernetType != layers.EthernetTypeIPv4 ||
		d.ip.DecodeFromBytes(d.eth.Payload, gopacket.NilDecodeFeedback) != nil {
		return decoded{}, false
	}
	src, _ := netip.AddrFromSlice(d.ip.SrcIP.To4())
	dst, _ := netip.AddrFromSlice(d.ip.DstIP.To4())
	p := decoded{
		flow:     ipsec.Flow{Src: src, Dst: dst, Proto: uint8(d.ip.Protocol), Fragment: d.ip.FragOffset != 0},
		id:       d.ip.Id,
		length:   int(d.ip.Length),
		fragment: d.ip.FragOffset != 0 || d.ip.Flags&layers.IPv4MoreFragments != 0,
	}
	if p.flow.Fragment {
		return p, true
	}
	body := d.ip.Payload
	switch d.ip.Protocol {
	case layers.IPProtocolTCP:
		if len(body) >= 4 {
			p.flow.SrcPort, p.flow.DstPort = be16(body), be16(body[2:])
		}
	case layers.IPProtocolUDP:
		if len(body) >= 8 {
			p.flow.SrcPort, p.flow.DstPort = be16(body), be16(body[2:])
			p.payload = body[8:]
		}
	case layers.IPProtocolICMPv4:
		if len(body) > 0 {
			p.flow.ICMPType = body[0]
		}
	case layers.IPProtocolESP:
		if len(body) >= 4 {
			p.spi = uint32(be16(body))<<16 | uint32(be16(body[2:]))
		}
	case layers.IPProtocolAH: // RFC 4302, Section 2
		if len(body) >= 8 {
			p.spi = uint32(be16(body[4:]))<<16 | uint32(be16(body[6:]))
			p.esp = layers.IPProtocol(body[0]) == layers.IPProtocolESP
			// The length of AH is in words of 32 bits, less 2: Section 2.2.
			if n := 4 * (int(body[1]) + 2); p.esp && len(body) >= n+4 {
				p.espSPI = uint32(be16(body[n:]))<<16 | uint32(be16(body[n+2:]))
			}
		}
	}
	return p, true
}

// arp reports whether a frame resolves addresses, RFC 826.
func (d *packetDecoder) arp(frame []byte) bool {
	return len(frame) >= 14 && layers.EthernetType(be16(frame[12:])) == layers.EthernetTypeARP
}

// protected reports whether the packet calls itself ESP or AH.
func (p decoded) protected() bool {
	return p.flow.Proto == ipsec.ProtoESP || p.flow.Proto == ipsec.ProtoAH
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }
