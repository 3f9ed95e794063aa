package ikev1

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Where a peer is. A NAT may give it another port, or another address, at any time: when IKE floats, when
// a mapping has expired, when the NAT has restarted. What is sent to it goes where it has proved to be last.

// Roams reports whether messages under the SA may come from another address than before.
func (sa *SA) Roams() bool { return sa.natt.dialect != 0 }

// Shared reports whether the peer is behind a NAT, so that its address may be that of others too.
func (sa *SA) Shared() bool {
	_, peer := sa.behind()
	return peer
}

// Unshared reports that the peer is behind no NAT that we could find, having looked: its address is its own.
func (sa *SA) Unshared() bool { return sa.natt.found && !sa.Shared() }

// AddressID reports whether the peer's identity is an address.
func (sa *SA) AddressID() bool {
	return sa.claimed.IDType == payload.IDIPv4 || sa.claimed.IDType == payload.IDIPv6
}

// Dialect is that of NAT traversal which was agreed on; 0: none.
func (sa *SA) Dialect() ike.NATDialect { return sa.natt.dialect }

// Placement says where there are NATs.
func (sa *SA) Placement() ike.NATPlacement { return sa.natt.where }

// KeepsAlive reports whether this side is to keep the mappings of a NAT alive. None are on port 500
// with a dialect that floats (RFC 3947, Section 4).
func (sa *SA) KeepsAlive() bool {
	own, _ := sa.behind()
	return (own || sa.natt.where.Any() && sa.env.Config.NAT.KeepAliveOutside) && (sa.afloat() || !sa.natt.dialect.Floats())
}

// afloat reports that the SA lives on port 4500.
func (sa *SA) afloat() bool { return sa.natt.dialect.Floats() && sa.local.Port() == ike.NATPort }

// follows reports whether we follow a peer to where it has proved to be: "The host behind dynamic NAT
// MUST NOT do this", as the other end of it does not change (RFC 3947, Section 7).
func (sa *SA) follows() bool {
	own, peer := sa.behind()
	return peer && !own
}

// Follows reports whether we follow the peer to where it has proved to be.
func (sa *SA) Follows() bool { return sa.follows() }

// misplaced says why a message is not for the SA, by where it came from and to; "": it may be.
// "Once port change has occurred, if a packet is received on port 500, that packet is old": those of
// phase 1 SHOULD be discarded, informational ones MAY be processed (RFC 3947, Section 4). The other exchanges
// began later, so that nothing of them is on port 500.
func (sa *SA) misplaced(m *message) string {
	switch {
	case sa.natt.dialect == 0:
	case !slices.Contains(sa.env.Config.NAT.Own(sa.local.Addr()), m.local.Addr()):
		return "it came to another address of this host"
	case m.remote.Addr() != sa.remote.Addr() && sa.Unshared():
		return "it is from another address, and the peer is behind no NAT"
	case m.remote.Addr() != sa.remote.Addr() && m.Flags&payload.Encrypted == 0 && m.Next != payload.TypeFragment:
		return "it is from another address, and nothing in it proves that the peer is there"
	case sa.afloat() && m.local.Port() != ike.NATPort && m.Exchange != payload.Informational:
		return "it came to port 500, which this main mode has left for 4500"
	}
	return ""
}

// answering has what is sent until the result is called go to where m came from: "Recipients MUST reply
// back to the source address from the packet" (RFC 3947, Section 3). Nobody has to have proved anything
// for that, and the SA stays where it is: m may be a copy that somebody else sends.
func (sa *SA) answering(m *message) (done func()) {
	local, remote := sa.local, sa.remote
	if own, _ := sa.behind(); sa.natt.dialect != 0 && !own && (m.local == local || !sa.afloat()) {
		sa.local, sa.remote = m.local, m.remote
	}
	return func() { sa.local, sa.remote = local, remote }
}

// arrived follows the peer to where a message came from that it alone can have made, and that nobody can
// have kept for later: it is what was awaited, or the first with its message ID in any exchange.
// Whoever holds a message back, and sends it from elsewhere before its time, is followed
// until the next one comes (RFC 3947, Section 8). To another address it is followed only if the
// policy for that would have taken the same proof: a quick mode is answered by the rule for the
// address at which the peer is.
func (sa *SA) arrived(now time.Time, m *message) {
	if from := sa.remote; sa.follows() && m.local == sa.local && m.remote != from && sa.Welcome(m.remote.Addr()) {
		sa.MoveTo(now, m.remote)
		sa.emit(ike.EventPeerMoved{From: from, Handed: sa.Handed()})
	}
}

// Welcome reports whether a peer that has proved itself as this one has would be let in
// at an address.
func (sa *SA) Welcome(at netip.Addr) bool {
	if at == sa.remote.Addr() {
		return true
	}
	here, ok1 := sa.policy.Of(sa.choice, sa.initiator)
	policy, known := sa.env.Config.Policy.MainMode(sa.local.Addr(), at)
	there, ok2 := policy.Of(sa.choice, sa.initiator)
	return known && ok1 && ok2 && here.Same(there)
}

// open uses up the message ID of a genuine message that begins an exchange. No hash covers the exchange type in
// the header, so that a message can come again as one of another: the first one with its ID alone is followed.
func (sa *SA) open(now time.Time, m *message) {
	again := slices.ContainsFunc(laterExchanges, func(x payload.Exchange) bool {
		_, used := sa.used[usedID{x, m.MessageID}]
		return used
	})
	sa.used[usedID{m.Exchange, m.MessageID}] = struct{}{}
	if !again {
		sa.arrived(now, m)
	}
}

// MoveTo has the SA go on with the peer at another place.
func (sa *SA) MoveTo(now time.Time, to netip.AddrPort) {
	from := sa.remote
	sa.remote = to
	if sa.lease != nil {
		sa.lease.owner = sa.owner()
	}
	for _, q := range sa.quicks {
		q.move(from.Addr(), to.Addr())
	}
	if sa.env.Config.Trace != nil {
		n := sa.negotiation(sa.phase1().String(), "moved", sa.initiator, nil)
		n.Reason = "the peer has proved that it is no longer at " + from.String()
		sa.env.Config.Record(n)
	}
}

// move puts another address of the peer into what a quick mode in transport mode is about.
func (q *quick) move(from, to netip.Addr) {
	if q.pending() && q.outbound.Dst == ipsec.Host(from) && q.transport() {
		q.outbound.Dst = ipsec.Host(to)
	}
}

// transport reports whether a quick mode is for transport mode, as far as is known.
func (q *quick) transport() bool {
	if len(q.choice.Proposal.Transforms) > 0 {
		return q.choice.Proposal.Mode == ipsec.Transport
	}
	return q.offer != nil && ike.OffersUDPTransport(q.offer)
}

// Handed are the inbound SAs that were handed over ahead of their pairs.
func (sa *SA) Handed() (spis []uint32) {
	for _, q := range sa.quicks {
		for _, in := range q.inbound {
			spis = append(spis, in.SPI)
		}
	}
	return spis
}
