package nat

import "math/bits"

// key is what records are found by: two endpoints and a protocol.
type key struct {
	a, b   uint32 // addresses
	ap, bp uint16 // ports or identifiers
	proto  uint8
}

// hash is the folded product of both halves, keyed so that nobody outside can choose keys
// that meet, and spread over its upper bits: keys that differ little would else differ by strides.
func (k key) hash(seed *[2]uint64) uint32 {
	hi, lo := bits.Mul64(uint64(k.a)<<32|uint64(k.b)^seed[0], uint64(k.ap)<<48|uint64(k.bp)<<32|uint64(k.proto)^seed[1])
	return uint32((hi ^ lo) * 0x9e3779b97f4a7c15 >> 32)
}

// index finds the numbers of records by key: open addressing with linear probing. A slot
// keeps the hash, so that a probe looks at a record only when it is most likely the right
// one, and so that growing and removing look at none.
type index struct {
	slots []slot // a power of two
	n     int
	of    func(uint32) key // the key of a record
}

type slot struct{ hash, record uint32 } // record 0: free

func (x *index) find(h uint32, k key) uint32 {
	if x.n == 0 {
		return 0
	}
	mask := uint32(len(x.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := x.slots[i]
		if s.record == 0 {
			return 0
		}
		if s.hash == h && x.of(s.record) == k {
			return s.record
		}
	}
}

// add puts in a record whose key is not there.
func (x *index) add(h, record uint32) {
	if x.n >= len(x.slots)/4*3 {
		x.grow()
	}
	x.n++
	x.put(slot{h, record})
}

func (x *index) put(s slot) {
	mask := uint32(len(x.slots) - 1)
	i := s.hash & mask
	for x.slots[i].record != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = s
}

func (x *index) grow() {
	old := x.slots
	x.slots = make([]slot, max(2*len(old), 16))
	for _, s := range old {
		if s.record != 0 {
			x.put(s)
		}
	}
}

// remove takes out a record, and moves those behind it that would no longer be found.
func (x *index) remove(h, record uint32) {
	if x.n == 0 {
		return
	}
	mask := uint32(len(x.slots) - 1)
	i := h & mask
	for x.slots[i].record != record {
		if x.slots[i].record == 0 {
			return
		}
		i = (i + 1) & mask
	}
	x.n--
	for j := i; ; {
		j = (j + 1) & mask
		s := x.slots[j]
		if s.record == 0 {
			break
		}
		// s may move to i when its home is not in (i, j].
		if (j-s.hash)&mask >= (j-i)&mask {
			x.slots[i] = s
			i = j
		}
	}
	x.slots[i] = slot{}
}
