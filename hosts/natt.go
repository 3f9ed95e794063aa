package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
)

// UDP port 4500, on which IKE and ESP come together (RFC 3948, Section 2), is open at each
// address where port 500 is, if the host speaks a dialect of NAT traversal that goes
// there. It has no socket of netstack: a socket would see ESP without its IP header, and only where the
// outer checksum is right, on which nobody may depend. With the drafts 00 and 01 ESP comes to port 500.

// form is what comes to a UDP port of an address.
func (k *keying) form(local netip.AddrPort) natt.Form {
	if k.sockets[local.Addr()] == nil {
		return natt.Plain
	}
	switch local.Port() {
	case natt.Port:
		if k.speaks(ike.NATDialect.Floats) {
			return natt.NonESP
		}
	case isakmpPort:
		if k.speaks(func(d ike.NATDialect) bool { return !d.Floats() }) {
			return natt.NonIKE
		}
	}
	return natt.Plain
}

// speaks reports whether one of the host's dialects is such.
func (k *keying) speaks(such func(ike.NATDialect) bool) bool {
	for _, d := range k.host.config.NAT.Dialects {
		if such(d) {
			return true
		}
	}
	return false
}

// follows is esp.Config.Follow.
func (h *Host) follows(in ipsec.SAParams) bool { return h.keying.mux.Follows(in.SPI) }

// conflict is ike.Config.Conflict, by esp.ConflictRefuse.
func (d *driver) conflict(out ipsec.SAParams) (why string) {
	if d.host.config.Conflicts.Strategy != esp.ConflictRefuse {
		return ""
	}
	other, ok := d.esp.Conflict(out)
	if !ok {
		return ""
	}
	return fmt.Sprintf("there are SAs for %v with another computer, at %v: two behind one NAT cannot be told apart (RFC 3948, Section 5.2)",
		other.Selector, netip.AddrPortFrom(other.Dst, other.UDP.Dst))
}

// moved has the data plane follow a peer.
func (k *keying) moved(now time.Time, e ike.EventMoved) {
	goes := func(sa ipsec.SAParams) bool {
		in := sa.SPI
		if sa.Direction == ipsec.Outbound {
			in = sa.PeerSPI
		}
		return slices.Contains(e.SPIs, in)
	}
	for _, sa := range k.host.driver.esp.Move(now, e.Local.Addr(), e.From, e.To, goes) {
		for _, a := range k.answered {
			if sa.Direction == ipsec.Inbound && a.in.SPI == sa.SPI {
				a.in = sa
			}
		}
		for _, r := range k.rekeys {
			if sa.Direction == ipsec.Outbound && r.replaces == sa.PeerSPI {
				r.peer, r.selector = sa.Dst, sa.Selector
			}
		}
	}
}

// wrapped tells what a whole UDP datagram is that came to a port of NAT traversal;
// natt.Nothing for one to another port, and for one that is broken.
func (d *driver) wrapped(in datagram) (kind natt.Kind, payload []byte) {
	h := header.UDP(in.payload())
	if in.proto != ipsec.ProtoUDP || len(h) < header.UDPMinimumSize || int(h.Length()) < header.UDPMinimumSize || int(h.Length()) > len(h) {
		return natt.Nothing, nil
	}
	form := d.host.keying.form(netip.AddrPortFrom(in.dst, h.DestinationPort()))
	if form == natt.Plain {
		return natt.Nothing, nil
	}
	return natt.Read(form, h[header.UDPMinimumSize:h.Length()])
}

// carriesESP reports whether a whole UDP datagram is ESP in UDP.
func (d *driver) carriesESP(in datagram) bool {
	kind, _ := d.wrapped(in)
	return kind == natt.ESP
}

// takeUDP is netstack's handler for UDP datagrams to ports without a socket. It takes those to
// port 4500; of the others somebody is told that nobody listens.
func (d *driver) takeUDP(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	local := netip.AddrPortFrom(addrOf(id.LocalAddress), id.LocalPort)
	if local.Port() != natt.Port || d.host.keying.form(local) == natt.Plain || d.gone() {
		return false
	}
	packet := wholeOf(d.peek(pkt))
	if h := header.IPv4(packet); familyOfPacket(packet) == ip4 && int(h.TotalLength()) > len(packet) {
		// What lay behind the UDP datagram in the last of its fragments has been cut off.
		buf, at := d.copied(pkt)
		packet, h = buf[at:], buf[at:]
		h.SetTotalLength(uint16(len(h)))
		h.SetChecksum(0)
		h.SetChecksum(^h.CalculateChecksum())
	}
	in, ok := readDatagram(packet)
	if !ok {
		return true
	}
	switch kind, payload := d.wrapped(in); kind {
	case natt.ESP:
		d.opened(d.host.nics[pkt.NICID-1], d.esp.InboundProtected(d.host.world.Time(), packet))
	case natt.IKE:
		h := header.UDP(in.payload())
		if !udpSumRight(in.src, in.dst, h[:h.Length()]) {
			d.dropped("ike", packet, "its UDP checksum is wrong")
			break
		}
		message := ike.Datagram{Local: local, Remote: netip.AddrPortFrom(in.src, h.SourcePort()), Payload: append([]byte(nil), payload...)}
		d.host.soon(func() {
			if k := d.host.keying; !d.gone() && k.form(local) != natt.Plain {
				k.mux.HandleDatagram(d.host.world.Time(), message)
				k.kick()
			}
		})
	}
	return true // a keep-alive, or nothing that anybody knows
}

