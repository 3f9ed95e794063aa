package classifier

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// lengthsFrom is the number of shapes from which sets of lengths pay: with fewer,
// their questions cost what they save.
const lengthsFrom = 8

// form is what selectors of one shape have in common.
type form struct {
	v4, v6   bool // the family; neither when both ends are any address
	src, dst length
	needs    uint8
	types    ipsec.ICMPTypes
}

// build makes the tables. Shapes are counted first, so that each gets its size.
func (x *Index) build() {
	var (
		forms  []form // in the order of their first selector
		counts []int
		lowest []int
		number = map[form]int32{}
		of     = make([]int32, x.n)
	)
	for i := range x.n {
		f, ok := x.form(i)
		if !ok {
			of[i] = -1
			continue
		}
		k, known := number[f]
		if !known {
			k = int32(len(forms))
			number[f] = k
			forms, counts, lowest = append(forms, f), append(counts, 0), append(lowest, i)
		}
		of[i] = k
		counts[k]++
	}
	shapes := make([]shape, len(forms))
	for k, f := range forms {
		shapes[k] = shape{src: f.src.mask(), dst: f.dst.mask(), fields: maskOf(f.needs), types: f.types, slots: newSlots(counts[k])}
		if !f.v6 {
			x.four.add(lowest[k], f, shapes[k])
		}
		if !f.v4 {
			x.six.add(lowest[k], f, shapes[k])
		}
	}
	// The last one first, so that the lowest index of equal fields stays in the table.
	for i := x.n - 1; i >= 0; i-- {
		if k := of[i]; k >= 0 {
			x.insert(forms[k], &shapes[k], int32(i))
		}
	}
}

// form is the shape of a selector. false: no packet can match it.
func (x *Index) form(i int) (f form, ok bool) {
	s := x.fields(i)
	end := func(p netip.Prefix) length {
		switch {
		case p == netip.Prefix{}:
			return 0
		case p.Addr().Is4():
			f.v4 = true
		default:
			f.v6 = true
		}
		ok = ok && p.IsValid()
		return length(p.Bits() + 1)
	}
	ok = true
	f.src, f.dst = end(s.Src), end(s.Dst)
	f.needs, f.types = has(fieldsOf(&s)), s.ICMP
	return f, ok && !(f.v4 && f.v6)
}

func (f *family) add(lowest int, of form, s shape) {
	f.heads = append(f.heads, head{lowest: int32(lowest), src: of.src, dst: of.dst, needs: of.needs})
	f.shapes = append(f.shapes, s)
	if len(f.heads) == lengthsFrom {
		f.src, f.dst, f.fields = make(lengths, 130), make(lengths, 130), make([]set, 8)
	}
}

func (x *Index) insert(f form, s *shape, i int32) {
	k := x.key(s, i)
	h := k.hash()
	at := int(h) & (len(s.slots) - 1)
	for s.slots[at].index != free && (s.slots[at].mark != uint32(h>>32) || x.key(s, s.slots[at].index) != k) {
		at = (at + 1) & (len(s.slots) - 1)
	}
	if x.next != nil {
		x.next[i] = int32(x.n)
		if s.slots[at].index != free {
			x.next[i] = s.slots[at].index
		}
	}
	s.slots[at] = slot{uint32(h >> 32), i}
	if !f.v6 {
		x.four.learn(f, k)
	}
	if !f.v4 {
		x.six.learn(f, k)
	}
}

// learn puts the ends and the fields of a selector into the sets.
func (f *family) learn(of form, k key) {
	if f.src == nil {
		return
	}
	if of.src > 1 {
		f.src[of.src].add(markOf(k.src))
	}
	if of.dst > 1 {
		f.dst[of.dst].add(markOf(k.dst))
	}
	if of.needs != 0 {
		f.fields[of.needs].add(markOf(words{hi: k.fields}))
	}
}
