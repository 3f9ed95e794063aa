package mux

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/ikev1"
)

// pumpAll is pump for all that wait for computers at an address.
func (m *Mux) pumpAll(now time.Time, p peer) {
	m.pump(now, p.anybody())
	for _, k := range slices.Clone(m.computers[p]) {
		m.pump(now, k)
	}
}

// pump starts the waiting requests for a party under a main mode that is up, or
// starts a main mode for them. A main mode that the peer is starting is not
// waited for: two sides may start at the same time, and whichever main mode is
// up first serves. Where several computers share an address, and the request does not
// say which of them it is for, it is the one that has proved who it is last.
func (m *Mux) pump(now time.Time, p party) {
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
		local, remote := m.ends(now, p)
		sa, err := ikev1.Initiate(&m.env, now, local, remote, policy)
		if err != nil {
			m.failWaiting(p, err)
			return
		}
		m.add(now, sa, p)
	}
}

// replace starts a main mode in place of e, which nears its end, if a pair with
// the peer may want one: so that it does not have to wait for it then. An error
// is for the next request to meet again.
func (m *Mux) replace(now time.Time, e *entry) {
	p := e.party()
	outlived := slices.ContainsFunc(m.remotes[p.remote], func(other *entry) bool {
		return other.is(p) && other.sa.Usable(now) && other.sa.Expires().After(e.sa.Expires())
	})
	if outlived || m.initiating(p) || !m.pairs.anyWith(now, p) {
		return
	}
	if policy, ok := m.config.Policy.MainMode(p.local, p.remote); ok {
		if sa, err := ikev1.Initiate(&m.env, now, e.sa.Local(), e.sa.Remote(), policy); err == nil {
			m.add(now, sa, p)
		}
	}
}

func (m *Mux) enqueue(p party, w waiting) {
	m.waits++
	if m.waiting[p] == nil && p.one() {
		m.computers[p.peer] = append(m.computers[p.peer], p)
	}
	m.waiting[p] = append(m.waiting[p], w)
}

func (m *Mux) dequeue(p party) {
	m.waits--
	if m.waiting[p] = m.waiting[p][1:]; len(m.waiting[p]) == 0 {
		m.nothingWaits(p)
	}
}

// nothingWaits forgets a party for which nothing waits.
func (m *Mux) nothingWaits(p party) {
	delete(m.waiting, p)
	if left := slices.DeleteFunc(m.computers[p.peer], func(o party) bool { return o == p }); len(left) > 0 {
		m.computers[p.peer] = left
	} else {
		delete(m.computers, p.peer)
	}
}

// usable is the newest main mode with the party that another quick mode may use.
func (m *Mux) usable(now time.Time, p party) *entry {
	var newest *entry
	for _, e := range m.remotes[p.remote] {
		if e.is(p) && e.sa.Usable(now) && (newest == nil || e.established > newest.established) {
			newest = e
		}
	}
	return newest
}

// initiating reports whether we have a main mode with the party under way.
func (m *Mux) initiating(p party) bool {
	return slices.ContainsFunc(m.remotes[p.remote], func(e *entry) bool {
		return e.peer() == p.peer && (!p.one() || e.wants == p) && e.sa.Initiator() && e.established == 0 && !e.sa.Gone()
	})
}

// failed reports a request that came to nothing.
func (m *Mux) failed(e ike.EventFailed) {
	m.env.Statistics.AcquireFailures++
	m.events = append(m.events, e)
}

// failWaiting fails all requests that wait for a main mode with the party.
func (m *Mux) failWaiting(p party, err error) {
	for _, w := range m.waiting[p] {
		m.failed(ike.EventFailed{RequestID: w.request.ID, Remote: p.remote, Err: err})
	}
	m.waits -= len(m.waiting[p])
	m.nothingWaits(p)
}

// waitingParties are those with waiting requests, in a fixed order.
func (m *Mux) waitingParties() []party {
	var ps []party
	for p := range m.waiting {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, compareParties)
	return ps
}

// mistaken fails the requests that wait for a computer where e, which was started for
// it, has found another one: its SAs are of no use to them.
func (m *Mux) mistaken(e *entry) {
	if e.wants.one() && e.wants.id != e.sa.PeerID() {
		m.failWaiting(e.wants, ike.Errorf(ike.CodeAuthFailed, 0, "%v is %s now, and %s had the pair that was to be replaced", e.sa.Remote(), e.sa.PeerID(), e.wants.id))
	}
}

