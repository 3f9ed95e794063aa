package interop

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// selector is a pair of traffic selectors, as charon lists them, in the words in which virtual hosts
// record theirs; where it has no such form, as charon lists it.
func selector(from, to []string) string {
	if len(from) == 1 && len(to) == 1 {
		src, proto, srcPort, ok := trafficSelector(from[0])
		dst, proto2, dstPort, ok2 := trafficSelector(to[0])
		if ok && ok2 && (proto == proto2 || proto == 0 || proto2 == 0) {
			return ipsec.Selector{Src: src, Dst: dst, Proto: proto | proto2, SrcPort: srcPort, DstPort: dstPort}.String()
		}
	}
	return strings.Join(from, ", ") + " > " + strings.Join(to, ", ")
}

// trafficSelector reads "10.0.0.0/24[tcp/80]", "10.0.0.1/32" and the like.
func trafficSelector(s string) (p netip.Prefix, proto uint8, port uint16, ok bool) {
	addresses, rest, bounded := strings.Cut(s, "[")
	p, err := netip.ParsePrefix(addresses)
	if err != nil {
		return p, 0, 0, false
	}
	if p.Bits() == 0 {
		p = netip.Prefix{}
	}
	if !bounded {
		return p, 0, 0, true
	}
	rest, closed := strings.CutSuffix(rest, "]")
	name, number, hasPort := strings.Cut(rest, "/")
	proto, known := protocols[name]
	if n, err := strconv.ParseUint(name, 10, 8); !known && err == nil {
		proto, known = uint8(n), true
	}
	if hasPort {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || !ipsec.HasPorts(proto) {
			return p, 0, 0, false
		}
		port = uint16(n)
	}
	return p, proto, port, closed && known
}

// protocols are those that charon has names for.
var protocols = map[string]uint8{
	"icmp": ipsec.ProtoICMP, "tcp": ipsec.ProtoTCP, "udp": ipsec.ProtoUDP, "ipv6-icmp": ipsec.ProtoICMPv6, "rsvp": ipsec.ProtoRSVP,
}
