package classifier

import (
	"math/bits"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// family is what packets of one IP version are held against: the shapes that they
// can match, by their lowest index.
type family struct {
	heads  []head // one for each shape, for those that are passed over
	shapes []shape

	// What the selectors have, so that shapes are passed over; nil leaves it open.
	src, dst lengths
	fields   []set // by the bits of has
}

// length is a prefix length, counted from 1 for that of all addresses of a family; 0
// stands for any address of either.
type length uint8

// head is what has to be known of a shape before its table is asked.
type head struct {
	lowest   int32
	src, dst length
	needs    uint8 // the fields that it names, see has
}

// shape are the selectors that name the same fields.
type shape struct {
	src, dst words // masks of the prefix lengths
	fields   uint64
	types    ipsec.ICMPTypes
	slots    []slot // open addressing; a power of two, half of them free at least
}

// slot is a place of a hash table: a selector, and a part of its hash.
type slot struct {
	mark  uint32
	index int32
}

// free is the index of a slot that holds nothing.
const free = -1

// key are the fields of a selector that count in its shape.
type key struct {
	src, dst words
	fields   uint64
}

// hash mixes by multiplication to 128 bits, folded. It is the same in every run.
func (k *key) hash() uint64 {
	fold := func(a, b uint64) uint64 {
		hi, lo := bits.Mul64(a, b)
		return hi ^ lo
	}
	h := fold(k.src.hi^0x9e3779b97f4a7c15, k.dst.hi^0xc2b2ae3d27d4eb4f)
	if k.src.lo|k.dst.lo != 0 {
		h ^= fold(k.src.lo^0x165667b19e3779f9, k.dst.lo^0xd6e8feb86659fd93)
	}
	return fold(h^k.fields, 0xa0761d6478bd642f)
}

// newSlots is a table for n selectors.
func newSlots(n int) []slot {
	s := make([]slot, 1<<bits.Len(uint(2*n-1)))
	for i := range s {
		s[i].index = free
	}
	return s
}

// may reports whether a shape can have what a query asks for. What the query has
// learned answers most often.
func (f *family) may(h head, q *query) bool {
	if (q.src.out[h.src>>6]>>(h.src&63)|q.dst.out[h.dst>>6]>>(h.dst&63)|q.fieldsOut>>h.needs)&1 != 0 {
		return false
	}
	return f.fields == nil || f.ask(h, q)
}

// ask answers by the sets, each of which is asked once in a search.
func (f *family) ask(h head, q *query) bool {
	if bit := uint64(1) << h.needs; h.needs != 0 && q.fieldsAsked&bit == 0 {
		q.fieldsAsked |= bit
		if !f.fields[h.needs].has(markOf(words{hi: q.fields & maskOf(h.needs)})) {
			q.fieldsOut |= bit
			return false
		}
	}
	return f.src.hold(&q.src, h.src) && f.dst.hold(&q.dst, h.dst)
}

// lengths tells which prefix lengths of one side have a prefix that holds an
// address: for each a set of hashes, in which a false find does no harm.
type lengths []set

// set are the hashes of the prefixes of one length, in open addressing; 0 is a free place.
type set struct {
	marks []uint32
	n     int
}

// hold reports whether there is a prefix of the length that holds the end of a query.
func (l lengths) hold(e *end, n length) bool {
	word, bit := n>>6, uint64(1)<<(n&63)
	if n > 1 && e.asked[word]&bit == 0 {
		e.asked[word] |= bit
		if !l[n].has(markOf(e.and(n.mask()))) {
			e.out[word] |= bit
			return false
		}
	}
	return true
}

// markOf is what a set remembers of a prefix; it is never 0.
func markOf(w words) uint32 {
	k := key{src: w}
	return uint32(k.hash()>>32) | 1
}

// place is where a mark is, or the free place where it belongs.
func (s *set) place(mark uint32) int {
	at := int(mark>>1) & (len(s.marks) - 1)
	for s.marks[at] != 0 && s.marks[at] != mark {
		at = (at + 1) & (len(s.marks) - 1)
	}
	return at
}

func (s *set) has(mark uint32) bool { return s.n > 0 && s.marks[s.place(mark)] != 0 }

func (s *set) add(mark uint32) {
	if s.has(mark) {
		return
	}
	if old := s.marks; 2*(s.n+1) > len(old) {
		s.marks = make([]uint32, max(4, 2*len(old)))
		for _, m := range old {
			if m != 0 {
				s.marks[s.place(m)] = m
			}
		}
	}
	s.marks[s.place(mark)] = mark
	s.n++
}