// unserved puts a request back whose main mode e ended beneath it, and returns whom it waits for now.
func (m *Mux) unserved(e *entry, u ike.EventUnserved) party {
	p := m.partyFor(u.Request)
	if !p.one() {
		p = e.peer().anybody() // which may be elsewhere than when the request was made
	}
	if u.Attempts >= maxAttempts {
		m.failed(ike.EventFailed{RequestID: u.Request.ID, Remote: p.remote, Err: u.Err})
	} else {
		m.enqueue(p, waiting{request: u.Request, attempts: u.Attempts})
	}
	return p
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
// had goes; see anew. An identity that is an address is one of the realm behind a NAT, and says nothing about who
// has it behind another one: that the address of the NAT has to be the same then, is a choice of the lab.
func (m *Mux) initialContact(now time.Time, e *entry) {
	reason := ike.Errorf(ike.CodeSADeleted, 0, "the peer has started anew: it sent INITIAL-CONTACT")
	addresses := []netip.Addr{e.source}
	if e.sa.Shared() && !e.sa.AddressID() {
		addresses = m.addresses()
	}
	for _, a := range addresses {
		for _, old := range slices.Clone(m.remotes[a]) {
			if old != e && e.anew(old.computer(), old.sa.Shared()) && old.established != 0 && old.established < e.serial {
				old.sa.Kill(now, "deleted", reason, false)
				m.after(now, old)
			}
		}
		m.events = append(m.events, m.pairs.deleteFunc(a, func(p pair) bool { return e.anew(p.with, p.shared) && p.serial < e.serial })...)
	}
}

// anew reports whether a computer, which may share its address, is the peer of e from before it started
// anew. Behind a NAT "the IP and port numbers MUST NOT be used", but the identity
// (RFC 3947, Section 6). Without a NAT that we know of it is the same computer by its identity, address and port: there may be
// a translator all the same. One that comes back from another port keeps its old SAs until nothing uses them.
func (e *entry) anew(old computer, shared bool) bool {
	if !e.sa.Shared() || !shared {
		return old == e.computer()
	}
	return old.id == e.sa.PeerID()
}

// addresses are those of all peers, in a fixed order.
func (m *Mux) addresses() (all []netip.Addr) {
	for a := range m.remotes {
		all = append(all, a)
	}
	for a := range m.pairs.of {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// silent ends the main modes with the peer of e that have heard nothing since
// the given time: a peer that has lost one has most likely lost them all, and
// the next request shall not try them one by one.
func (m *Mux) silent(now time.Time, e *entry, since time.Time) {
	for _, other := range slices.Clone(m.remotes[e.source]) {
		if other != e && other.peer() == e.peer() && other.computer() == e.computer() {
			other.sa.Silent(now, since)
			m.after(now, other)
		}
	}
}

// newest reports that no main mode with the peer of sa was established after it: see ikev1.Env.
func (m *Mux) newest(sa *ikev1.SA) bool {
	e := m.cookies[sa.Cookies()]
	return e != nil && !slices.ContainsFunc(m.remotes[e.source], func(other *entry) bool {
		return e.with(other) && other.sa.Established() && other.established > e.established
	})
}

// dead ends what there is with the peer of e (RFC 3706, Section 5.4), which is told
// nothing. Traffic that comes up then asks for SAs anew. What others have who are known to share the
// address stays, also where e does not say that it shares it: a peer without NAT traversal cannot.
func (m *Mux) dead(now time.Time, e *entry) {
	reason := ike.Errorf(ike.CodePeerSilent, 0, "the peer is dead")
	is := func(shared bool, with computer) bool {
		return with == e.computer() || !shared && !e.sa.Shared()
	}
	for _, other := range slices.Clone(m.remotes[e.source]) {
		if other != e && e.with(other) && other.established != 0 && is(other.sa.Shared(), other.computer()) {
			other.sa.Kill(now, "deleted", reason, false)
			m.after(now, other)
		}
	}
	m.events = append(m.events, m.pairs.deleteFunc(e.source, func(p pair) bool { return is(p.shared, p.with) })...)
}
