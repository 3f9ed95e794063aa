package hosts

import (
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// driver is the IPsec driver of a host: it stands between netstack's IP layer
// and the interfaces, asks the data plane about every datagram, and carries out
// the answer.
type driver struct {
	host   *Host
	faults Faults

	esp     *esp.Pipeline
	notes   notes
	policy  policyAge
	paths   pathMTUs
	demands int         // datagrams that policy wanted protected, for Faults.PassClear
	ids     *sim.Stream // identifications of IPv6 fragments

	gate      fragmentGate
	injecting bool // a packet that was judged already enters the stack again
}

var _ stack.NFTablesInterface = (*driver)(nil)

func newDriver(h *Host, c Config) (*driver, error) {
	broadcasts := policy.Broadcasts(prefixesOf(c.Interfaces)...)
	pipeline, err := esp.New(esp.Config{
		Rand:      h.world.Rand(h.name, "esp"),
		Trace:     h.record,
		Rekey:     c.Rekey,
		TrustSPI:  c.TrustSPI,
		Window:    c.ReplayWindow,
		Broadcast: func(a netip.Addr) bool { return slices.Contains(broadcasts, a) },
	})
	if err != nil {
		return nil, fmt.Errorf("hosts: %s: %w", c.Name, err)
	}
	return &driver{host: h, esp: pipeline, faults: c.Faults, ids: h.world.Rand(h.name, "ipv6 fragments")}, nil
}

// prefixesOf are the prefixes of all interfaces.
func prefixesOf(interfaces []Interface) (all []netip.Prefix) {
	for _, i := range interfaces {
		all = append(all, i.Prefixes...)
	}
	return all
}

// protected marks packets that the driver wrote itself, so that the hook lets them pass.
type protected struct{}

func (protected) KUID() uint32 { return 0 }
func (protected) KGID() uint32 { return 0 }

var _ tcpip.PacketOwner = protected{}

// CheckPostrouting judges a datagram on its way out, before fragmentation. It
// implements stack.NFTablesInterface: false means that the stack is done with it.
func (d *driver) CheckPostrouting(pkt *stack.PacketBuffer, r *stack.Route, family stack.AddressFamily) bool {
	if family != stack.IP && family != stack.IP6 || pkt.Owner == (protected{}) {
		return true
	}
	return d.outbound(bytesOf(pkt), r)
}

// outbound applies policy to a clear datagram. It reports whether the caller may
// send it as it is; otherwise it was protected and sent, kept, or dropped here.
func (d *driver) outbound(packet []byte, r *stack.Route) (clear bool) {
	out, ok := readDatagram(packet)
	if !ok {
		d.dropped("ipsec outbound", packet, "no IP packet")
		return false
	}
	now := d.host.world.Time()

	mtu := d.paths.mtu(now, out.dst, d.host.nics[r.NICID()-1].port.MTU())
	d.fitOutbound(out, mtu)
	decision := d.esp.Outbound(now, packet, mtu)
	if decision.Outcome == esp.Protected && d.failOpen() {
		d.notes.add(packet, note{comment: "fault: sent in the clear, against " + decision.Rule})
		return true
	}
	var pieces [][]byte
	switch decision.Outcome {
	case esp.Passed:
		if out.tooBig(mtu) {
			decision.Outcome, decision.MTU = esp.TooBig, mtu
			break
		}
		pieces = d.pieces(packet, mtu)
		d.notes.add(pieces[0], note{comment: verdictComment(decision), policy: d.policy.number})
	case esp.Protected:
		pieces = d.pieces(decision.Packet, mtu)
		d.notes.add(pieces[0], protectedNote(decision, packet))
	}

	switch decision.Outcome {
	case esp.Passed, esp.Protected:
		if decision.Outcome == esp.Passed && len(pieces) == 1 {
			return true
		}
		for _, p := range pieces {
			d.write(p, r)
		}
	case esp.TooBig:
		d.tooBig(out, decision.MTU, r)
	case esp.Held:
		d.host.keying.kick()
	}
	return false
}

// failOpen is the deliberate fault of Faults.PassClear.
func (d *driver) failOpen() bool {
	if d.faults.PassClear == 0 {
		return false
	}
	d.demands++
	return d.demands%d.faults.PassClear == 0
}

// write sends a finished IP datagram on the route; the stack fragments it if it is of IPv4 and must be.
func (d *driver) write(packet []byte, r *stack.Route) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(r.MaxHeaderLength()),
		Payload:            buffer.MakeWithData(packet),
	})
	defer pkt.DecRef()
	pkt.Owner = protected{}
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
	r, err := d.host.stack.FindRoute(0, addressOf(held.src), addressOf(held.dst), held.family, false)
	if err != nil {
		d.dropped("ipsec outbound", packet, "no route: "+err.String())
		return
	}
	defer r.Release()
	if d.outbound(packet, r) {
		d.write(packet, r)
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
	in, ok := readDatagram(bytesOf(pkt))
	switch {
	case !ok:
		d.dropped("ipsec inbound", bytesOf(pkt), "no IP packet")
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
	if decision.Outcome != esp.Passed {
		return false
	}
	if d.learnPathMTU(in) {
		return false
	}
	d.host.noteSYN(in)
	return true
}

// opened puts a datagram that came out of an SA into the stack, as an event.
func (d *driver) opened(n *nic, packet []byte) {
	d.host.after(0, func() { d.inject(n, packet) })
}

func (d *driver) inject(n *nic, packet []byte) {
	d.injecting = true
	n.deliver(packet)
	d.injecting = false
}

// transmit puts a frame on the wire with the comment that belongs to its datagram.
func (d *driver) transmit(n *nic, frame []byte) {
	packet, ip := n.packet(frame)
	var note note
	if ip {
		note = d.notes.find(packet)
		stale := d.stale(packet, note)
		if stale {
			d.dropped("ipsec outbound", packet, "the policy changed while it waited for the address of its next hop")
			return
		}
	}
	number := n.port.Send(frame, note.comment)
	if note.inner != nil {
		inner := *note.inner
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

// bytesOf is a copy of the packet from its IP header on.
func bytesOf(pkt *stack.PacketBuffer) []byte {
	return copyOf(pkt, len(pkt.LinkHeader().Slice()))
}

// copyOf is a copy of the packet without its first bytes, made at once: views
// that netstack joins for a caller would be copied a second time.
func copyOf(pkt *stack.PacketBuffer, skip int) []byte {
	out := make([]byte, 0, pkt.Size()-skip)
	views, unused := pkt.AsViewList()
	skip += unused
	for v := views.Front(); v != nil; v = v.Next() {
		b := v.AsSlice()
		n := min(skip, len(b))
		skip -= n
		out = append(out, b[n:]...)
	}
	return out
}

// The hooks that IPsec on a host has no use for.

func (*driver) CheckPrerouting(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}
func (*driver) CheckForward(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }
func (*driver) CheckOutput(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool  { return true }
func (*driver) CheckIngress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }
func (*driver) CheckEgress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool  { return true }
