package sim

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

const (
	// ageing is how long a station is remembered. IEEE 802.1Q-2018, Table 8-6: recommended default.
	ageing = int64(300 * time.Second)
	// maxStations bounds the table against invented source addresses.
	maxStations = 1 << 16
	// sweepEvery is how often a full table is searched for what has aged.
	sweepEvery = int64(time.Second)
)

// station is where a source address was last seen.
type station struct {
	port *Port
	seen int64
}

// learnLocked remembers the port from which a frame came. IEEE 802.1Q-2018, Section 8.7.
func (s *Segment) learnLocked(src macAddr, p *Port, now int64) {
	if group(src) {
		return
	}
	if _, known := s.stations[src]; !known && len(s.stations) >= maxStations {
		if now-s.swept >= sweepEvery {
			s.swept = now
			for mac, st := range s.stations {
				if now-st.seen >= ageing {
					delete(s.stations, mac)
				}
			}
		}
		if len(s.stations) >= maxStations {
			return
		}
	}
	s.stations[src] = station{p, now}
}

// receiversLocked are the ports to which the switch forwards a frame from a port,
// in port order, and the promiscuous ports beside them. The slices are good until
// the next call.
//
// A unicast frame goes where its destination was last seen, or else to the port
// that has this address by its configuration, so that a large segment is not
// flooded whenever a pair has been silent for long. A broadcast ARP request or a
// multicast neighbour solicitation for an address of attached ports goes to these
// alone. All else floods: group addresses, unknown destinations, gratuitous ARP
// and what looks for a duplicate address.
func (s *Segment) receiversLocked(from *Port, frame []byte, now int64) (to, taps []*Port) {
	to = s.forwardLocked(from, frame, now, s.to[:0])
	s.to = to
	if len(s.taps) == 0 {
		return to, nil
	}
	taps = s.also[:0]
	for _, p := range s.taps {
		if p != from && !slices.Contains(to, p) {
			taps = append(taps, p)
		}
	}
	s.also = taps
	return to, taps
}

// forwardLocked appends the ports to which a switch forwards a frame.
func (s *Segment) forwardLocked(from *Port, frame []byte, now int64, to []*Port) []*Port {
	if s.cfg.Medium == PointToPoint {
		if from.cfg.Sniff != nil {
			return to // it is at no end, and no direction leads away from it
		}
		return s.appendEndsLocked(to, from)
	}
	dst := macAddr(frame)
	if !group(dst) {
		p := s.byMAC[dst]
		if st, ok := s.stations[dst]; ok && now-st.seen < ageing {
			p = st.port
		}
		if p == from {
			return to // IEEE 802.1Q-2018, Section 8.6.1: never back where it came from
		}
		if p != nil {
			to = append(to, p)
			return to
		}
	} else if addr, ok := asksFor(frame); ok {
		for _, p := range s.byAddr[addr] {
			if p != from {
				to = append(to, p)
			}
		}
		if len(to) > 0 {
			return to
		}
	}
	for _, p := range s.ports {
		if p != from {
			to = append(to, p)
		}
	}
	return to
}

// appendEndsLocked appends the ports but one that are not promiscuous: of a line, its ends.
func (s *Segment) appendEndsLocked(to []*Port, but *Port) []*Port {
	for _, p := range s.ports {
		if p != but && p.cfg.Sniff == nil {
			to = append(to, p)
		}
	}
	return to
}

const (
	etherHeader  = 14
	etherTypeARP = 0x0806
	arpLength    = 28 // for IPv4 over Ethernet
)

// asksFor is the address that a frame to a group asks the link-layer address of.
func asksFor(frame []byte) (netip.Addr, bool) {
	if macAddr(frame) == broadcast {
		return arpRequest(frame)
	}
	return solicitation(frame)
}

// arpRequest is the address that a broadcast ARP request asks for; false for any
// other frame and for a gratuitous request. RFC 826, "Packet format".
func arpRequest(frame []byte) (netip.Addr, bool) {
	if len(frame) < etherHeader+arpLength || binary.BigEndian.Uint16(frame[12:]) != etherTypeARP {
		return netip.Addr{}, false
	}
	arp := frame[etherHeader:]
	// Ethernet, IPv4, their lengths, request.
	if binary.BigEndian.Uint64(arp) != 0x0001_0800_06_04_0001 {
		return netip.Addr{}, false
	}
	sender, target := netip.AddrFrom4([4]byte(arp[14:])), netip.AddrFrom4([4]byte(arp[24:]))
	return target, sender != target
}

// solicitation is the address that a multicast neighbour solicitation asks for;
// false for any other frame and for duplicate address detection, which has no
// source. RFC 4861, Section 4.3 and RFC 4862, Section 5.4.2.
func solicitation(frame []byte) (netip.Addr, bool) {
	const neighborSolicitation, target = 135, 8
	if binary.BigEndian.Uint16(frame[12:]) != ipv6.EtherType {
		return netip.Addr{}, false
	}
	p, err := ipv6.Parse(frame[etherHeader:])
	if err != nil || p.Proto != ipv6.ICMP || p.IsFragment() {
		return netip.Addr{}, false
	}
	m := p.Payload()
	if len(m) < target+16 || m[0] != neighborSolicitation || p.Src().IsUnspecified() {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16([16]byte(m[target:])), true
}
