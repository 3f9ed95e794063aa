package discovery

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/natbox/nat"
)

// Box is a box that a discovery may meet.
type Box struct {
	Name   string
	Expect map[string]Expectation // by key
}

// NewBox is one of which the settings are known, as hosts with these inside addresses see it.
func NewBox(name string, c nat.Config, inside []netip.Addr) Box {
	return Box{name, Expect(c, inside)}
}

// Contradiction is a finding that a box would not have given.
type Contradiction struct {
	Finding
	Want string
}

// Against are the findings that speak against a box, in the order of the report.
func (b Box) Against(r Report) (all []Contradiction) {
	for _, f := range r.Findings {
		if want, ok := b.Expect[f.Key]; ok && !want.Fits(f) {
			all = append(all, Contradiction{f, want.String()})
		}
	}
	return all
}

// Fitting are the names of the boxes that no finding speaks against. A box may be there
// several times, as it shows itself to one inside host and to another.
func Fitting(r Report, boxes []Box) (names []string) {
	if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Unknown == "" }) {
		return nil // nothing was observed
	}
	for _, b := range boxes {
		if len(b.Against(r)) == 0 && !slices.Contains(names, b.Name) {
			names = append(names, b.Name)
		}
	}
	return names
}

// Apart are the keys by which a discovery tells two boxes apart. None: to it they are one box.
func Apart(a, b Box) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(a.Expect)) {
		if other, ok := b.Expect[key]; ok && a.Expect[key].excludes(other) {
			keys = append(keys, key)
		}
	}
	return keys
}
