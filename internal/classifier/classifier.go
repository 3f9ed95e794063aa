// Package classifier finds the first of many selectors that matches a packet, in
// whatever order they stand: packet classification with the verdicts of an ordered
// list (RFC 4301, Section 4.4.1) and without its walk.
//
// # Structure
//
// It is tuple space search (Srinivasan, Suri, Varghese: Packet Classification Using
// Tuple Space Search, SIGCOMM 1999). Selectors are alike in shape that have the same
// source prefix length and destination prefix length (any address is a length of its
// own), the same of protocol, source port and destination port named, and the same
// range of ICMP types. A shape is a hash table from those fields to the lowest index
// of a selector; one probe of it answers for all selectors of the shape.
//
// Shapes are tried in the order of their lowest index, and the search ends when the
// best index found is below the lowest of all shapes that are left: at once, in a list
// that is sorted by specificity as policies are, and never with more probes than a
// walk of the list makes comparisons. A shape is passed over when no selector at all
// names the packet's protocol and ports in that combination, or has a prefix of that
// length which holds the packet's address. Each of these questions is asked once in a
// search, when the first shape that needs it has its turn.
//
// # Cost
//
// That of a search grows with the number of shapes, not with that of selectors;
// policies have few, whatever their length. Building is linear in the selectors, and
// the tables take 16 to 32 bytes for each of a large shape. The worst case is a list in which nearly
// every selector has a shape of its own, as the lengths of IPv6 allow: each shape is
// looked at, in eight bytes that stand in a row.
package classifier

import (
	"math"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Index is an ordered list of selectors, made for searching. It does not change and
// may be read from several goroutines; a search allocates nothing.
type Index struct {
	n         int
	at        func(int) *ipsec.Selector
	addresses bool // nothing but addresses counts

	// What the packets of a family are held against.
	four, six family

	// next is the selector behind one with the same fields, n for none; nil unless All is served.
	next []int32
}

// New makes an index of the selectors at(0) to at(n-1), which must stay as they are.
func New(n int, at func(int) *ipsec.Selector) *Index {
	x := &Index{n: n, at: at}
	x.build()
	return x
}

// Addresses makes an index for which the addresses of selectors count alone, and
// which serves All.
func Addresses(n int, at func(int) *ipsec.Selector) *Index {
	x := &Index{n: n, at: at, addresses: true, next: make([]int32, n)}
	x.build()
	return x
}

// Len is the number of selectors.
func (x *Index) Len() int { return x.n }

// Shapes is the number of shapes that packets of a family can match, of the family
// that has more.
func (x *Index) Shapes() int { return max(len(x.four.heads), len(x.six.heads)) }

// First is the index of the first selector that matches the packet; -1 when none does.
func (x *Index) First(f *ipsec.Flow) int {
	var q query
	if !q.flow(f) {
		return x.walk(func(s *ipsec.Selector) bool { return s.Matches(f) })
	}
	return x.first(&q)
}

// Holding is the index of the first selector that holds all of inner: every packet
// of inner is one of that selector's. -1 when none does.
func (x *Index) Holding(inner *ipsec.Selector) int {
	var q query
	if !q.selector(inner) {
		return x.walk(func(s *ipsec.Selector) bool { return Holds(s, inner) })
	}
	return x.first(&q)
}

// All are the selectors below limit that match the addresses of a packet, in order.
// The index must be one of Addresses. Its cost grows with the number of those found.
func (x *Index) All(f *ipsec.Flow, limit int) (found []int) {
	var q query
	if !q.flow(f) {
		for i := range limit {
			if s := x.fields(i); s.Matches(f) {
				found = append(found, i)
			}
		}
		return found
	}
	fam := x.family(&q)
	for i, h := range fam.heads {
		if int(h.lowest) >= limit {
			break
		}
		if !fam.may(h, &q) {
			continue
		}
		for m := x.probe(&fam.shapes[i], &q); int(m) < limit; m = x.next[m] {
			found = append(found, int(m))
		}
	}
	slices.Sort(found)
	return found
}

// fields is a selector with the fields that count.
func (x *Index) fields(i int) ipsec.Selector {
	s := *x.at(i)
	if x.addresses {
		s = ipsec.Selector{Src: s.Src, Dst: s.Dst}
	}
	return s
}

// walk is the search without tables, for the rare packet that no table is for.
func (x *Index) walk(match func(*ipsec.Selector) bool) int {
	for i := range x.n {
		if s := x.fields(i); match(&s) {
			return i
		}
	}
	return -1
}

func (x *Index) family(q *query) *family {
	if q.v6 {
		return &x.six
	}
	return &x.four
}

func (x *Index) first(q *query) int {
	best := int32(math.MaxInt32)
	fam := x.family(q)
	for i, h := range fam.heads {
		if h.lowest >= best {
			break
		}
		if !fam.may(h, q) {
			continue
		}
		s := &fam.shapes[i]
		if s.types == (ipsec.ICMPTypes{}) || q.admits(s.types) {
			best = min(best, x.probe(s, q))
		}
	}
	if best == math.MaxInt32 {
		return -1
	}
	return int(best)
}

// probe is the lowest index that a shape has for the fields of a query; above all for none.
func (x *Index) probe(s *shape, q *query) int32 {
	k := key{q.src.and(s.src), q.dst.and(s.dst), q.fields & s.fields}
	h := k.hash()
	mark := uint32(h >> 32)
	for at := int(h) & (len(s.slots) - 1); s.slots[at].index != free; at = (at + 1) & (len(s.slots) - 1) {
		// Equal marks are seldom those of other fields.
		if s.slots[at].mark == mark && x.key(s, s.slots[at].index) == k {
			return s.slots[at].index
		}
	}
	return math.MaxInt32
}

// key is what the table of a shape has a selector under.
func (x *Index) key(s *shape, i int32) key {
	sel := x.at(int(i))
	return key{wordsOf(sel.Src.Addr()).and(s.src), wordsOf(sel.Dst.Addr()).and(s.dst), fieldsOf(sel) & s.fields}
}
