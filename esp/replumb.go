package esp

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// RemoveWhere removes the SAs that match, with their bundles, and returns them in
// the order of adding. Soft SAs are not asked about: see EndSoft.
func (p *Pipeline) RemoveWhere(now time.Time, reason string, match func(ipsec.SAParams) bool) (removed []ipsec.SAParams) {
	return p.removeWhere(func(s *sa) bool { return match(s.SAParams) }, reason)
}

// EndSoft ends the soft SAs of a local address.
func (p *Pipeline) EndSoft(now time.Time, local netip.Addr, reason string) {
	for _, s := range slices.Clone(p.softs) {
		if s.key.local == local {
			p.endSoft(s.key, reason)
		}
	}
}

// FailWhere is Fail for all acquires from a local address, which is invalid for those
// of a tunnel, or for a policy entry, by its ID. match says which.
func (p *Pipeline) FailWhere(now time.Time, match func(local netip.Addr, policyID int) bool) {
	for _, id := range slices.Sorted(maps.Keys(p.holds.byID)) {
		if a := p.holds.byID[id]; match(a.key.src, a.key.policyID) {
			p.Fail(now, id)
		}
	}
}
