package hosts

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// expandSoon expands the policy again for what its filters stand for now: My IP
// Address is one filter for each address of the host (C113), and has to follow them.
// When Windows does so after a change is unconfirmed: Config.ExpandAfter.
func (a *agent) expandSoon(reason string) {
	if after := a.host.config.ExpandAfter; after > 0 {
		a.host.after(after, func() { a.expand(reason) })
		return
	}
	a.expand(reason)
}

// expand compiles the policy in force for the present addresses and servers, that of
// the persistent store too while the driver waits for the agent. SAs go on whose filters are
// still there. Filters that a stopped agent has left stay what they were.
func (a *agent) expand(reason string) {
	if a.left || a.policy == nil && a.persistent == nil {
		return
	}
	next, err := a.compile(a.assigned)
	if err != nil { // it compiled for other addresses, and there is nobody to tell
		a.host.record(trace.FiltersChanged{Reason: reason + ": not expanded: " + err.Error(), Filters: a.inForce.Specific()})
		return
	}
	next.Keep(a.compiled)
	same := slices.Equal(a.compiled.Specific(), next.Specific())
	if a.compiled = next; same {
		return
	}
	a.plumb("expanded again: " + reason)
	a.host.driver.policy.changed(a.host.world.Now())
	a.host.keying.endWithoutFilter("its filter is gone: " + reason)
}

// lose ends what there is from an address that the host no longer has.
func (k *keying) lose(local netip.Addr, reason string) {
	if s := k.sockets[local]; s != nil {
		s.close()
		delete(k.sockets, local)
	}
	now, reason := k.host.world.Time(), "the host no longer has the address: "+reason
	k.mux.LoseLocal(now, local, reason)
	d := k.host.driver
	for _, a := range k.answered {
		if a.in.Dst == local {
			k.fail(now, a.waiting)
		}
	}
	k.answered = slices.DeleteFunc(k.answered, func(a *answered) bool { return a.in.Dst == local })
	k.end(now, reason, func(sa ipsec.SAParams) bool { return localOf(sa) == local })
	d.esp.EndSoft(now, local, reason)
	d.esp.FailWhere(now, func(from netip.Addr, _ int) bool { return from == local })
	k.pump()
}

// endWithoutFilter ends the SAs and the acquires of filters that are gone, and tells the peers.
func (k *keying) endWithoutFilter(reason string) {
	now, compiled := k.host.world.Time(), k.host.agent.inForce
	k.end(now, reason, func(sa ipsec.SAParams) bool { return sa.PolicyID != 0 && !compiled.Has(sa.PolicyID) })
	k.host.driver.esp.FailWhere(now, func(_ netip.Addr, policyID int) bool { return !compiled.Has(policyID) })
	k.pump()
}

// end removes SAs, and tells the peers as far as there are main modes with them.
func (k *keying) end(now time.Time, reason string, match func(ipsec.SAParams) bool) {
	for _, sa := range k.host.driver.esp.RemoveWhere(now, reason, match) {
		k.ended(now, sa)
	}
}

// localOf is the address of this host at the end of an SA.
func localOf(sa ipsec.SAParams) netip.Addr {
	if sa.Direction == ipsec.Outbound {
		return sa.Src
	}
	return sa.Dst
}
