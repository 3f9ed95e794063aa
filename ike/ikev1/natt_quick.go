package ikev1

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// NAT traversal in quick mode, RFC 3947, Section 5:
//
//	1  HDR*, HASH(1), SA, Ni, [KE], [IDci, IDcr], [NAT-OA…]  -->
//	2                                                        <--  HDR*, HASH(2), SA, Nr, [KE], [IDci, IDcr], [NAT-OA…]
//	3  HDR*, HASH(3)                                         -->

// original are the addresses with which a side computes the checksums of what it sends; invalid: not told.
type original struct{ src, dst netip.Addr }

// originals are our NAT-OA payloads, for transport mode in UDP. The RFC has the initiator's
// address and the responder's, as the sender sees them (Section 5.2); the drafts have the address of the
// sender alone.
func (q *quick) originals() (ps []payload.Payload) {
	sa, n := q.sa, q.sa.env.Config.NAT
	behind, _ := sa.behind()
	if n.Originals == ike.OriginalsNever || n.Originals == ike.OriginalsIfBehind && !behind {
		return nil
	}
	addresses := []netip.Addr{sa.local.Addr()}
	if draft := sa.natt.dialect.Draft(); !draft || n.BothOriginals {
		if addresses = append(addresses, sa.remote.Addr()); !q.initiator {
			addresses[0], addresses[1] = addresses[1], addresses[0]
		}
	}
	for _, a := range addresses {
		ps = append(ps, payload.NATOA{Draft: sa.natt.dialect.Draft(), Addr: a})
	}
	return ps
}

// readOriginals reads the peer's, in either form. That there are none fails nothing: the drafts say so
// of those that would tell what is known anyway, and Windows sends none where it is behind no NAT
// (MS-IKEE, 3.1.5), whatever the RFC's MUST.
func (q *quick) readOriginals(m *message) error {
	if q.sa.natt.dialect == 0 {
		return nil
	}
	var as []netip.Addr
	for _, p := range payload.All[payload.NATOA](m.chain) {
		if p.Draft == q.sa.natt.dialect.Draft() {
			as = append(as, p.Addr)
		}
	}
	if len(as) > 2 {
		return ike.Errorf(ike.CodeNATOA, payload.NotifyPayloadMalformed, "%d NAT-OA payloads in a quick mode message, must be two, or one by the drafts", len(as))
	}
	for _, a := range as {
		if a.Is4() != q.sa.local.Addr().Is4() {
			return ike.Errorf(ike.CodeNATOA, payload.NotifyPayloadMalformed, "NAT-OA %v is of another family than the peers", a)
		}
	}
	switch {
	case len(as) == 1:
		q.told.src = as[0]
	case len(as) == 2 && q.initiator: // the peer is the responder
		q.told = original{src: as[1], dst: as[0]}
	case len(as) == 2:
		q.told = original{src: as[0], dst: as[1]}
	}
	return nil
}

// originalOf are the addresses with which the peer computes checksums: as it tells, or as we know
// them because there is no NAT at that end.
func (q *quick) originalOf() original {
	o := q.told
	own, peer := q.sa.behind()
	if !o.src.IsValid() && !peer {
		o.src = q.sa.remote.Addr()
	}
	if !o.dst.IsValid() && !own {
		o.dst = q.sa.local.Addr()
	}
	return o
}

// see puts the addresses that we see into the identities of a peer that negotiates transport mode across a
// NAT. It names its own address, and ours as it knows it, which may both be others (RFC 3948,
// Section 5.2 has policy look at what comes out of the NAT). Ports and protocol stay.
func (q *quick) see() {
	sa := q.sa
	u := sa.encapsulation()
	if !u.Wanted || !ike.OffersUDPTransport(q.offer) {
		return
	}
	own, peer := sa.behind()
	for _, end := range []struct {
		p      *netip.Prefix
		is     netip.Addr
		behind bool
	}{{&q.outbound.Dst, sa.remote.Addr(), peer}, {&q.outbound.Src, sa.local.Addr(), own}} {
		if end.behind && end.p.IsSingleIP() && end.p.Addr() != end.is {
			q.seen = append(q.seen, fmt.Sprintf("%v is seen as %v", end.p.Addr(), end.is))
			*end.p = ipsec.Host(end.is)
		}
	}
}

// sameIdentities reports whether a responder's identities are ours. In transport mode across a NAT the addresses may
// be those that it sees.
func (q *quick) sameIdentities(ids []payload.Item) bool {
	for i, item := range ids {
		body, own := item.Body(), q.ids[i]
		if bytes.Equal(body, own) {
			continue
		}
		transport := q.choice.InUDP() && q.choice.Proposal.Mode == ipsec.Transport
		if !transport || len(body) != len(own) || !bytes.Equal(body[:4], own[:4]) {
			return false
		}
	}
	return true
}

// conflict asks the host about the SAs that it would send with.
func (q *quick) conflict() string {
	ask := q.sa.env.Config.Conflict
	if ask == nil {
		return ""
	}
	out := ipsec.SAParams{
		Direction: ipsec.Outbound, Src: q.sa.local.Addr(), Dst: q.sa.remote.Addr(), Mode: q.choice.Proposal.Mode, Selector: q.outbound,
		PolicyID: q.policy.PolicyID, Rule: q.policy.Rule, UDP: q.udp(),
	}
	for _, t := range q.choice.Proposal.Transforms {
		out.Protocol, out.Transform = t.Protocol, t
		if why := ask(out); why != "" {
			return why
		}
	}
	return ""
}

// udp is the encapsulation of what we send.
func (q *quick) udp() ipsec.Encapsulation {
	if !q.choice.InUDP() {
		return ipsec.Encapsulation{}
	}
	return q.sa.udp()
}
