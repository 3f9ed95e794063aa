package hosts

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/natt"
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

// pathMTUAge is how long a lowered estimate holds before a larger packet is tried
// again: RFC 1191, Section 6.3 and RFC 8201, Section 5.3.
const pathMTUAge = 10 * time.Minute

// maxPaths bounds the destinations remembered: anybody can send errors about packets to many.
const maxPaths = 4096

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
	e, known := p.byDst[dst]
	if known && now.Sub(e.learned) < pathMTUAge && e.mtu < mtu {
		return
	}
	if !known && len(p.byDst) >= maxPaths {
		maps.DeleteFunc(p.byDst, func(_ netip.Addr, e pathMTU) bool { return now.Sub(e.learned) >= pathMTUAge })
		if len(p.byDst) >= maxPaths {
			return
		}
	}
	p.byDst[dst] = pathMTU{max(mtu, minPathMTU), now}
}

// plateaus are the estimates to fall back to when a router names no MTU, RFC 1191, Section 5 and Table 7-1.
var plateaus = []int{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, minPathMTU}

func plateauBelow(length int) int {
	for _, p := range plateaus {
		if p < length {
			return p
		}
	}
	return minPathMTU
}

// learnPathMTU takes a message that a packet of this host was too big for a link.
// Policy has admitted it: whether unauthenticated messages are processed is a
// setting in RFC 4301, Section 8.2.1, and a filter here. It reports whether the
// message ends here, which it does when it is about an ESP packet, alone or in UDP, or an AH packet, that no
// transport has sent. What it quotes then must be of an SA that this host sends
// with, or anybody could lower any estimate.
//
// What it says about a clear packet is for the transport, which of IPv4 alone
// knows what to do about it. Of IPv6 it is noted here too, since datagrams to that
// destination have to leave in fragments (RFC 8200, Section 5).
func (d *driver) learnPathMTU(in datagram) (ends bool) {
	e, ok := readTooBig(in)
	if !ok {
		return false
	}
	if in.family == ip6 && e.mtu < ipv6.MinMTU {
		// RFC 8201, Section 4; to the transports of netstack it would mean segments of a byte.
		d.dropped("ipsec inbound", in.bytes, fmt.Sprintf("an ICMPv6 error that gives an MTU of %d, less than any link has", e.mtu))
		return true
	}
	udp, wrapped := d.quotedESP(e.quoted)
	if !e.quoted.protected() && !wrapped {
		if in.family == ip6 && slices.Contains(d.host.Addrs(), e.quoted.src) {
			d.paths.learn(d.host.world.Time(), e.quoted.dst, e.mtu)
		}
		return false
	}
	reason := udp
	if !wrapped {
		reason = d.genuine(e.quoted)
	}
	if reason != "" {
		d.dropped("ipsec inbound", in.bytes, reason)
		return true
	}
	d.paths.learn(d.host.world.Time(), e.quoted.dst, e.mtu)
	return true
}

// genuine says why what an ICMP error quotes is no ESP or AH packet of this host.
func (d *driver) genuine(quoted datagram) (why string) {
	const quotedBytes = 8 // of the ESP or AH header, RFC 792: enough for the SPI of either
	protocol, offset := ipsec.ESP, 0
	if quoted.proto == ipsec.ProtoAH {
		protocol, offset = ipsec.AH, 4 // RFC 4302, Section 2
	}
	if len(quoted.payload()) < quotedBytes {
		return fmt.Sprintf("an ICMP error that quotes too little of an %v packet", protocol)
	}
	if spi := binary.BigEndian.Uint32(quoted.payload()[offset:]); !d.sendsWith(protocol, quoted.src, quoted.dst, spi) {
		return fmt.Sprintf("an ICMP error about an %v packet with SPI 0x%08x, which is not of this host", protocol, spi)
	}
	return ""
}

// quotedESP reports whether what an ICMP error quotes may be ESP in UDP, and why it is none of this host's. Of
// many a packet no more is quoted than the UDP header (RFC 792), so that the ports have to do for an SPI.
func (d *driver) quotedESP(quoted datagram) (why string, ok bool) {
	h := header.UDP(quoted.payload())
	if quoted.proto != ipsec.ProtoUDP || !quoted.first || len(h) < header.UDPMinimumSize {
		return "", false
	}
	local, remote := netip.AddrPortFrom(quoted.src, h.SourcePort()), netip.AddrPortFrom(quoted.dst, h.DestinationPort())
	form := d.host.keying.form(local)
	if form == natt.Plain {
		return "", false
	}
	rest := h[header.UDPMinimumSize:]
	if kind, esp := natt.Read(form, rest); len(rest) >= form.Overhead() && kind == natt.ESP && len(esp) >= 4 {
		if spi := binary.BigEndian.Uint32(esp); !d.esp.Encapsulates(local, remote, spi) {
			return fmt.Sprintf("an ICMP error about ESP in UDP with SPI 0x%08x, which is not of this host", spi), true
		}
		return "", true
	} else if len(rest) >= form.Overhead() {
		return "", false // IKE
	}
	if !d.esp.Encapsulates(local, remote, 0) {
		return fmt.Sprintf("an ICMP error about a packet from port %d to %v, with which there is no SA", local.Port(), remote), true
	}
	return "", true
}

// sendsWith reports whether the SAD has an outbound SA.
func (d *driver) sendsWith(protocol ipsec.Protocol, src, dst netip.Addr, spi uint32) bool {
	return slices.ContainsFunc(d.esp.SAs(), func(sa esp.SAInfo) bool {
		return sa.Direction == ipsec.Outbound && sa.Protocol == protocol && sa.Src == src && sa.Dst == dst && sa.SPI == spi
	})
}
