package esp

import (
	"encoding/binary"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
)

// ESP in UDP, RFC 3948: a UDP header stands between the IP header and ESP, in the older
// form of draft-ietf-ipsec-udp-encaps-00 and -01 with eight zero octets behind it.

const udpHeader = 8 // RFC 768

// encapsulation is how long that header is, with its marker; 0: the SA has none.
func encapsulation(e ipsec.Encapsulation) int {
	if !e.On() {
		return 0
	}
	return e.Form().Overhead()
}

// putUDP completes the datagram out, whose IP header is final and whose ESP packet is in
// its place, by the header in front of the latter.
//
// RFC 3948, Section 2.1 has the checksum be zero over IPv4, and says nothing of IPv6,
// where a zero is no valid checksum: RFC 8200, Section 8.1.
func (s *sa) putUDP(out *datagram) {
	h := out.payload()
	binary.BigEndian.PutUint16(h, s.UDP.Src)
	binary.BigEndian.PutUint16(h[2:], s.UDP.Dst)
	binary.BigEndian.PutUint16(h[4:], uint16(len(h)))
	clear(h[6:s.encapsulation])
	if out.v6() {
		binary.BigEndian.PutUint16(h[6:], checksumOf(out.src(), out.final(), ipsec.ProtoUDP, h))
	}
}

// final is the address at which a datagram is to end: a routing header names it
// (RFC 8200, Section 8.1).
func (d *datagram) final() netip.Addr {
	if !d.v6() || d.headerLen == ipv6Header || uncoverableIPv6(d.b[:d.headerLen]) != "" {
		return d.dst()
	}
	h := append([]byte(nil), d.b[:d.headerLen]...)
	immutableIPv6(h, true)
	return netip.AddrFrom16([16]byte(h[24:40]))
}

// endpoints are the ends of an encapsulated SA in the direction of travel, and for others
// the addresses with port 0.
func (s *sa) endpoints() (src, dst netip.AddrPort) {
	return netip.AddrPortFrom(s.Src, s.UDP.Src), netip.AddrPortFrom(s.Dst, s.UDP.Dst)
}

// peer is the far end of an SA; without encapsulation its port is 0.
func (s *sa) peer() netip.AddrPort {
	src, dst := s.endpoints()
	if s.Direction == ipsec.Inbound {
		return src
	}
	return dst
}

// wrapping is what stands around ESP in a datagram that arrived.
type wrapping struct {
	form natt.Form // natt.Plain: nothing
	size int       // of the UDP header with its marker
	from uint16    // the source port
	to   uint16    // the destination port
}

// unwrap reads what stands around the protected packet of a datagram. What its UDP checksum is
// does not matter: RFC 3948, Section 2.1. Nor does UDP's length beyond being that of the
// datagram at most: what it leaves out is not of ESP.
func (d *datagram) unwrap() (w wrapping, why defect) {
	if d.proto() != ipsec.ProtoUDP {
		return wrapping{}, ""
	}
	h := d.payload()
	if len(h) < udpHeader {
		return w, shortUDP
	}
	if n := int(binary.BigEndian.Uint16(h[4:])); n < udpHeader || n > len(h) {
		return w, shortUDP
	} else if n < len(h) {
		d.b = d.b[:d.headerLen+n]
		h = d.payload()
	}
	w.from, w.to = binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	for _, f := range []natt.Form{natt.NonIKE, natt.NonESP} {
		if kind, _ := natt.Read(f, h[udpHeader:]); kind == natt.ESP {
			w.form, w.size = f, f.Overhead()
			return w, ""
		}
	}
	return w, notProtected
}

// fits reports why a packet in such a wrapping is not for an SA; empty where it is.
// No text says what becomes of a packet whose form is not the one that was agreed on.
// An SA is negotiated for one mode of encapsulation (RFC 3947, Section 5.1), so that it is refused,
// unless Config.AnyForm says otherwise.
func (w wrapping) fits(s *sa) defect {
	agreed := natt.Plain
	if s.UDP.On() {
		agreed = s.UDP.Form()
	}
	switch {
	case w.form == agreed && w.to == s.UDP.Dst:
		return ""
	case agreed == natt.Plain:
		return wrongUDP
	case w.form == natt.Plain:
		return missingUDP
	}
	return otherForm
}

// crossed does what is to be done about a packet that came out of an SA and was accepted,
// because a NAT was on its way.
func (p *Pipeline) crossed(s *sa, inner *datagram, w wrapping, from netip.Addr, decision *Decision) {
	if s.encapsulation == 0 {
		return
	}
	if s.Mode == ipsec.Transport {
		decision.Verified = s.fixChecksum(inner, p.cfg.Checksums.of(s))
	}
	p.heard(s, netip.AddrPortFrom(from, w.from), decision.Sequence)
}

// elsewhere reports whether a packet in hand shows that the peer of an SA is at another end than
// the SA has, and the host is to follow. One that was late or held back says nothing about
// where its sender is now; one in no UDP shows no mapping.
func (p *Pipeline) elsewhere(s *sa, from netip.AddrPort, sequence uint64) bool {
	return from != s.peer() && from.Port() != 0 && sequence == s.window.Top() && (p.cfg.Follow == nil || p.cfg.Follow(s.SAParams)) && p.allows(s, from.Addr())
}

// heard notes where a packet that was accepted came from.
func (p *Pipeline) heard(s *sa, from netip.AddrPort, sequence uint64) {
	switch {
	case from == s.heardFrom || from.Port() == 0 || sequence != s.window.Top():
	case from == s.peer():
		s.heardFrom = from
	case p.elsewhere(s, from, sequence):
		s.heardFrom = from
		p.events.push(EventMoved{SA: s.params(), To: from})
	}
}

// meant reports whether what was inside a packet is of the traffic of its SA. In transport mode
// the source address is one that a NAT has put there, so that the packets of a peer that has moved are
// judged as if they came from where it was.
func (p *Pipeline) meant(s *sa, f ipsec.Flow, w wrapping, sequence uint64) bool {
	if s.encapsulation > 0 && s.Mode == ipsec.Transport && f.Src != s.Src && p.elsewhere(s, netip.AddrPortFrom(f.Src, w.from), sequence) {
		f.Src = s.Src
	}
	return s.Selector.Matches(&f)
}

// wrappedPeers counts the SAs with encapsulation, by address of the peer and by its length.
type wrappedPeers map[wrappedPeer]int

type wrappedPeer struct {
	peer netip.Addr
	size int
}

func (w wrappedPeers) count(s *sa, n int) {
	if s.encapsulation == 0 {
		return
	}
	k := wrappedPeer{s.peer().Addr(), s.encapsulation}
	if w[k] += n; w[k] == 0 {
		delete(w, k)
	}
}

// longest is the longest encapsulation that goes to a peer; 0: there is none.
func (w wrappedPeers) longest(peer netip.Addr) int {
	for _, f := range []natt.Form{natt.NonIKE, natt.NonESP} {
		if w[wrappedPeer{peer, f.Overhead()}] > 0 {
			return f.Overhead()
		}
	}
	return 0
}
