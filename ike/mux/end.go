package mux

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What the host ends.

// DeleteSAs tells the peer that these inbound SAs of ours are gone, if a main
// mode with it is up; without one the peer has to find out by itself. The SPIs are this
// host's own, so that they name the computer, too, where several are at an address.
func (m *Mux) DeleteSAs(now time.Time, remote netip.Addr, p ipsec.Protocol, inbound []uint32) {
	var told []*entry
	spis := map[*entry][]uint32{}
	for _, spi := range inbound {
		own, known := m.pairs.find(p, spi)
		at := remote
		if known {
			at = own.remote.Addr()
		}
		var newest *entry
		for _, e := range m.remotes[at] {
			has := !known || e.sa.PeerID() == own.with.id && (!own.shared || e.sa.Remote() == own.remote)
			if e.sa.Established() && has && (newest == nil || e.established > newest.established) {
				newest = e
			}
		}
		m.pairs.removeInbound(p, spi)
		if newest == nil {
			continue
		}
		if spis[newest] == nil {
			told = append(told, newest)
		}
		spis[newest] = append(spis[newest], spi)
	}
	for _, e := range told {
		e.sa.SendDelete(now, p, spis[e])
		m.after(now, e)
	}
	m.silence(now)
}

// DeletePeer deletes the main modes with a peer and tells it. Requests for it fail.
func (m *Mux) DeletePeer(now time.Time, remote netip.Addr) {
	m.closeWhere(now, "its policy changed", func(p peer) bool { return p.remote == remote })
}

// Shutdown deletes all main modes, telling the peers, and fails all requests:
// the policy has changed, or the host stops. The engine can be used again.
func (m *Mux) Shutdown(now time.Time) { m.ShutdownFor(now, "its policy changed") }

// ShutdownFor is Shutdown for another reason, for the trace.
func (m *Mux) ShutdownFor(now time.Time, reason string) {
	m.closeWhere(now, reason, func(peer) bool { return true })
	m.pairs.clear()
	m.silence(now)
}

// LoseLocal ends what there is from an address that the host no longer has: its main
// modes are gone, requests from it fail, and nobody is told, since nothing can be
// sent from there. reason is for the trace.
func (m *Mux) LoseLocal(now time.Time, local netip.Addr, reason string) {
	m.end(now, ike.Errorf(ike.CodePolicyChange, 0, "%s", reason), false, func(p peer) bool { return p.local == local })
}

func (m *Mux) closeWhere(now time.Time, reason string, matches func(peer) bool) {
	m.end(now, ike.Errorf(ike.CodePolicyChange, 0, "the main mode was deleted on this host: %s", reason), true, matches)
}

func (m *Mux) end(now time.Time, reason error, tell bool, matches func(peer) bool) {
	for _, p := range m.waitingParties() {
		if matches(p.peer) {
			m.failWaiting(p, reason)
		}
	}
	var gone []*entry
	for _, e := range m.sas {
		if matches(e.peer()) {
			gone = append(gone, e)
		}
	}
	for _, e := range gone {
		e.sa.Kill(now, "deleted", reason, tell)
		m.closing(e, reason)
	}
	m.silence(now)
}

// closing carries out the last events of an SA that this host closes: its
// requests fail instead of going on under another main mode.
func (m *Mux) closing(e *entry, reason error) {
	for ev, ok := e.sa.NextEvent(); ok; ev, ok = e.sa.NextEvent() {
		switch ev := ev.(type) {
		case ike.EventUnserved:
			m.failed(ike.EventFailed{RequestID: ev.Request.ID, Remote: ev.Request.Remote, Err: reason})
		case ike.EventFailed:
			m.failed(ev)
		default:
			m.events = append(m.events, ev)
		}
	}
	if e.sa.Dead() {
		m.remove(e)
	} else {
		m.timers.set(e) // Deletes are still to be acknowledged
	}
}

// tellOf deletes an SA at the peer of e under the main mode with it that was established last, or else under e itself.
func (m *Mux) tellOf(now time.Time, e *entry, of ike.EventUndelivered) {
	by := e
	for _, other := range m.remotes[e.source] {
		if e.with(other) && other.sa.PeerID() == e.sa.PeerID() && other.sa.Established() && (by == e || other.established > by.established) {
			by = other
		}
	}
	by.sa.SendDelete(now, of.Protocol, []uint32{of.SPI})
	if by != e {
		m.after(now, by)
	}
}
