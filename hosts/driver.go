package hosts

import (
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/recent"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// driver is the IPsec driver of a host: it stands between netstack's IP layer
// and the interfaces, asks the data plane about every datagram, and carries out
// the answer.
type driver struct {
	host   *Host
	boot   int // of the host, to which it belongs
	faults Faults

	esp     *esp.Pipeline
	log     *driverLog
	notes   recent.Map[noteKey, note] // of datagrams that netstack may fragment
	policy  policyAge
	paths   pathMTUs
	demands int         // datagrams that policy wanted protected, for Faults.PassClear
	ids     *sim.Stream // identifications of IPv6 fragments

	first     uint64 // sequence number of the first packet of each SA
	gate      fragmentGate
	wall      *wall   // nil: the computer has no firewall
	injecting bool    // a packet that was judged already enters the stack again
	received  bool    // a frame from the wire enters the stack; else what does is the host's own
	buf       []byte  // see copied
	inside    excerpt // of the datagram that is judged

	outer    outer                      // the way of the datagram in hand, where it goes through a tunnel
	hop      stack.ResolvedFieldsResult // what netstack said last about a next hop
	resolved func(stack.ResolvedFieldsResult)
}

var _ stack.NFTablesInterface = (*driver)(nil)

func newDriver(h *Host, c Config) (*driver, error) {
	boundary := esp.Config{
		Rand:     h.rand("esp"),
		Rekey:    c.Rekey,
		TrustSPI: c.TrustSPI,
		Window:   c.ReplayWindow,

		Conflicts: c.Conflicts,
		Checksums: c.Checksums,
		AnyForm:   c.AnyForm,

		FirstSequence: c.FirstSequence,
		Idle:          c.SAIdleTime,
		Soft:          c.FallBack.Soft,
		Broadcast:     func(a netip.Addr) bool { return slices.Contains(h.broadcasts, a) },
	}
	d := &driver{
		host: h, boot: h.boots, first: max(c.FirstSequence, 1), log: &driverLog{host: h}, faults: c.Faults,
		notes: recent.New[noteKey, note](maxNotes), ids: h.rand("ipv6 fragments"),
	}
	boundary.PathMTU, boundary.Follow = d.farMTU, h.follows
	if h.world.Traced() {
		boundary.Trace = h.record
	}
	boundary.Discarded, boundary.Ended = d.log.discarded, h.pairEnded
	pipeline, err := esp.New(boundary)
	if err != nil {
		return nil, fmt.Errorf("hosts: %s: %w", c.Name, err)
	}
	d.esp = pipeline
	if d.wall, err = newWall(h, c.Firewall); err != nil {
		return nil, fmt.Errorf("hosts: %s: %w", c.Name, err)
	}
	d.resolved = func(r stack.ResolvedFieldsResult) { d.hop = r }
	return d, nil
}

// CheckPostrouting judges a datagram on its way out, before fragmentation. It
// implements stack.NFTablesInterface: false means that the stack is done with it.
func (d *driver) CheckPostrouting(pkt *stack.PacketBuffer, r *stack.Route, family stack.AddressFamily) bool {
	if n, ok := pkt.Owner.(*note); ok && n.written || family != stack.IP && family != stack.IP6 {
		return true
	}
	if d.gone() {
		return false
	}
	buf, at := d.copied(pkt)
	n := d.outbound(buf, at, r)
	if n == nil {
		return false
	}
	pkt.Owner = n
	return true
}

// outbound applies policy to a clear datagram. It returns the note of one that the
// caller may send as it is; nil for one that was protected and sent, kept, or dropped
// here. The datagram is buf[at:]; what is in front and behind is room to protect it.
func (d *driver) outbound(buf []byte, at int, r *stack.Route) *note {
	packet := buf[at:]
	out, ok := readDatagram(packet)
	if !ok {
		d.dropped("ipsec outbound", packet, "no IP packet")
		return nil
	}
	if d.wall != nil && !d.wall.sends(out) {
		return nil
	}
	now := d.host.world.Time()
	n := d.nicOf(r)
	link := n.port.MTU()
	mtu := d.paths.mtu(now, out.dst, link)
	defer d.release()
	d.fitOutbound(out, mtu)
	d.inside.take(d.host.world, packet)
	var decision esp.Decision
	if d.faults.PassClear != 0 {
		decision = d.esp.Outbound(now, packet, mtu) // the datagram itself may be sent all the same
	} else {
		decision = d.esp.OutboundInPlace(now, buf, at, mtu)
	}
	if d.esp.Pending() {
		d.host.keying.kick()
	}
	switch decision.Outcome {
	case esp.Protected:
		if d.failOpen() {
			return d.noted(packet, link, &note{comment: "fault: sent in the clear, against " + decision.Rule})
		}
		d.buf = nil // the datagram that is sent is in it
		v := d.protectedNote(&decision)
		sealed, ok := d.sealedRoute(decision.Packet, r)
		if !ok {
			return nil
		}
		if sealed != r {
			r, n = sealed, d.nicOf(sealed)
			link = n.port.MTU()
			mtu = d.paths.mtu(now, d.outer.far, link)
		}
		if len(decision.Packet) > mtu || !d.straightOut(n, buf, decision.Packet, v, r) {
			d.send(decision.Packet, mtu, link, v, r)
		}
	case esp.Passed:
		v := &note{policy: d.policy.number}
		if d.host.world.Watched() {
			v.comment = verdictComment(decision)
		}
		switch {
		case out.tooBig(mtu):
			d.tooBig(out, mtu, r)
		case out.family == ip6 && len(packet) > mtu:
			d.send(packet, mtu, link, v, r)
		case d.straightOut(n, buf, packet, v, r):
			d.buf = nil
		default:
			return d.noted(packet, link, v)
		}
	case esp.TooBig:
		d.tooBig(out, decision.MTU, r)
	}
	return nil
}

// failOpen is the deliberate fault of Faults.PassClear.
func (d *driver) failOpen() bool {
	if d.faults.PassClear == 0 {
		return false
	}
	d.demands++
	return d.demands%d.faults.PassClear == 0
}

// send writes a datagram, in fragments where the stack would not make them.
func (d *driver) send(packet []byte, mtu, link int, n *note, r *stack.Route) {
	d.identify(packet, link)
	for _, p := range d.pieces(packet, mtu) {
		d.write(p, d.noted(p, link, n), r)
	}
}

// identify gives an IPv4 datagram without identification, which netstack is to fragment, one: netstack would, and
// the note of its fragments is found by it.
func (d *driver) identify(packet []byte, link int) {
	if familyOfPacket(packet) != ip4 || len(packet) <= link {
		return
	}
	if ip := header.IPv4(packet); ip.ID() == 0 {
		ip.SetID(uint16(d.ids.Uint64()) | 1)
		ip.SetChecksum(0)
		ip.SetChecksum(^ip.CalculateChecksum())
	}
}

// write sends a finished IP datagram on the route, past the boundary; the stack
// fragments it if it is of IPv4 and must be.
func (d *driver) write(packet []byte, n *note, r *stack.Route) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(r.MaxHeaderLength()),
		Payload:            buffer.MakeWithData(packet),
	})
	defer pkt.DecRef()
	n.written = true
	pkt.Owner = n
	if err := r.WriteHeaderIncludedPacket(pkt); err != nil {
		d.dropped("ipsec outbound", packet, "sending: "+err.String())
	}
}

