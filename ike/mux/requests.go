package mux

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/ikev1"
)

// pump starts the waiting requests of a peer under a main mode that is up, or
// starts a main mode for them. A main mode that the peer is starting is not
// waited for: two sides may start at the same time, and whichever main mode is
// up first serves.
func (m *Mux) pump(now time.Time, p peer) {
	for len(m.waiting[p]) > 0 {
		if e := m.usable(now, p); e != nil {
			w := m.waiting[p][0]
			m.dequeue(p)
			e.sa.StartQuickMode(now, w.request, w.attempts+1)
			m.after(now, e)
			continue
		}
		if m.initiating(p) {
			return
		}
		policy, ok := m.config.Policy.MainMode(p.local, p.remote)
		if !ok {
			m.failWaiting(p, ike.Errorf(ike.CodeNoPolicy, 0, "no rule of the policy concerns %v", p.remote))
			return
		}
		sa, err := ikev1.Initiate(&m.env, now, netip.AddrPortFrom(p.local, Port), netip.AddrPortFrom(p.remote, Port), policy)
		if err != nil {
			m.failWaiting(p, err)
			return
		}
		m.add(now, sa)
	}
}

// replace starts a main mode in place of e, which nears its end, if a pair with
// the peer may want one: so that it does not have to wait for it then. An error
// is for the next request to meet again.
func (m *Mux) replace(now time.Time, e *entry) {
	p := e.peer()
	outlived := slices.ContainsFunc(m.remotes[p.remote], func(other *entry) bool {
		return other.peer() == p && other.sa.Usable(now) && other.sa.Expires().After(e.sa.Expires())
	})
	if outlived || m.initiating(p) || !m.pairs.any(now, p.remote) {
		return
	}
	if policy, ok := m.config.Policy.MainMode(p.local, p.remote); ok {
		if sa, err := ikev1.Initiate(&m.env, now, e.sa.Local(), e.sa.Remote(), policy); err == nil {
			m.add(now, sa)
		}
	}
}

func (m *Mux) enqueue(p peer, w waiting) {
	m.waits++
	m.waiting[p] = append(m.waiting[p], w)
}

func (m *Mux) dequeue(p peer) {
	m.waits--
	if m.waiting[p] = m.waiting[p][1:]; len(m.waiting[p]) == 0 {
		delete(m.waiting, p)
	}
}

// usable is the newest main mode with the peer that another quick mode may use.
func (m *Mux) usable(now time.Time, p peer) *entry {
	var newest *entry
	for _, e := range m.remotes[p.remote] {
		if e.peer() == p && e.sa.Usable(now) && (newest == nil || e.established > newest.established) {
			newest = e
		}
	}
	return newest
}

// initiating reports whether we have a main mode with the peer under way.
func (m *Mux) initiating(p peer) bool {
	return slices.ContainsFunc(m.remotes[p.remote], func(e *entry) bool {
		return e.peer() == p && e.sa.Initiator() && e.established == 0 && !e.sa.Gone()
	})
}

// failed reports a request that came to nothing.
func (m *Mux) failed(e ike.EventFailed) {
	m.env.Statistics.AcquireFailures++
	m.events = append(m.events, e)
}

// failWaiting fails all requests that wait for a main mode with the peer.
func (m *Mux) failWaiting(p peer, err error) {
	for _, w := range m.waiting[p] {
		m.failed(ike.EventFailed{RequestID: w.request.ID, Remote: p.remote, Err: err})
	}
	m.waits -= len(m.waiting[p])
	delete(m.waiting, p)
}

// waitingPeers are the peers with waiting requests, in a fixed order.
func (m *Mux) waitingPeers() []peer {
	var ps []peer
	for p := range m.waiting {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b peer) int {
		if c := a.remote.Compare(b.remote); c != 0 {
			return c
		}
		return a.local.Compare(b.local)
	})
	return ps
}

// unserved puts a request back whose main mode ended beneath it.
func (m *Mux) unserved(p peer, u ike.EventUnserved) {
	if u.Attempts >= maxAttempts {
		m.failed(ike.EventFailed{RequestID: u.Request.ID, Remote: p.remote, Err: u.Err})
		return
	}
	m.enqueue(p, waiting{request: u.Request, attempts: u.Attempts})
}

// alone reports that there is nothing between us and the peer of sa but sa: see ikev1.Env.
// Main modes and quick modes under way count, since a peer that takes INITIAL-CONTACT literally would drop its half of them.
func (m *Mux) alone(now time.Time, sa *ikev1.SA) bool {
	for _, e := range m.remotes[sa.Remote().Addr()] {
		if e.sa != sa && !e.sa.Refused() && (!e.sa.Gone() || e.sa.Busy()) {
			return false
		}
	}
	return !m.pairs.any(now, sa.Remote().Addr())
}

// known reports an established main mode with an address: see ikev1.Env.
func (m *Mux) known(remote netip.Addr) bool {
	return slices.ContainsFunc(m.remotes[remote], func(e *entry) bool { return e.sa.Established() })
}

// initialContact acts on the peer's word that it has no SA but e: the others
// are left over from before it forgot them (RFC 2407, Section 4.6.3.3). Only
// what was established before message 1 of e came can be that old; a main mode
// that both sides started at the same time is not. And only what the same computer
// had, by its identity, address and port, goes: others may share its address. One that
// comes back from another port keeps its old SAs until nothing uses them.
func (m *Mux) initialContact(now time.Time, e *entry) {
	reason := ike.Errorf(ike.CodeSADeleted, 0, "the peer has started anew: it sent INITIAL-CONTACT")
	for _, old := range slices.Clone(m.remotes[e.source()]) {
		if old != e && old.computer() == e.computer() && old.established != 0 && old.established < e.serial {
			old.sa.Kill(now, "deleted", reason, false)
			m.after(now, old)
		}
	}
	m.events = append(m.events, m.pairs.forget(e.computer(), e.serial)...)
}

// silent ends the main modes with the peer of e that have heard nothing since
// the given time: a peer that has lost one has most likely lost them all, and
// the next request shall not try them one by one.
func (m *Mux) silent(now time.Time, e *entry, since time.Time) {
	for _, other := range slices.Clone(m.remotes[e.source()]) {
		if other != e && other.peer() == e.peer() && other.computer() == e.computer() {
			other.sa.Silent(now, since)
			m.after(now, other)
		}
	}
}

// newest reports that no main mode between the hosts of sa was established after it: see ikev1.Env.
func (m *Mux) newest(sa *ikev1.SA) bool {
	e := m.cookies[sa.Cookies()]
	return e != nil && !slices.ContainsFunc(m.remotes[e.source()], func(other *entry) bool {
		return other.peer() == e.peer() && other.sa.Established() && other.established > e.established
	})
}

// dead ends what there is with the peer of e (RFC 3706, Section 5.4), which is told
// nothing. Traffic that comes up then asks for SAs anew.
func (m *Mux) dead(now time.Time, e *entry) {
	reason := ike.Errorf(ike.CodePeerSilent, 0, "the peer is dead")
	for _, other := range slices.Clone(m.remotes[e.source()]) {
		if other != e && other.peer() == e.peer() && other.established != 0 {
			other.sa.Kill(now, "deleted", reason, false)
			m.after(now, other)
		}
	}
	m.events = append(m.events, m.pairs.deleteFunc(e.peer().remote, func(pair) bool { return true })...)
}
