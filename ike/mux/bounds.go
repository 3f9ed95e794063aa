package mux

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
)

// What peers that have proved who they are, and the host itself, can make the
// engine keep. Strangers: see admission, allowance and secrets.
const (
	// maxMainModes is how many main modes one computer can have with us, those included
	// that have ended and linger. For another one the oldest goes.
	maxMainModes = 64
	// maxOfAddress is how many main modes all computers of one address can have with us. Who has
	// a preshared key can call itself anything, and so be any number of computers.
	maxOfAddress = 512
	// maxPairs is how many pairs of IPsec SAs one computer can have with us. For another
	// one the oldest goes.
	maxPairs = 4096
	// maxPairsOfAddress is how many all computers of one address can have with us.
	maxPairsOfAddress = 4 * maxPairs
	// maxWaiting is how many requests can wait for main modes: as many as the driver has
	// at a time. Another one fails at once.
	maxWaiting = 16384
)

// bound ends the oldest main mode with the computer of e, which is a new one, or with its address, if there are too many.
func (m *Mux) bound(now time.Time, e *entry) {
	m.boundOf(now, e.source, maxMainModes, func(other *entry) bool { return other.computer() == e.computer() })
	m.boundOf(now, e.source, maxOfAddress, func(*entry) bool { return true })
}

func (m *Mux) boundOf(now time.Time, of netip.Addr, most int, counts func(*entry) bool) {
	var oldest *entry
	n := 0
	for _, other := range m.remotes[of] {
		if other.established == 0 || !counts(other) {
			continue
		}
		if n++; oldest == nil || other.established < oldest.established {
			oldest = other
		}
	}
	if n > most {
		oldest.sa.Kill(now, "deleted", ike.Errorf(ike.CodeMainModeLimit, 0, "the peer has more than %d main modes with this host", most), true)
		m.after(now, oldest)
	}
}

// bound drops the oldest pairs of a computer, and of its address, while there are too many, and returns what
// the data plane has to remove.
func (ps *pairs) bound(of computer) (events []ike.Event) {
	remote := of.at.Addr()
	if len(ps.of[remote]) <= maxPairs {
		return nil
	}
	own := func(p pair) bool { return p.with == of }
	for ps.count(remote, own) > maxPairs {
		events = append(events, ps.forgetFirst(remote, own)...)
	}
	for len(ps.of[remote]) > maxPairsOfAddress {
		events = append(events, ps.forgetFirst(remote, func(pair) bool { return true })...)
	}
	return events
}