// resend puts a datagram that waited for an SA through the boundary again.
func (d *driver) resend(packet []byte) {
	held, ok := readDatagram(packet)
	if !ok {
		return // it was read before it was held
	}
	r := d.host.route(held.src, held.dst)
	if r == nil {
		d.dropped("ipsec outbound", packet, fmt.Sprintf("no route from %s to %s", held.src, held.dst))
		return
	}
	defer r.Release()
	if n := d.outbound(packet, 0, r); n != nil {
		d.write(packet, n, r)
	}
}

// CheckInput judges a packet that arrived for this host, before reassembly. It
// implements stack.NFTablesInterface.
func (d *driver) CheckInput(pkt *stack.PacketBuffer, _ *stack.Route, family stack.AddressFamily) bool {
	switch family {
	case stack.IP:
		// Most packets are told by their protocol, without a copy.
		switch protocol := header.IPv4(pkt.NetworkHeader().Slice()).Protocol(); {
		case d.injecting && protocol != ipsec.ProtoTCP:
			return true
		case !d.injecting && (protocol == ipsec.ProtoESP || protocol == ipsec.ProtoAH):
			return true // the SPI decides, after reassembly (RFC 4301, Section 5.2)
		}
	case stack.IP6:
		if next := header.IPv6(pkt.NetworkHeader().Slice()).NextHeader(); !d.injecting && (next == ipsec.ProtoESP || next == ipsec.ProtoAH) {
			return true
		}
	default:
		return true
	}
	packet := d.peek(pkt)
	in, ok := readDatagram(packet)
	switch {
	case !ok:
		d.dropped("ipsec inbound", packet, "no IP packet")
		return false
	case d.injecting:
		d.host.noteSYN(in)
		return true
	case in.protected() && !in.fragment:
		return true
	case in.fragment:
		return d.gate.check(d, d.host.nics[pkt.NICID-1], in)
	}
	return d.admit(in)
}

