package scenarios

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/gopacket/layers"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/pieces"
	"github.com/ipseclab/ipseclab/internal/recent"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// opener keeps protected packets as they were on the wire, and opens them with the keys of the
// trace, in a pipeline of its own: what a real daemon has sent is judged by what is in it, and
// not by what either side says.
type opener struct {
	packets map[int]sealedPacket // by the number of their frame, for one in fragments of that which completes it
	parts   recent.Map[partsKey, parts]
	tried   map[int]opening
}

func newOpener() *opener {
	return &opener{packets: map[int]sealedPacket{}, parts: recent.New[partsKey, parts](recentDatagrams), tried: map[int]opening{}}
}

// sealedPacket is an IP packet with ESP or AH, out of UDP and whole.
type sealedPacket struct {
	packet []byte
	spi    uint32 // of the outer of AH and ESP
}

// opening is what came of a packet.
type opening struct {
	known, opened, data bool // an SA with keys was there, it has opened, test data were in it
	why                 string
}

// keep remembers the packet of a frame. Of packets in fragments those of IPv4 are put together; those of IPv6 are left out.
func (o *opener) keep(f sim.Frame, d *packetDecoder, p decoded) {
	packet, kind, ok := d.inside(f)
	if !ok || p.length > len(packet) {
		return
	}
	packet = slices.Clone(packet[:p.length])
	if p.fragment {
		if kind != layers.EthernetTypeIPv4 || f.Lost != "" {
			return
		}
		if packet = o.whole(partsKey{f.Segment, p.key()}, packet); packet == nil {
			return
		}
		if p, ok = d.decode4(packet); !ok {
			return
		}
	}
	if !p.protected() {
		return
	}
	if p.udp == natt.ESP {
		packet = outOfUDP(packet, p.payload)
	}
	if packet != nil {
		o.packets[f.Number] = sealedPacket{packet, p.spi}
	}
}

// partsKey names a datagram in fragments on one segment.
type partsKey struct {
	segment  string
	datagram datagramKey
}

// parts are the fragments of a datagram that have come so far.
type parts struct {
	header []byte // of the first
	pieces pieces.List
}

// whole is the packet of IPv4 that a fragment completes; nil: others are still missing. RFC 791, Section 3.2.
func (o *opener) whole(k partsKey, fragment []byte) []byte {
	head := int(fragment[0]&15) * 4
	const moreFragments, longest = 0x2000, 0xffff
	field := be16(fragment[6:])
	p := pieces.Piece{Offset: int(field&0x1fff) * 8, Data: fragment[head:], More: field&moreFragments != 0}
	known, _ := o.parts.Get(k)
	if p.Offset == 0 {
		known.header = fragment[:head:head]
	}
	whole, err := known.pieces.Add(p, longest-head)
	if err != nil || !whole {
		o.parts.Put(k, known)
		return nil
	}
	o.parts.Put(k, parts{})
	out := append(known.header, known.pieces.Data()...)
	out[6], out[7] = 0, 0
	finish4(out)
	return out
}

// finish4 gives a packet of IPv4 its length and the checksum of its header.
func finish4(packet []byte) {
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	packet[10], packet[11] = 0, 0
	binary.BigEndian.PutUint16(packet[10:], ^checksum.Checksum(packet[:int(packet[0]&15)*4], 0))
}

// outOfUDP is the packet of IPv4 in transport mode of RFC 3948, Section 3.3, as if ESP were without UDP.
func outOfUDP(packet, payload []byte) []byte {
	if packet[0]>>4 != 4 {
		return nil
	}
	head := int(packet[0]&15) * 4
	out := append(packet[:head:head], payload...)
	out[9] = ipsec.ProtoESP
	finish4(out)
	return out
}

