package lint

import (
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/classifier"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// searchable are some of a unit's filters, made to be searched: policies may have a
// hundred thousand.
type searchable struct {
	places []int // in unit.filters, in search order
	index  *classifier.Index
}

func newSearchable(filters []policy.SpecificFilter, which func(*policy.SpecificFilter) bool) searchable {
	var s searchable
	for i := range filters {
		if which(&filters[i]) {
			s.places = append(s.places, i)
		}
	}
	s.index = classifier.New(len(s.places), func(i int) *ipsec.Selector { return &filters[s.places[i]].Selector })
	return s
}

// holder is the place of the first filter that holds all of a selector; ok is false if none does.
func (s searchable) holder(inner ipsec.Selector) (place int, ok bool) {
	i := s.index.Holding(&inner)
	if i < 0 {
		return 0, false
	}
	return s.places[i], true
}

// prepare makes a unit's filters searchable.
func (u *unit) prepare() {
	known := u.host != nil
	u.all = newSearchable(u.filters, func(*policy.SpecificFilter) bool { return true })
	u.outbound = newSearchable(u.filters, func(f *policy.SpecificFilter) bool { return f.Outbound || !known })
	u.inbound = newSearchable(u.filters, func(f *policy.SpecificFilter) bool { return f.Inbound || !known })
	u.made = map[[2]int][]int{}
	for i := range u.filters {
		f := &u.filters[i]
		g := [2]int{f.Rule, f.Filter}
		u.made[g] = append(u.made[g], i)
	}
}

// first is the first filter in search order that holds a whole selector.
func (u *unit) first(s ipsec.Selector) (policy.SpecificFilter, bool) {
	i, ok := u.all.holder(s)
	if !ok {
		return policy.SpecificFilter{}, false
	}
	return u.filters[i], true
}
