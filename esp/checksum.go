package esp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// A NAT on the way of an SA in transport mode has changed addresses that the checksums
// of TCP and UDP inside cover: RFC 3948, Section 3.1.2 has the receiver repair them,
// and gives it the choice how.

// ChecksumFixUp is such a way.
type ChecksumFixUp uint8

// The ways.
const (
	// FixByIncrement takes the addresses of the packet into the sum in place of those that
	// the sender computed it with, which NAT-OA payloads tell. What was wrong before stays wrong.
	// It is the first of the list; without NAT-OA another one takes its place.
	FixByIncrement ChecksumFixUp = iota
	// FixByRecomputing computes the sum anew. It makes a wrong sum right.
	FixByRecomputing
	// FixByZero leaves out that of UDP over IPv4, and tells the stack that TCP's is not to be
	// looked at: Decision.Verified. UDP over IPv6, which must have one, and packets of SAs without
	// integrity get theirs computed anew.
	FixByZero
	// FixByTelling changes nothing, and tells the stack that the integrity of the packet has been
	// verified: Decision.Verified. Packets of SAs without integrity get their sums computed anew.
	FixByTelling

	maxFixUp = FixByTelling
)

func (f ChecksumFixUp) String() string {
	switch f {
	case FixByIncrement:
		return "increment"
	case FixByRecomputing:
		return "recompute"
	case FixByZero:
		return "zero"
	case FixByTelling:
		return "verified"
	}
	return fmt.Sprintf("fix-up(%d)", uint8(f))
}

// Checksums settles the repair of checksums. The zero value is increments, and
// recomputing where the peer has sent no NAT-OA.
type Checksums struct {
	FixUp ChecksumFixUp
	// WithoutOriginals takes the place of FixByIncrement where the peer did not tell its addresses,
	// which Windows does only if it is behind a NAT itself (MS-IKEE, 3.1.5);
	// FixByIncrement, the zero value, stands for FixByRecomputing.
	WithoutOriginals ChecksumFixUp
}

func (c Checksums) check() error {
	for _, f := range []ChecksumFixUp{c.FixUp, c.WithoutOriginals} {
		if f > maxFixUp {
			return fmt.Errorf("esp: Config.Checksums has %v", f)
		}
	}
	return nil
}

// for is the way for the packets of an SA.
func (c Checksums) of(s *sa) ChecksumFixUp {
	f := c.FixUp
	if f == FixByIncrement && !(s.OriginalSrc.IsValid() && s.OriginalDst.IsValid()) {
		if f = c.WithoutOriginals; f == FixByIncrement {
			f = FixByRecomputing
		}
	}
	if f >= FixByZero && s.layout.icvLen == 0 { // "SHOULD only be done … if the packet is integrity protected"
		f = FixByRecomputing
	}
	return f
}

// sumAt is where the checksum of a protocol stands that covers the addresses, in its
// header; false: there is none, or the packet is too short for it. ICMPv6 is not in the list of RFC
// 3948, Section 3.1.2, but "contained protocols that have been broken by NAT" may be fixed.
// UDP-Lite (RFC 3828) and DCCP (RFC 4340) cover addresses, too; they are not supported.
func (d *datagram) sumAt() (at int, ok bool) {
	if d.fragment() {
		return 0, false
	}
	switch d.upper {
	case ipsec.ProtoTCP:
		at = 16
	case ipsec.ProtoUDP:
		at = 6
	case ipsec.ProtoICMPv6:
		at = 2
	default:
		return 0, false
	}
	at += d.upperAt
	return at, at+2 <= len(d.b)
}

// fixChecksum repairs the checksum in a datagram that came out of an SA. told: it is not
// to be looked at.
func (s *sa) fixChecksum(d *datagram, how ChecksumFixUp) (told bool) {
	at, ok := d.sumAt()
	if !ok {
		return false
	}
	field := d.b[at : at+2]
	sum := binary.BigEndian.Uint16(field)
	if sum == 0 && d.upper == ipsec.ProtoUDP {
		return false // the sender has left it out: RFC 768
	}
	src, dst := d.src(), d.final()
	if how == FixByZero && d.upper == ipsec.ProtoUDP {
		if how = FixByRecomputing; !d.v6() {
			clear(field)
			return false
		}
	}
	switch how {
	case FixByIncrement:
		if src == s.OriginalSrc && dst == s.OriginalDst {
			return false
		}
		sum = exchange(sum, s.OriginalSrc, src)
		sum = exchange(sum, s.OriginalDst, dst)
	case FixByRecomputing:
		clear(field)
		sum = checksumOf(src, dst, d.upper, d.b[d.upperAt:])
	default:
		return true
	}
	if sum == 0 && d.upper == ipsec.ProtoUDP {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(field, sum)
	return false
}

// exchange puts one address into a checksum in the place of another, which may be of the
// other family: RFC 1624, equation 3.
func exchange(sum uint16, old, new netip.Addr) uint16 {
	return ^fold(uint64(^sum) + uint64(^fold(addressSum(old))) + addressSum(new))
}

// addressSum adds up an address in words of 32 bits, for fold.
func addressSum(a netip.Addr) (sum uint64) {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	for at := 0; at < len(b); at += 4 {
		sum += uint64(binary.BigEndian.Uint32(b[at:]))
	}
	return sum
}

// checksumOf is that of a packet of TCP, UDP or ICMPv6, in which its field is zero: RFC 9293, Section
// 3.1; RFC 768; RFC 8200, Section 8.1. That of UDP is never zero.
func checksumOf(src, dst netip.Addr, proto uint8, packet []byte) uint16 {
	sum := addressSum(src) + addressSum(dst) + uint64(proto) + uint64(len(packet))
	for ; len(packet) >= 8; packet = packet[8:] {
		words := binary.BigEndian.Uint64(packet)
		sum += words>>32 + words&0xffffffff
	}
	var rest [8]byte
	copy(rest[:], packet)
	words := binary.BigEndian.Uint64(rest[:])
	sum = uint64(^fold(sum + words>>32 + words&0xffffffff))
	if sum == 0 && proto == ipsec.ProtoUDP {
		return 0xffff
	}
	return uint16(sum)
}