// opened judges whether what the two ends sent under protection opens with the keys that the
// lab has, and holds what applications sent.
func (j *judgement) opened(want *spec.Wire) {
	s := j.step
	o := s.lab.wire.opener
	if o == nil || want.Protection == spec.WireClear || want.Protection == spec.WireNothing || want.Protection == "" {
		return
	}
	from, to := s.ends()
	var all, known, opened, data int
	ways := [2]bool{}
	why := ""
	for i := range s.lab.wire.seen[s.begin.frames:s.end.frames] {
		f := &s.lab.wire.seen[s.begin.frames+i]
		there, back := s.lab.wire.way(f, from, to)
		if sealed := o.packets[f.number]; sealed.packet == nil || f.lost || !there && !back || !f.arrives(from, to, there) {
			continue
		}
		all++
		result := s.lab.open(f.number)
		if !result.known {
			continue
		}
		known++
		if !result.opened {
			why = fmt.Sprintf("frame %d, SPI %#08x: %s", f.number, o.packets[f.number].spi, result.why)
			continue
		}
		opened++
		if result.data {
			data++
			ways[0], ways[1] = ways[0] || there, ways[1] || back
		}
	}
	got := fmt.Sprintf("%d of %d opened, %d with applications' data", opened, all, data)
	switch {
	case all == 0:
		return // fragments of IPv6 alone: the expectation of protection stands for itself
	case known == 0:
		j.unknown("wire.protection", "protected packets", "open with the keys", "nobody here has the keys: both ends are real peers whose kernels do not show them")
	default:
		both := s.report == nil || s.report.Received == 0 || ways[0] && ways[1]
		if why == "" && !both {
			why = "no packet with applications' data was protected in each direction"
		}
		j.add(why == "", "wire.protection", "protected packets", "all open with the keys, with data both ways", got, why)
	}
}

// open opens a packet with each SA of its SPI that the trace shows keys of.
func (l *lab) open(frame int) opening {
	o := l.wire.opener
	if r, ok := o.tried[frame]; ok {
		return r
	}
	var r opening
	sealed := o.packets[frame]
	for _, e := range l.log.Events() {
		sa, ok := e.Body.(trace.SAAdded)
		if !ok || sa.SPI != sealed.spi || len(sa.CipherKey)+len(sa.AuthKey) == 0 && sa.Cipher != suiteNull {
			continue
		}
		r.known = true
		inner, why := l.openUnder(sa, sealed.packet)
		if r.why = why; inner != nil {
			r.opened, r.data = true, traffic.Shows(inner)
			break
		}
	}
	o.tried[frame] = r
	return r
}

// suiteNull is ESP without encryption, which has no key.
const suiteNull = "null"

// openUnder opens a packet under an SA, and those that it is around. The packet's own addresses
// count: a NAT may have changed them since the SA was made.
func (l *lab) openUnder(sa trace.SAAdded, packet []byte) (inner []byte, why string) {
	flow, err := esp.FlowOf(packet)
	if err != nil {
		return nil, err.Error()
	}
	p, err := esp.New(esp.Config{Rand: sim.NewStream(l.seed, "opener"), TrustSPI: true, AnyForm: true})
	if err != nil {
		return nil, err.Error()
	}
	bundle := []ipsec.SAParams{paramsOf(sa, flow)}
	if sa.Inner != 0 {
		for _, e := range l.log.Events() {
			if in, ok := e.Body.(trace.SAAdded); ok && in.SPI == sa.Inner && in.Protocol == ipsec.ESP.String() && in.Dst == sa.Dst {
				bundle = append(bundle, paramsOf(in, flow))
				break
			}
		}
	}
	now := l.world.Time()
	if err := p.Add(now, bundle...); err != nil {
		return nil, err.Error()
	}
	d := p.InboundProtected(now, slices.Clone(packet))
	if d.Outcome != esp.Opened && d.Packet == nil {
		return nil, d.Why
	}
	return d.Packet, ""
}

// paramsOf is an SA of the trace as one for packets of a flow that arrive.
func paramsOf(sa trace.SAAdded, f ipsec.Flow) ipsec.SAParams {
	p := ipsec.SAParams{
		Direction: ipsec.Inbound, Protocol: ipsec.ESP, SPI: sa.SPI, PeerSPI: sa.PeerSPI, Src: f.Src, Dst: f.Dst, Mode: ipsec.Transport,
		Transform: ipsec.Transform{Protocol: ipsec.ESP, Cipher: sa.Cipher, Auth: sa.Auth, ESN: sa.ESN},
		CipherKey: sa.CipherKey, AuthKey: sa.AuthKey, Inner: sa.Inner,
		Selector: ipsec.Selector{Src: netip.PrefixFrom(f.Src, f.Src.BitLen()), Dst: netip.PrefixFrom(f.Dst, f.Dst.BitLen())},
	}
	if sa.Protocol == ipsec.AH.String() {
		p.Protocol, p.Transform.Protocol = ipsec.AH, ipsec.AH
	}
	if strings.EqualFold(sa.Mode, ipsec.Tunnel.String()) {
		p.Mode = ipsec.Tunnel
		p.Selector = ipsec.Selector{}
	}
	return p
}