// udpSumRight reports whether the checksum of a UDP datagram is right, or left out, which IPv6
// does not allow (RFC 768; RFC 8200, Section 8.1).
func udpSumRight(src, dst netip.Addr, h header.UDP) bool {
	if h.Checksum() == 0 {
		return src.Is4()
	}
	return checksum.Checksum(h, pseudoHeader(src, dst, h)) == 0xffff
}

func pseudoHeader(src, dst netip.Addr, h header.UDP) uint16 {
	return header.PseudoHeaderChecksum(header.UDPProtocolNumber, addressOf(src), addressOf(dst), uint16(len(h)))
}

// sendFrom sends a UDP payload from a port that has no socket. Without a sum the checksum is left out
// over IPv4, as RFC 3948, Section 2.3 has it of keep-alives.
func (h *Host) sendFrom(local, remote netip.AddrPort, payload []byte, sum bool) error {
	if h.off {
		return ErrOff
	}
	r := h.route(local.Addr(), remote.Addr())
	if r == nil {
		return ErrUnreachable
	}
	defer r.Release()
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(r.MaxHeaderLength()) + header.UDPMinimumSize, Payload: buffer.MakeWithData(payload),
	})
	defer pkt.DecRef()
	u := header.UDP(pkt.TransportHeader().Push(header.UDPMinimumSize))
	pkt.TransportProtocolNumber = udp.ProtocolNumber
	u.Encode(&header.UDPFields{SrcPort: local.Port(), DstPort: remote.Port(), Length: uint16(header.UDPMinimumSize + len(payload))})
	if sum || remote.Addr().Is6() {
		whole := append(append(header.UDP(nil), u...), payload...)
		value := ^checksum.Checksum(whole, pseudoHeader(local.Addr(), remote.Addr(), whole))
		if value == 0 {
			value = 0xffff // RFC 768
		}
		u.SetChecksum(value)
	}
	return errorOf(r.WritePacket(stack.NetworkHeaderParams{Protocol: tcpip.TransportProtocolNumber(ipsec.ProtoUDP), TTL: r.DefaultTTL()}, pkt))
}

// send sends a message of IKE, on port 4500 behind the marker that tells it from ESP.
func (k *keying) send(m ike.Datagram) {
	var err error
	switch s := k.sockets[m.Local.Addr()]; {
	case s == nil:
		return
	case m.Local.Port() == natt.Port:
		err = k.host.sendFrom(m.Local, m.Remote, natt.NonESP.AppendIKE(nil, m.Payload), true)
	default:
		err = s.send(m.Remote, m.Payload)
	}
	if err != nil {
		k.statistics.SendFailures++
	}
	k.said(m.Local, m.Remote)
}

// took takes what came to port 500 and is no message of IKE: with the drafts 00 and 01 that is ESP, of
// which whole datagrams over IPv4 do not get here, and keep-alives. What does has lost its IP header in
// the socket: it is given a new one.
func (k *keying) took(local, remote netip.AddrPort, payload []byte) bool {
	form := k.form(local)
	if form == natt.Plain {
		return false
	}
	switch kind, _ := natt.Read(form, payload); kind {
	case natt.ESP:
		d := k.host.driver
		for _, n := range k.host.nics {
			if n.has(local.Addr()) {
				datagram := udp4
				if local.Addr().Is6() {
					datagram = udp6
				}
				d.opened(n, d.esp.InboundProtected(k.host.world.Time(), datagram(remote, local, payload)))
				return true
			}
		}
		return true
	case natt.KeepAlive:
		return true
	}
	return false
}

// udp6 is udp4 over IPv6.
func udp6(src, dst netip.AddrPort, payload []byte) []byte {
	b := make([]byte, header.IPv6MinimumSize+header.UDPMinimumSize+len(payload))
	ip, udp := header.IPv6(b), header.UDP(b[header.IPv6MinimumSize:])
	ip.Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(udp)), TransportProtocol: header.UDPProtocolNumber, HopLimit: 128,
		SrcAddr: addressOf(src.Addr()), DstAddr: addressOf(dst.Addr()),
	})
	udp.Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: uint16(len(udp))})
	copy(udp[header.UDPMinimumSize:], payload)
	udp.SetChecksum(^checksum.Checksum(udp, pseudoHeader(src.Addr(), dst.Addr(), udp)))
	return b
}
