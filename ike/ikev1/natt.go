package ikev1

import (
	"crypto/hmac"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// NAT traversal in phase 1, RFC 3947, Sections 3 and 4, and the drafts before it:
//
//	1  HDR, SA, VID            -->
//	2                          <--  HDR, SA, VID
//	3  HDR, KE, Ni, NAT-D…     -->
//	4                          <--  HDR, KE, Nr, NAT-D…
//	5  HDR*, IDii, HASH_I      -->  on port 4500, if there is a NAT
//	6                          <--  HDR*, IDir, HASH_R
//
// Of aggressive mode NAT-D is in messages 2 and 3, and message 3 goes to port 4500. The drafts 00
// and 01 stay on port 500.

// traversal is what an SA knows of NATs on its way. Nothing of it is authenticated: whoever is on
// the way can make both sides see a NAT, or none, or keep them from looking.
type traversal struct {
	dialect ike.NATDialect   // agreed on; 0: none
	peer    []ike.NATDialect // that the peer has announced
	found   bool             // both sides have looked for NATs, as far as we know
	where   ike.NATPlacement // of those that we have found
	why     string           // there is no traversal though both speak a dialect

	// for the trace: what was compared
	at, from netip.AddrPort // where the peer's NAT-D payloads came to, and from
	hashes   int
}

// agreeDialect follows the exchange of vendor IDs in messages 1 and 2.
func (sa *SA) agreeDialect() {
	if n := sa.env.Config.NAT; n.On() {
		sa.natt.peer = ike.NATDialects(sa.vendors)
		sa.natt.dialect = n.Choose(sa.natt.peer)
	}
}

// behind reports whether we are behind a NAT, and the peer.
func (sa *SA) behind() (own, peer bool) {
	w := sa.natt.where
	if sa.initiator {
		return w.Initiator, w.Responder
	}
	return w.Responder, w.Initiator
}

// addressHash is the content of a NAT-D payload.
func (sa *SA) addressHash(a netip.AddrPort) []byte {
	return ike.NATHash(sa.hash(), sa.cookies, a)
}

// discovery are our NAT-D payloads: of the peer's end first, then of our own, of which there
// may be several (RFC 3947, Section 3.2). Whoever answers sends none to a peer that has sent none.
func (sa *SA) discovery() ([]payload.Payload, error) {
	t, n := &sa.natt, sa.env.Config.NAT
	if t.dialect == 0 {
		return nil, nil
	}
	hashes := [][]byte{sa.addressHash(sa.remote)}
	if n.Force {
		b, err := sa.env.Config.Random(len(hashes[0]))
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, b)
	} else {
		for _, a := range n.Own(sa.local.Addr()) {
			hashes = append(hashes, sa.addressHash(netip.AddrPortFrom(a, sa.local.Port())))
		}
	}
	var ps []payload.Payload
	for _, h := range hashes {
		ps = append(ps, payload.NATD{Draft: t.dialect.Draft(), Hash: h})
	}
	return ps, nil
}

// maxDiscovery bounds the NAT-D payloads that are looked at.
const maxDiscovery = 64

// discover compares the peer's NAT-D payloads with where its message came from and to. Of a peer
// that has sent fewer than two nothing can be said, and the traversal ends: the RFC has "exactly
// two or more". A hash of another length than that agreed on fits nothing, and so is a NAT.
func (sa *SA) discover(m *message) {
	t, n := &sa.natt, sa.env.Config.NAT
	if t.dialect == 0 {
		return
	}
	var hashes [][]byte
	for _, p := range payload.All[payload.NATD](m.chain) {
		if p.Draft == t.dialect.Draft() && len(hashes) < maxDiscovery {
			hashes = append(hashes, p.Hash)
		}
	}
	if len(hashes) < 2 {
		t.why = fmt.Sprintf("the peer announced %v and sent %d NAT-D payloads of it, where there must be two: it counts as one without", t.dialect, len(hashes))
		t.dialect = 0
		return
	}
	own := n.Force || !slices.ContainsFunc(n.Own(sa.local.Addr()), func(a netip.Addr) bool {
		return hmac.Equal(hashes[0], sa.addressHash(netip.AddrPortFrom(a, m.local.Port())))
	})
	from := sa.addressHash(m.remote)
	peer := !slices.ContainsFunc(hashes[1:], func(h []byte) bool { return hmac.Equal(h, from) })
	t.at, t.from, t.hashes = m.local, m.remote, len(hashes)
	t.found, t.where = true, ike.NATPlacement{Initiator: own, Responder: peer}
	if !sa.initiator {
		t.where = ike.NATPlacement{Initiator: peer, Responder: own}
	}
}

// float has the initiator go on on port 4500 if there is a NAT (RFC 3947, Section 4). One that
// began there is there already.
func (sa *SA) float() {
	if t := sa.natt; t.dialect.Floats() && t.where.Any() && sa.local.Port() != ike.NATPort {
		sa.local, sa.remote = netip.AddrPortFrom(sa.local.Addr(), ike.NATPort), netip.AddrPortFrom(sa.remote.Addr(), ike.NATPort)
	}
}

// checkPlacement refuses a responder behind a NAT, if we are to: AssumeUDPEncapsulationContextOnSendRule
// (KB885348, KB947234). That Windows gives up in main mode, and without a word to the peer, is
// unconfirmed: the articles have no more than that there will be no SA.
func (sa *SA) checkPlacement() error {
	if n := sa.env.Config.NAT; sa.natt.dialect != 0 && sa.initiator && !n.Responder.Allows(sa.natt.where) {
		return ike.Errorf(ike.CodeProcessing, 0, "%v, and AssumeUDPEncapsulationContextOnSendRule is %d here: %v", sa.natt.where, n.Responder, n.Responder)
	}
	return nil
}

// adopt has an SA live where the peer has proved to be at the end of phase 1: on another port than
// before, if it has floated, and perhaps at another address (RFC 3947, Section 4). With message 3
// nothing is proved yet; whoever can forge that message can end the main mode anyway.
func (sa *SA) adopt(m *message) {
	if sa.natt.dialect != 0 {
		sa.local, sa.remote = m.local, m.remote
	}
}

// udp is encapsulation of ESP in UDP, outbound. Its form follows from the port: that both sides see alike, where
// a vendor ID that was altered on the way may have left them with different dialects.
func (sa *SA) udp() ipsec.Encapsulation {
	return ipsec.Encapsulation{Src: sa.local.Port(), Dst: sa.remote.Port(), NonIKE: sa.local.Port() != ike.NATPort}
}

// checkUDP says whether ESP in UDP can go where the SA lives: on port 500 only if we speak a dialect that stays there.
func (sa *SA) checkUDP() error {
	stays := slices.ContainsFunc(sa.env.Config.NAT.Dialects, func(d ike.NATDialect) bool { return !d.Floats() })
	if sa.local.Port() != ike.NATPort && !stays {
		return ike.Errorf(ike.CodePolicyMatch, payload.NotifyNoProposalChosen, "ESP in UDP on port 500, and %v has it on 4500: the peer has not changed ports", sa.natt.dialect)
	}
	return nil
}

// encapsulation is what a quick mode makes of what was found.
func (sa *SA) encapsulation() ike.UDPEncapsulation {
	return ike.UDPEncapsulation{Dialect: sa.natt.dialect, Wanted: sa.natt.where.Any(), Either: sa.env.Config.NAT.AcceptEither && sa.natt.dialect != 0}
}
