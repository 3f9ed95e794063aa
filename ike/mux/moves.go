package mux

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Peers behind NATs that are at another address or port than before.

// Moved says that the data plane has had a packet from a peer, under the inbound SA of ESP in UDP with
// an SPI of this host, that came from elsewhere than its other end: "any authenticated IKE packet or ESP packet can
// be used to detect whether the IP address or the port has changed" (RFC 3947, Section 7). It must be
// authenticated and no replay, and should have a higher sequence number than any before, since an older
// one comes from where the peer was. The answer, if the peer is followed, is EventMoved.
// A side that is behind a NAT itself follows nobody.
func (m *Mux) Moved(now time.Time, spi uint32, to netip.AddrPort) {
	p, ok := m.pairs.find(ipsec.ESP, spi)
	if !ok || !p.udp || !p.follows || p.remote == to || p.remote.Addr().Is4() != to.Addr().Is4() {
		return
	}
	k := peer{p.local.Addr(), to.Addr()}
	m.move(now, p.with, p.local, to, nil, nil)
	m.pumpAll(now, k)
	m.silence(now)
}

// Follows reports whether this side follows the peer of the inbound SA of ESP with an SPI of this host.
func (m *Mux) Follows(spi uint32) bool {
	p, ok := m.pairs.find(ipsec.ESP, spi)
	return ok && p.udp && p.follows
}

// move has all that there is between a local end and a computer go along with it; proved is the SA that has
// gone ahead, if it was one, which has handed over these SAs ahead of their pairs.
func (m *Mux) move(now time.Time, was computer, local, to netip.AddrPort, proved *entry, handed []uint32) {
	is := computer{to, was.id}
	for _, e := range slices.Clone(m.remotes[was.at.Addr()]) {
		if e != proved && e.computer() == was && e.sa.Local() == local && e.sa.Shared() && e.sa.Welcome(to.Addr()) {
			e.sa.MoveTo(now, to)
			m.reindex(e)
			handed = append(handed, e.sa.Handed()...)
		}
	}
	spis := append(m.pairs.move(was, local, to), handed...)
	m.events = append(m.events, ike.EventMoved{Local: local, From: was.at, To: to, PeerID: was.id, SPIs: spis})
	m.movedWaiting(party{peer{local.Addr(), was.at.Addr()}, was, local.Port()}, party{peer{local.Addr(), to.Addr()}, is, local.Port()})
	m.keepAliveMoved(local, was.at, to)
}

// wantedMoves has the requests for which e was started wait for it where it has ended up: its peer has moved before it was up.
func (m *Mux) wantedMoves(e *entry) {
	if !e.sa.Initiator() || e.established != 0 {
		return
	}
	is := e.wants
	if is.remote = e.source; is.one() {
		is.at = e.sa.Remote()
	}
	m.movedWaiting(e.wants, is)
	e.wants = is
}

// movedWaiting has requests wait for a computer where it is now.
func (m *Mux) movedWaiting(was, is party) {
	waiting := m.waiting[was]
	if was == is {
		return
	}
	m.waits -= len(waiting)
	m.nothingWaits(was)
	for _, w := range waiting {
		m.enqueue(is, w)
	}
}
