package hosts

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// pathMTUs remembers what routers said about protected packets that were too
// big, per destination. Transports never see those errors, because the packets
// quoted are not theirs; they are told when they next send one too big.
type pathMTUs struct {
	byDst map[netip.Addr]pathMTU
}

type pathMTU struct {
	mtu     int
	learned time.Time
}

// pathMTUAge is how long a lowered estimate holds before a larger packet is tried again, RFC 1191, Section 6.3.
const pathMTUAge = 10 * time.Minute

// minPathMTU is the least that every IPv4 link must carry, RFC 791, Section 3.2.
const minPathMTU = 68

func (p *pathMTUs) mtu(now time.Time, dst netip.Addr, link int) int {
	if e, ok := p.byDst[dst]; ok {
		if now.Sub(e.learned) < pathMTUAge {
			return min(e.mtu, link)
		}
		delete(p.byDst, dst)
	}
	return link
}

func (p *pathMTUs) learn(now time.Time, dst netip.Addr, mtu int) {
	if p.byDst == nil {
		p.byDst = map[netip.Addr]pathMTU{}
	}
	if e, ok := p.byDst[dst]; ok && now.Sub(e.learned) < pathMTUAge && e.mtu < mtu {
		return
	}
	p.byDst[dst] = pathMTU{max(mtu, minPathMTU), now}
}

// plateaus are the estimates to fall back to when a router names no MTU, RFC 1191, Section 7.1.
var plateaus = []int{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, minPathMTU}

func plateauBelow(length int) int {
	for _, p := range plateaus {
		if p < length {
			return p
		}
	}
	return minPathMTU
}

// learnPathMTU takes an ICMP fragmentation needed about an ESP or AH packet. Policy
// has admitted it: whether unauthenticated messages are processed is a setting in
// RFC 4301, Section 8.2.1, and a filter here. What it quotes must be of an SA that
// this host sends with, or anybody could lower any estimate. It reports whether
// the packet was one.
func (d *driver) learnPathMTU(packet []byte) bool {
	const quotedBytes = 8 // of the ESP or AH header, RFC 792: enough for the SPI of either
	ip := header.IPv4(packet)
	if ip.Protocol() != ipsec.ProtoICMP || len(packet) < int(ip.HeaderLength())+header.ICMPv4MinimumSize+header.IPv4MinimumSize {
		return false
	}
	icmp := header.ICMPv4(packet[ip.HeaderLength():])
	if icmp.Type() != header.ICMPv4DstUnreachable || icmp.Code() != header.ICMPv4FragmentationNeeded {
		return false
	}
	quoted := header.IPv4(icmp[header.ICMPv4MinimumSize:])
	protocol, offset := ipsec.ESP, 0
	switch quoted.Protocol() {
	case ipsec.ProtoESP:
	case ipsec.ProtoAH:
		protocol, offset = ipsec.AH, 4 // RFC 4302, Section 2
	default:
		return false
	}
	at := int(quoted.HeaderLength())
	if at < header.IPv4MinimumSize || len(quoted) < at+quotedBytes {
		d.dropped("ipsec inbound", packet, fmt.Sprintf("an ICMP error that quotes too little of an %v packet", protocol))
		return true
	}
	src, dst, spi := addrOf(quoted.SourceAddress()), addrOf(quoted.DestinationAddress()), binary.BigEndian.Uint32(quoted[at+offset:])
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.sendsWith(protocol, src, dst, spi) {
		d.dropped("ipsec inbound", packet, fmt.Sprintf("an ICMP error about an %v packet with SPI 0x%08x, which is not of this host", protocol, spi))
		return true
	}
	mtu := int(icmp.MTU())
	if mtu == 0 {
		mtu = plateauBelow(int(quoted.TotalLength()))
	}
	d.paths.learn(d.host.world.Time(), dst, mtu)
	return true
}

// sendsWith reports whether the SAD has an outbound SA. d.mu is held.
func (d *driver) sendsWith(protocol ipsec.Protocol, src, dst netip.Addr, spi uint32) bool {
	return slices.ContainsFunc(d.esp.SAs(), func(sa esp.SAInfo) bool {
		return sa.Direction == ipsec.Outbound && sa.Protocol == protocol && sa.Src == src && sa.Dst == dst && sa.SPI == spi
	})
}

// tooBig tells the local sender of a datagram that it has to send smaller ones,
// as a router would (RFC 4301, Section 8.2.1). As an event: the sender's
// endpoint is locked now.
func (d *driver) tooBig(packet []byte, mtu int, r *stack.Route) {
	quote := packet[:min(len(packet), int(header.IPv4(packet).HeaderLength())+8)]
	b := make([]byte, header.IPv4MinimumSize+header.ICMPv4MinimumSize+len(quote))
	src := addressOf(netip.AddrFrom4([4]byte(packet[12:16])))
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: 64, Protocol: ipsec.ProtoICMP, SrcAddr: src, DstAddr: src,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	icmp := header.ICMPv4(b[header.IPv4MinimumSize:])
	icmp.SetType(header.ICMPv4DstUnreachable)
	icmp.SetCode(header.ICMPv4FragmentationNeeded)
	icmp.SetMTU(uint16(mtu))
	copy(icmp[header.ICMPv4MinimumSize:], quote)
	binary.BigEndian.PutUint16(icmp[2:], ^checksum.Checksum(icmp, 0))
	n := d.host.nics[r.NICID()-1]
	d.host.after(0, func() { d.inject(n, b) })
}
