package hosts

import (
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// responses are the dynamic filters of the default response rule: one for each
// selector that a peer has agreed on with it, there as long as an SA under it is, or
// one is being negotiated. How long Windows keeps them is not published.
type responses struct {
	last    int
	dynamic []policy.Response
}

// responded makes the dynamic filter of an inbound SA that the default response rule
// has accepted, if it is the first for its selector, and puts its ID on the SA. Others
// it returns as they are.
func (a *agent) responded(in ipsec.SAParams) ipsec.SAParams {
	if a.compiled == nil || !a.compiled.IsResponse(in.Rule) {
		return in
	}
	outbound := in.Selector.Reverse()
	i := slices.IndexFunc(a.responses.dynamic, func(r policy.Response) bool { return r.Outbound == outbound })
	if i < 0 {
		i = len(a.responses.dynamic)
		a.responses.last++
		a.responses.dynamic = append(a.responses.dynamic, policy.Response{Number: a.responses.last, Outbound: outbound})
		a.plumb("default response rule: filter added for " + outbound.String())
	}
	in.PolicyID = a.compiled.ResponseID(a.responses.dynamic[i])
	return in
}

// retire removes the dynamic filters that no SA needs any more.
func (a *agent) retire(now time.Time) {
	if len(a.responses.dynamic) == 0 {
		return
	}
	needed := map[ipsec.Selector]bool{}
	for _, sa := range a.host.driver.esp.SAs() {
		outbound := sa.Selector
		if sa.Direction == ipsec.Inbound {
			outbound = outbound.Reverse()
		}
		needed[outbound] = needed[outbound] || a.compiled.IsResponse(sa.Rule)
	}
	kept := slices.DeleteFunc(slices.Clone(a.responses.dynamic), func(r policy.Response) bool {
		return !needed[r.Outbound] && !a.host.driver.esp.AcquiringFor(a.compiled.ResponseID(r))
	})
	if gone := len(a.responses.dynamic) - len(kept); gone > 0 {
		a.responses.dynamic = kept
		a.plumb("default response rule: filters without SAs removed")
	}
}

// plumb gives the driver the filters that are in force.
func (a *agent) plumb(why string) {
	with := a.compiled.WithResponse(a.responses.dynamic)
	a.host.driver.esp.SetPolicy(with.Outbound, with.Inbound)
	a.inForce = with
	a.host.record(trace.FiltersChanged{Reason: why, Filters: with.Specific()})
}
