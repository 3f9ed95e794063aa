package ikev1

import (
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The outcome of a negotiation explains itself in the trace. Whatever is only for
// that is made when there is a trace, and after the decision that it is about.

// judged keeps what a responder has made of the offer.
func (sa *SA) judged(offer *payload.SA) {
	if sa.env.Config.Trace != nil {
		sa.decision = ike.ExplainMainMode(offer, sa.vendors, sa.policy, sa.env.Config.Preference, sa.choice)
	}
}

// judged is the same of a quick mode.
func (q *quick) judged() {
	if q.sa.env.Config.Trace != nil {
		q.decision = ike.ExplainQuickMode(q.offer, q.policy, q.sa.choice.Proposal.Group, q.sa.env.Config.Preference, q.choice)
	}
}

// nothingChosen says of an offer that came to nothing what the initiator knows;
// refused: the peer has said under the keys that it accepts nothing of it.
func nothingChosen(err error, hint string) (why string, refused bool) {
	if e, ok := err.(*ike.PeerError); ok {
		return "the peer refused the whole offer with " + e.Notify.String() + ", and does not say why", true
	}
	if hint != "" {
		return "nothing was chosen; a message that nobody has authenticated says " + hint, false
	}
	return "nothing was chosen", false
}

func outcome(state string) bool { return state == "established" || state == "failed" }

// explain fills in how an outcome of phase 1 came about.
func (sa *SA) explain(n *trace.Negotiation, err error) {
	if sa.initiator && sa.offer != nil {
		why, refused := nothingChosen(err, sa.hint)
		if sa.decision = ike.ExplainMainModeReply(sa.offer, sa.choice, why); refused && sa.choice.Number == 0 {
			sa.decision = sa.decision.RefusedByPeer(why)
		}
	}
	sa.decision.Fill(n)
	sa.decision = ike.Decision{}
	if err == nil {
		n.Lifetime = sa.explainLifetime()
	}
	n.NAT = sa.explainNAT()
	a := &n.Authentication
	if sa.method == nil || sa.choice.Number == 0 {
		return
	}
	a.Method = sa.choice.Method.String()
	for _, name := range sa.requested {
		a.Requested = append(a.Requested, ike.DescribeAuthority(name))
	}
	if sa.showing {
		a.Own.Identity, a.Own.State = ike.DescribeID(sa.ownID), "sent"
	}
	if sa.claimed.IDType != 0 {
		a.Peer.Identity, a.Peer.State = ike.DescribeID(sa.claimed), "claimed"
	}
	if sa.peerID != "" {
		a.Peer.State = "proved"
	}
	sa.method.explain(a)
}

func (sa *SA) explainLifetime() trace.Lifetimes {
	kept := ipsec.Lifetime{Duration: sa.choice.Lifetime, Kilobytes: sa.choice.Kilobytes}
	offered := kept
	if sa.offered != (ipsec.Lifetime{}) {
		offered = sa.offered
	}
	if sa.initiator {
		kept = ike.Shorter(offered, sa.asked)
	}
	return ike.ExplainMainModeLifetime(offered, ipsec.Lifetime{Duration: sa.policy.Life(), Kilobytes: sa.policy.Kilobytes}, kept, sa.initiator)
}

// asked is the lifetime that the responder of a main mode asks for beside its proof; zero: none.
func asked(m *message) ipsec.Lifetime {
	for _, n := range payload.All[payload.Notify](m.chain) {
		if n.NotifyType == payload.NotifyResponderLifetime && n.Protocol == payload.ProtocolISAKMP {
			l, _ := ike.ReadResponderLifetime(n) // a bad one counts for nothing
			return l
		}
	}
	return ipsec.Lifetime{}
}

// hashName and its counterpart name the proofs of RFC 2409, Section 5.
func (sa *SA) proofNames(kind string) (own, peer string) {
	if sa.initiator {
		return kind + "_I", kind + "_R"
	}
	return kind + "_R", kind + "_I"
}

// how says with what each side proves who it is, as far as it has come to that.
func (sa *SA) how(a *trace.Authentication, kind, with string) {
	own, peer := sa.proofNames(kind)
	if sa.showing {
		a.Own.How = own + " " + with
	}
	if a.Peer.State == "proved" {
		a.Peer.How = peer + " " + with
	}
}

func (p *preShared) explain(a *trace.Authentication) {
	p.sa.how(a, "HASH", "under keys from the pre-shared key")
}

func (s *signature) explain(a *trace.Authentication) {
	s.sa.how(a, "SIG", "with the private key of the certificate")
	if s.requesting {
		for _, name := range s.auth.Certificates.Requests() {
			a.Requests = append(a.Requests, ike.DescribeAuthority(name))
		}
	}
	if s.credential != nil && s.sa.showing {
		shown(&a.Own, s.credential.Chain)
		a.Own.Explanation = s.credential.Explanation
	}
	shown(&a.Peer, s.shown)
	if e, ok := s.key.(ike.Explained); ok {
		a.Peer.Explanation = e.Explain()
	}
}

func (e *encryption) explain(a *trace.Authentication) {
	e.sa.how(a, "HASH", "over nonces that only the private key decrypts")
	if e.credential != nil {
		shown(&a.Own, e.credential.Chain)
		a.Own.Explanation = e.credential.Explanation
	}
	if e.certificate != nil {
		shown(&a.Peer, []payload.Certificate{{Encoding: payload.CertX509Signature, Data: e.certificate}})
	}
	if x, ok := e.peer.(ike.Explained); ok {
		a.Peer.Explanation = x.Explain()
	}
}

// shown fills in the certificates of one side, its own first.
func shown(p *trace.Proof, chain []payload.Certificate) {
	if len(chain) > 0 {
		p.Certificate, p.More = ike.DescribeCertificate(chain[0]), len(chain)-1
	}
}

// explain fills in how an outcome of a quick mode came about.
func (q *quick) explain(n *trace.Negotiation, err error) {
	chosen := len(q.choice.Proposal.Transforms) > 0
	if q.initiator && q.offer != nil {
		why, refused := nothingChosen(err, q.sa.hint)
		if q.decision = ike.ExplainQuickModeReply(q.offer, q.choice, why); refused && !chosen {
			q.decision = q.decision.RefusedByPeer(why)
		}
	}
	q.decision.Fill(n)
	q.decision = ike.Decision{}
	if chosen {
		n.PFS = ike.PFSWords(q.choice.Group)
	}
	if err == nil {
		n.Lifetime = ike.ExplainQuickModeLifetime(q.choice, q.lifetime, q.initiator)
		n.Reason = q.note
		n.NAT = q.explainNAT()
	}
}
