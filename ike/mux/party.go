package mux

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
)

// party is whom a request is for: whoever is at an address, or one computer of those that may be
// there behind a NAT.
type party struct {
	peer
	computer        // the zero value is whoever it is
	port     uint16 // with computer: of this side
}

// anybody is whoever is at an address.
func (p peer) anybody() party { return party{peer: p} }

// one reports whether it is one computer.
func (p party) one() bool { return p.computer != computer{} }

// party is the other end of an SA: a computer, where it may share its address.
func (e *entry) party() party {
	p := e.peer().anybody()
	if e.sa.Shared() {
		p.computer, p.port = e.computer(), e.sa.Local().Port()
	}
	return p
}

// partyOf is the other end of a pair.
func (p pair) party() party {
	k := peer{p.local.Addr(), p.remote.Addr()}.anybody()
	if p.shared {
		k.computer, k.port = p.with, p.local.Port()
	}
	return k
}

// is reports whether the SA is with the party, as far as that is known.
func (e *entry) is(p party) bool {
	return e.peer() == p.peer && (!p.one() || e.computer() == p.computer || e.wants == p && e.sa.PeerID() == p.id)
}

// with reports whether two SAs are with the same peer: the same computer, where it may share its address.
func (e *entry) with(other *entry) bool { return other.is(e.party()) }

// partyFor is whom a request is for: a successor is for the computer that has the pair.
func (m *Mux) partyFor(r ike.Request) party {
	if r.Replaces != 0 {
		for _, proto := range protocols {
			if p, ok := m.pairs.find(proto, r.Replaces); ok && p.shared && p.local.Addr() == r.Local {
				return p.party()
			}
		}
	}
	return peer{r.Local, r.Remote}.anybody()
}

// ends are where a main mode with a party begins: where it has proved to be last, if there is a NAT;
// "if the responder has to rekey the Phase 1 SA, then the rekey negotiation MUST be started by using
// UDP(4500,Y)" (RFC 3947, Section 4). Else on port 500, or 4500 if we are to.
func (m *Mux) ends(now time.Time, k party) (local, remote netip.AddrPort) {
	if k.one() {
		return netip.AddrPortFrom(k.local, k.port), k.at
	}
	local, remote = netip.AddrPortFrom(k.local, Port), netip.AddrPortFrom(k.remote, Port)
	if n := m.config.NAT; n.Begin4500 && slices.ContainsFunc(n.Dialects, ike.NATDialect.Floats) {
		local, remote = netip.AddrPortFrom(k.local, ike.NATPort), netip.AddrPortFrom(k.remote, ike.NATPort)
	}
	var latest uint64
	for _, e := range m.remotes[k.remote] {
		if e.peer() == k.peer && e.sa.Established() && e.sa.Placement().Any() && e.established > latest {
			latest, local, remote = e.established, e.sa.Local(), e.sa.Remote()
		}
	}
	m.pairs.expire(now, k.remote)
	for _, p := range m.pairs.of[k.remote] {
		if p.local.Addr() == k.local && p.udp && p.serial > latest {
			latest, local, remote = p.serial, p.local, p.remote
		}
	}
	return local, remote
}

// compareParties is a fixed order.
func compareParties(a, b party) int {
	return cmp.Or(a.remote.Compare(b.remote), a.local.Compare(b.local), a.at.Compare(b.at), cmp.Compare(a.id, b.id), cmp.Compare(a.port, b.port))
}