// admit judges a clear datagram, or the first fragment of one.
func (d *driver) admit(in datagram) bool {
	flow, err := esp.FlowOf(in.bytes)
	if err != nil {
		d.dropped("ipsec inbound", in.bytes, err.Error())
		return false
	}
	now := d.host.world.Time()
	decision := d.esp.InboundClear(now, flow)
	if d.esp.Pending() {
		d.host.keying.kick()
	}
	if decision.Outcome != esp.Passed || d.wall != nil && !d.wall.lets(in, "") {
		return false
	}
	if d.learnPathMTU(in) {
		return false
	}
	d.learnUnreachable(in)
	d.host.noteSYN(in)
	return true
}

// inject puts a datagram that was judged already into the stack, as if it had
// arrived on the interface: as an event, since the stack may be in the middle of something.
func (d *driver) inject(n *nic, packet []byte) { d.injectVerified(n, packet, false) }

// injectVerified is inject, and tells the stack whether to look at the checksum of the transport protocol.
func (d *driver) injectVerified(n *nic, packet []byte, verified bool) {
	d.host.soon(func() {
		d.injecting, n.verified = true, verified
		n.deliver(packet)
		d.injecting, n.verified = false, false
	})
}

// transmit puts a packet on the wire with the comment that belongs to its datagram.
func (d *driver) transmit(n *nic, pkt *stack.PacketBuffer) {
	frame := appendPacket(make([]byte, 0, pkt.Size()), pkt, 0)
	packet, ip := n.packet(frame)
	var v note
	if ip {
		v = d.noteOn(pkt, packet)
		if d.stale(packet, v) {
			d.dropped("ipsec outbound", packet, "the policy changed while it waited for the address of its next hop")
			return
		}
	}
	d.put(n, frame, v)
}

// put sends a frame and records what it carries.
func (d *driver) put(n *nic, frame []byte, v note) {
	number := n.port.Send(frame, v.comment)
	if v.inner != nil {
		inner := *v.inner
		inner.Frame = number
		d.host.record(inner)
	}
}

func (d *driver) dropped(where string, packet []byte, reason string) {
	what := fmt.Sprintf("%d bytes", len(packet))
	if f, err := esp.FlowOf(packet); err == nil {
		what = f.String()
	}
	d.host.record(trace.PacketDropped{Where: where, Packet: what, Reason: reason})
}

// The hooks that IPsec on a host has no use for.

func (*driver) CheckPrerouting(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}
func (*driver) CheckForward(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }
func (*driver) CheckOutput(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool  { return true }
func (*driver) CheckIngress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }
func (*driver) CheckEgress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool  { return true }
