package mux

import (
	"net/netip"
	"time"
)

// hear notes a sign of life of a peer for which requests wait.
func (m *Mux) hear(p peer) {
	if len(m.waiting[p.anybody()]) == 0 && len(m.computers[p]) == 0 {
		return
	}
	for _, e := range m.remotes[p.remote] {
		if e.peer() == p {
			e.heard = true
		}
	}
}

// Opening reports on the main mode with a peer that this side is starting: since
// when, and whether the peer has sent anything to port 500 meanwhile, were it a
// refusal or a message that was ignored. A peer with a main mode of its own is heard.
// ok is false when this side starts none, or one is up.
func (m *Mux) Opening(local, remote netip.Addr) (since time.Time, heard, ok bool) {
	p := peer{local, remote}
	for _, e := range m.remotes[p.remote] {
		switch {
		case e.peer() != p || e.sa.Gone():
		case e.sa.Established():
			return time.Time{}, true, false
		case e.sa.Initiator():
			since, heard, ok = e.started, heard || e.heard, true
		default:
			heard = true
		}
	}
	return since, heard, ok
}
