package classifier

import (
	"encoding/binary"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// words is an address as two numbers. IPv4 stands in the upper half of the first, so
// that a prefix length masks both families alike.
type words struct{ hi, lo uint64 }

func (w words) and(m words) words { return words{w.hi & m.hi, w.lo & m.lo} }

// wordsOf is the address; zero for none.
func wordsOf(a netip.Addr) words {
	switch {
	case a.Is4():
		b := a.As4()
		return words{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32}
	case a.Is6():
		b := a.As16()
		return words{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	}
	return words{}
}

// mask is what counts of an address; nothing does of any address.
func (n length) mask() words {
	switch bits := int(n) - 1; {
	case bits <= 0:
		return words{}
	case bits < 64:
		return words{hi: ^uint64(0) << (64 - bits)}
	default:
		return words{^uint64(0), ^uint64(0) << (128 - bits)}
	}
}

// Masks of the fields besides addresses, which share a word.
var fieldMasks = [3]uint64{0xff << 32, 0xffff << 16, 0xffff}

func pack(proto uint8, src, dst uint16) uint64 {
	return uint64(proto)<<32 | uint64(src)<<16 | uint64(dst)
}

func fieldsOf(s *ipsec.Selector) uint64 { return pack(s.Proto, s.SrcPort, s.DstPort) }

// has is a bit for each field that is not zero, which stands for any or none.
func has(fields uint64) (bits uint8) {
	for i, mask := range fieldMasks {
		if fields&mask != 0 {
			bits |= 1 << i
		}
	}
	return bits
}

// maskOf are the fields with those bits.
func maskOf(bits uint8) (fields uint64) {
	for i, mask := range fieldMasks {
		if bits&(1<<i) != 0 {
			fields |= mask
		}
	}
	return fields
}

// end is one end of a query with what is known of the prefix lengths that may hold
// it, in bits by length: for which of them the sets were asked, and which are out of
// the question.
type end struct {
	words
	asked, out [4]uint64
}

// upTo rules out all lengths above n.
func (e *end) upTo(n length) {
	e.out = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	for word := range n >> 6 {
		e.out[word] = 0
	}
	e.out[n>>6] = ^uint64(0) << (n & 63) << 1
}

// outOf are the combinations of fields that something with these fields cannot have.
var outOf = func() (out [8]uint64) {
	for has := range out {
		for needs := range 8 {
			if needs&^has != 0 {
				out[has] |= 1 << needs
			}
		}
	}
	return out
}()

// query is what a list is searched for: the packets of a flow, or all of a selector.
type query struct {
	v6       bool
	src, dst end
	fields   uint64

	// By the bits of has: what combinations of fields the sets were asked for, and
	// which are out of the question.
	fieldsAsked, fieldsOut uint64

	whole    bool // of a selector: its ICMP types are demanded, not one of them
	types    ipsec.ICMPTypes
	typeless bool // a fragment, which shows no ICMP type
}

// admits reports whether a range of ICMP types, other than all, has those of the query.
func (q *query) admits(t ipsec.ICMPTypes) bool {
	if q.whole {
		return t == q.types
	}
	return !q.typeless && t.First <= q.types.First && q.types.First <= t.Last
}

// flow asks for a packet. false: its addresses are not of one family, or in a form
// that no packet has, so that tables do not have them.
func (q *query) flow(f *ipsec.Flow) bool {
	q.v6 = f.Src.Is6()
	if f.Src.BitLen() != f.Dst.BitLen() || f.Src.BitLen() == 0 || q.v6 && (f.Src.Zone() != "" || f.Dst.Zone() != "") {
		return false
	}
	q.src.words, q.dst.words = wordsOf(f.Src), wordsOf(f.Dst)
	q.fields = pack(f.Proto, f.SrcPort, f.DstPort)
	q.fieldsOut = outOf[has(q.fields)]
	q.types.First, q.typeless = f.ICMPType, f.Fragment
	return true
}

// selector asks for what holds all of a selector. false: see flow.
func (q *query) selector(s *ipsec.Selector) bool {
	if s.Src.IsValid() && s.Dst.IsValid() && s.Src.Addr().BitLen() != s.Dst.Addr().BitLen() {
		return false
	}
	q.inside(&q.src, s.Src)
	q.inside(&q.dst, s.Dst)
	q.fields = fieldsOf(s)
	q.fieldsOut = outOf[has(q.fields)]
	q.whole, q.types = true, s.ICMP
	return true
}

// inside asks for what holds all of a prefix at one end.
func (q *query) inside(e *end, p netip.Prefix) {
	if !p.IsValid() {
		e.upTo(0)
		return
	}
	q.v6 = p.Addr().Is6()
	e.words = wordsOf(p.Addr())
	e.upTo(length(p.Bits() + 1))
}

// Holds reports whether every packet of inner is one of outer.
func Holds(outer, inner *ipsec.Selector) bool {
	prefix := func(o, i netip.Prefix) bool {
		return o == netip.Prefix{} || i.IsValid() && i.Bits() >= o.Bits() && o.Contains(i.Addr())
	}
	return prefix(outer.Src, inner.Src) && prefix(outer.Dst, inner.Dst) &&
		(outer.Proto == ipsec.ProtoAny || outer.Proto == inner.Proto) &&
		(outer.SrcPort == 0 || outer.SrcPort == inner.SrcPort) &&
		(outer.DstPort == 0 || outer.DstPort == inner.DstPort) &&
		(outer.ICMP == ipsec.ICMPTypes{} || outer.ICMP == inner.ICMP)
}
