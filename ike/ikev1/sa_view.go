package ikev1

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// What the mux, tables and the SA itself ask of an SA.

// Local is our end.
func (sa *SA) Local() netip.AddrPort { return sa.local }

// Remote is the peer's end.
func (sa *SA) Remote() netip.AddrPort { return sa.remote }

// Initiator reports whether this side sent message 1.
func (sa *SA) Initiator() bool { return sa.initiator }

// phase1 is the exchange with which the SA is established.
func (sa *SA) phase1() payload.Exchange {
	if sa.aggressive {
		return payload.Aggressive
	}
	return payload.MainMode
}

// Cookies name the SA; the responder's is zero until message 2.
func (sa *SA) Cookies() ike.Cookies { return sa.cookies }

// Established reports whether both sides have been authenticated.
func (sa *SA) Established() bool { return sa.state == established }

// Busy reports whether a quick mode is under way, which may end in a pair of SAs also when the SA is gone.
func (sa *SA) Busy() bool { return slices.ContainsFunc(sa.quicks, (*quick).pending) }

// Exchanges counts the quick modes under way, and those that are kept to answer copies.
func (sa *SA) Exchanges() int { return len(sa.quicks) }

// Requests counts the quick modes of ours that are under way.
func (sa *SA) Requests() (n int) {
	for _, q := range sa.quicks {
		if q.initiator && q.pending() {
			n++
		}
	}
	return n
}

// Gone reports that the SA is no more for anybody but copies of messages.
func (sa *SA) Gone() bool { return sa.state == lingering || sa.state == dead }

// Refused reports that the SA only remembers a refused offer.
func (sa *SA) Refused() bool { return sa.state == refused }

// Dead reports that the SA is over; Err says why.
func (sa *SA) Dead() bool { return sa.state == dead }

// Err is why a dead SA is dead.
func (sa *SA) Err() error { return sa.err }

// Chosen is the main mode proposal agreed on; the zero value before message 2.
func (sa *SA) Chosen() ike.MainModeProposal { return sa.choice.Proposal }

// Method is how the two sides prove who they are, as agreed on; 0: not yet.
func (sa *SA) Method() ike.AuthMethod { return sa.choice.Method }

// PeerID is the identity that the peer has proved; "" until it has. With XAUTH the user belongs to it:
// all users of a group may have the same identity.
func (sa *SA) PeerID() string { return sa.peerID }

// User is the one of XAUTH, of this side or of the peer; "": none.
func (sa *SA) User() string { return sa.user }

// Assigned is what mode config has assigned, to the peer if gave, or by it; nil: nothing.
func (sa *SA) Assigned() (a *ike.Assignment, gave bool) { return sa.assignment, sa.gave }

// Since is when the SA was established.
func (sa *SA) Since() time.Time { return sa.since }

// Expires is the end of an established SA.
func (sa *SA) Expires() time.Time { return sa.expires }

// QuickModes counts those started under the SA by either side.
func (sa *SA) QuickModes() int { return sa.quickModes }
