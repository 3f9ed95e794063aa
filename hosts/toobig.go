package hosts

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// tooBigError is what a message says that some packet of this host was too big.
type tooBigError struct {
	quoted datagram
	mtu    int
}

// readTooBig reads ICMP "fragmentation needed" (RFC 792, RFC 1191, Section 4) and
// ICMPv6 "packet too big" (RFC 4443, Section 3.2); false for everything else.
func readTooBig(in datagram) (e tooBigError, ok bool) {
	const icmpHeader = 8 // of both families
	icmp := in.payload()
	if !in.first || len(icmp) < icmpHeader {
		return e, false
	}
	switch {
	case in.family == ip4 && in.proto == ipsec.ProtoICMP:
		m := header.ICMPv4(icmp)
		if m.Type() != header.ICMPv4DstUnreachable || m.Code() != header.ICMPv4FragmentationNeeded {
			return e, false
		}
		e.mtu = int(m.MTU())
	case in.family == ip6 && in.proto == ipsec.ProtoICMPv6 && header.ICMPv6(icmp).Type() == header.ICMPv6PacketTooBig:
		e.mtu = int(header.ICMPv6(icmp).MTU())
	default:
		return e, false
	}
	e.quoted, ok = readQuoted(icmp[icmpHeader:])
	if ok && e.mtu == 0 && in.family == ip4 {
		e.mtu = plateauBelow(int(header.IPv4(e.quoted.bytes).TotalLength()))
	}
	return e, ok && e.quoted.family == in.family
}

// tooBig tells the local sender of a datagram that it has to send smaller ones,
// as a router would (RFC 4301, Section 8.2.1). As an event: the sender's
// endpoint is locked now.
func (d *driver) tooBig(out datagram, mtu int, r *stack.Route) {
	n := d.host.nics[r.NICID()-1]
	var b []byte
	if out.family == ip6 {
		b = packetTooBig(out, mtu)
	} else {
		b = fragmentationNeeded(out, mtu)
	}
	d.inject(n, b)
}

// fragmentationNeeded is the message of RFC 1191, Section 4, from the sender to itself.
func fragmentationNeeded(out datagram, mtu int) []byte {
	quote := out.bytes[:min(len(out.bytes), out.at+8)]
	b := make([]byte, header.IPv4MinimumSize+header.ICMPv4MinimumSize+len(quote))
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: 64, Protocol: ipsec.ProtoICMP, SrcAddr: addressOf(out.src), DstAddr: addressOf(out.src),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	icmp := header.ICMPv4(b[header.IPv4MinimumSize:])
	icmp.SetType(header.ICMPv4DstUnreachable)
	icmp.SetCode(header.ICMPv4FragmentationNeeded)
	icmp.SetMTU(uint16(mtu))
	copy(icmp[header.ICMPv4MinimumSize:], quote)
	binary.BigEndian.PutUint16(icmp[2:], ^checksum.Checksum(icmp, 0))
	return b
}

// packetTooBig is the message of RFC 4443, Section 3.2, from the sender to itself.
func packetTooBig(out datagram, mtu int) []byte {
	quote := out.bytes[:min(len(out.bytes), ipv6.MinMTU-header.IPv6MinimumSize-header.ICMPv6PacketTooBigMinimumSize)]
	b := make([]byte, header.IPv6MinimumSize+header.ICMPv6PacketTooBigMinimumSize+len(quote))
	self := addressOf(out.src)
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(b) - header.IPv6MinimumSize), TransportProtocol: header.ICMPv6ProtocolNumber,
		HopLimit: 64, SrcAddr: self, DstAddr: self,
	})
	icmp := header.ICMPv6(b[header.IPv6MinimumSize:])
	icmp.SetType(header.ICMPv6PacketTooBig)
	icmp.SetMTU(uint32(max(mtu, ipv6.MinMTU)))
	copy(icmp[header.ICMPv6PacketTooBigMinimumSize:], quote)
	icmp.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: icmp, Src: self, Dst: self}))
	return b
}

// IPv6 has no don't-fragment bit: its source fragments, and nobody else does (RFC
// 8200, Section 5). TCP is told to send smaller segments all the same, as over
// IPv4, where the bit says so; but never below the least that every link carries.

// tooBig reports a clear datagram whose sender has to send smaller ones. Of IPv4
// the routers tell, and the stack fragments.
func (d datagram) tooBig(mtu int) bool {
	return d.family == ip6 && d.proto == ipsec.ProtoTCP && len(d.bytes) > max(mtu, ipv6.MinMTU)
}

// pieces are what a datagram leaves in: itself, or fragments.
func (d *driver) pieces(packet []byte, mtu int) [][]byte {
	if familyOfPacket(packet) == ip6 && len(packet) > mtu {
		if p, err := ipv6.Parse(packet); err == nil {
			if pieces, err := ipv6.Fragments(p, mtu, uint32(d.ids.Uint64()), 0); err == nil {
				return pieces
			}
		}
	}
	return [][]byte{packet}
}
