package esp

import (
	"github.com/ipseclab/ipseclab/esp/replay"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Next headers that say something about the packet inside.
const (
	protoIPv4   = 4  // an IPv4 datagram: tunnel mode, RFC 4303, Section 3.1.2
	protoIPv6   = 41 // an IPv6 datagram, likewise
	protoNoNext = 59 // a dummy packet, RFC 4303, Section 2.6
)

// defect is why a protected packet is not accepted; the values are the reasons
// that a Decision and the trace show.
type defect string

const (
	shortESP      defect = "ESP packet is too short or not aligned for its SA"
	shortAH       defect = "AH is not as long as its SA makes it"
	badOptions    defect = "IP options are malformed: AH cannot tell which of them may change"
	openRoute     defect = "a routing header does not tell AH where it ends"
	atomicPart    defect = "a fragment header is gone after reassembly, and AH cannot cover it"
	replayedSeq   defect = "replayed: the sequence number was received before"
	staleSeq      defect = "replayed: the sequence number lies left of the anti-replay window"
	zeroSeq       defect = "replayed: sequence number 0 is never sent"
	badICV        defect = "not authentic: the integrity check failed"
	badPadding    defect = "padding is not 1, 2, 3 …"
	dummyPacket   defect = "dummy packet (next header 59)"
	notTunnelled  defect = "inside a tunnel is no IP datagram"
	otherFamily   defect = "inside a tunnel is not the IP version that its next header says"
	badSPI        defect = "no SA has this SPI"
	expiredSA     defect = "the lifetime of its SA has ended"
	someFragment  defect = "a fragment reached IPsec: it opens whole datagrams only"
	notProtected  defect = "neither an ESP nor an AH datagram"
	missingAH     defect = "its SA protects only inside AH, and the AH is missing"
	missingESP    defect = "its SA protects only ESP, and inside is something else"
	foreignBundle defect = "inside AH is a packet of an SA that is not of its bundle"
	otherTraffic  defect = "the packet inside is not of the traffic that its SA is for"
	sameTalk      defect = "it looks like the traffic of another computer behind the NAT, and has no port that could be another one"
	shortUDP      defect = "the UDP datagram is shorter than its header says"
	missingUDP    defect = "its SA has encapsulation in UDP, and it came without"
	wrongUDP      defect = "it came in UDP, and its SA has no encapsulation"
	otherForm     defect = "it came in UDP in another form, or to another port, than that of its SA"
)

// overhead is what stands in front of the content that an SA carries, and the
// content: the payload of the datagram behind its own header in transport mode,
// all of it behind a new header in tunnel mode (RFC 4303, Section 3.1).
func (s *sa) overhead(d *datagram) (headerLen int, content []byte, next uint8) {
	switch {
	case s.Mode != ipsec.Tunnel:
		return d.headerLen, d.payload(), d.proto()
	case d.v6():
		return headerOf(s.Dst), d.b, protoIPv6
	}
	return headerOf(s.Dst), d.b, protoIPv4
}

// protectedSize is the length of the datagram that d becomes under the outermost
// SA of a bundle and all inside.
func (s *sa) protectedSize(d *datagram) int {
	headerLen, content, _ := s.overhead(d)
	n := len(content)
	if s.inner != nil {
		n = s.inner.layout.size(n)
	}
	return headerLen + s.encapsulation + s.layout.size(n)
}

// innerMTU is the length of the largest datagram, with a header as long as d's,
// that still fits the path MTU when protected; false when not even an empty one does.
func (s *sa) innerMTU(d *datagram, pathMTU int) (int, bool) {
	headerLen, content, _ := s.overhead(d)
	room := s.layout.room(pathMTU - headerLen - s.encapsulation)
	if s.inner != nil {
		room = s.inner.layout.room(room)
	}
	least := len(d.b) - len(content) // what of d stands outside the content
	if least+room < d.headerLen {
		return 0, false
	}
	if d.v6() {
		return max(least+room, minIPv6Path), true // RFC 8201, Section 4: nobody believes in less
	}
	return least + room, true
}

// seal writes into out, of protectedSize, the datagram d protected by a whole
// bundle: AH outermost, ESP inside (RFC 2401, Section 4.3). The content of d may
// stand in its place in out already; d is not to be read afterwards then. Each SA
// uses up a sequence number and notes what it carried, for Pipeline.settle.
func (s *sa) seal(out []byte, d *datagram) {
	headerLen, content, next := s.overhead(d)
	protected := &datagram{b: out, headerLen: headerLen, nextAt: d.nextAt}
	from, proto := d.b, ipsec.ProtoESP
	if s.Mode == ipsec.Tunnel {
		protected.nextAt, from = s.tunnel.header(out, d, s.Src, s.Dst), out
	}
	switch {
	case s.ah != nil:
		proto = ipsec.ProtoAH
	case s.encapsulation > 0:
		proto = ipsec.ProtoUDP
	}
	protected.finish(from, proto)
	s.sequence++
	front := headerLen + s.encapsulation
	put(out[front+s.heads:], content)
	if s.ah == nil {
		s.esp.seal(out[front:], s.SPI, s.sequence, len(content), next)
		s.due = s.layout.ciphered(len(content))
		if s.encapsulation > 0 {
			s.putUDP(protected)
		}
		return
	}
	if esp := s.inner; esp != nil {
		esp.sequence++
		esp.esp.seal(out[headerLen+s.layout.head:], esp.SPI, esp.sequence, len(content), next)
		esp.due = esp.layout.ciphered(len(content))
		next = ipsec.ProtoESP
	}
	s.ah.seal(protected, s.SPI, s.sequence, next)
	s.due = len(out)
}

// within is the part of d into which open can write what is inside, because its
// content keeps its place; nil when d is too short to be opened at all. wrapped is the
// length of what stands around ESP.
func (s *sa) within(d *datagram, wrapped int) []byte {
	content := d.headerLen + wrapped + s.heads
	switch {
	case content > len(d.b):
		return nil
	case s.Mode == ipsec.Tunnel:
		return d.b[content:]
	}
	return d.b[wrapped+s.heads:]
}

// put copies content to where it is to stand, if it does not stand there already.
func put(place, content []byte) {
	if len(content) > 0 && &place[0] != &content[0] {
		copy(place, content)
	}
}

// open writes into out, which has room for d, the datagram that was inside the
// outermost SA s of a bundle and all its layers; d becomes that datagram. out may be
// s.within of d, which is overwritten then, also if it does not open. inner becomes
// the header of the layer inside. Each SA that the packet passed notes what it
// carried. Where AH was agreed on alone, no further layer may come out of it.
func (s *sa) open(out []byte, d *datagram, wrapped int, inner *Layer) defect {
	content, next, esp := d.payload()[wrapped:], d.proto(), s
	if s.ah != nil {
		var why defect
		if content, next, why = s.verify(d); why != "" {
			return why
		}
		esp = s.inner
		if why := s.nested(content, next, inner); why != "" {
			return why
		}
	}
	front := d.headerLen
	if s.Mode == ipsec.Tunnel {
		front = 0
	}
	if esp == nil {
		put(out[front:], content)
		content = out[front : front+len(content)]
	} else {
		var why defect
		if content, next, why = esp.decrypt(out[front:], content); why != "" {
			return why
		}
	}
	if s.Mode == ipsec.Tunnel {
		return d.decapsulate(content, next)
	}
	from := d.b
	d.b = out[:front+len(content)]
	d.finish(from, next)
	if d.upper = next; d.v6() {
		if bad := d.parse(d.b); bad != "" { // more extension headers may have come out
			return defect("inside: " + bad)
		}
	}
	if esp == nil && (d.upper == ipsec.ProtoESP || d.upper == ipsec.ProtoAH) {
		return foreignBundle
	}
	return ""
}

// arrived reads the number of a packet and looks it up in the window, before any
// cryptography (RFC 4303, Section 3.4.3). Without numbers nobody can tell a replay.
func (s *sa) arrived(packet []byte) (seq uint64, why defect) {
	seq, ok := s.layout.read(packet, s.window)
	if s.layout.kind == suite.Unnumbered {
		return seq, ""
	}
	if !ok {
		return seq, staleSeq
	}
	switch s.window.Check(seq) {
	case replay.Seen:
		return seq, replayedSeq
	case replay.Stale:
		return seq, staleSeq
	case replay.Zero:
		return seq, zeroSeq
	}
	return seq, ""
}

// received moves the window over the number of a packet that is authentic.
func (s *sa) received(seq uint64) {
	if s.layout.kind != suite.Unnumbered {
		s.window.Update(seq)
	}
}

// verify takes a datagram through its AH in the order of RFC 4302, Section 3.4:
// the window is looked at, the integrity checked, then the window moves.
func (s *sa) verify(d *datagram) (content []byte, next uint8, why defect) {
	ah := d.payload()
	if !s.ah.fits(ah) {
		return nil, 0, shortAH
	}
	if why := d.uncoverable(); why != "" {
		return nil, 0, why
	}
	seq, why := s.arrived(ah)
	if why != "" {
		return nil, 0, why
	}
	if !s.ah.authentic(d, seq) {
		return nil, 0, badICV
	}
	s.received(seq)
	s.due = len(d.b)
	return ah[s.layout.head:], ah[0], ""
}

// nested holds what AH carried against the bundle: the policy that negotiated
// one demands all of it.
func (s *sa) nested(content []byte, next uint8, inner *Layer) defect {
	switch {
	case s.inner == nil:
		return ""
	case next != ipsec.ProtoESP:
		return missingESP
	case len(content) < espHeader:
		return shortESP
	}
	*inner = layerOf(ipsec.ESP, content)
	if inner.SPI != s.inner.SPI {
		return foreignBundle
	}
	inner.Sequence, _ = s.inner.layout.read(content, s.inner.window)
	return ""
}

// decrypt takes an ESP packet apart into out, in the order of RFC 4303, Section
// 3.4: the window is looked at before any cryptography (3.4.3), then the
// integrity is checked, then the window moves; decryption and padding (3.4.4.1)
// can no longer change that.
func (s *sa) decrypt(out, esp []byte) (payload []byte, next uint8, why defect) {
	if !s.esp.fits(esp) {
		return nil, 0, shortESP
	}
	seq, why := s.arrived(esp)
	if why != "" {
		return nil, 0, why
	}
	plain := s.esp.open(out, esp, seq)
	if plain == nil {
		return nil, 0, badICV
	}
	s.received(seq)
	s.due = len(plain)
	payload, next, ok := s.esp.unpad(plain)
	switch {
	case !ok:
		return nil, 0, badPadding
	case next == protoNoNext:
		return nil, 0, dummyPacket
	}
	return payload, next, ""
}
