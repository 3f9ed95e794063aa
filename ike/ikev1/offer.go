package ikev1

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Initiate starts a main mode: it sends message 1.
func Initiate(env *Env, now time.Time, local, remote netip.AddrPort, policy ike.MainMode) (*SA, error) {
	sa := &SA{env: env, local: local, remote: remote, initiator: true, policy: policy, state: awaits2, used: map[usedID]struct{}{}}
	if len(policy.PreSharedKey) == 0 {
		return nil, ike.Errorf(ike.CodeNoPolicy, 0, "no pre-shared key for %v", remote.Addr())
	}
	var err error
	if sa.offer, err = ike.OfferMainMode(policy); err != nil {
		return nil, err
	}
	if sa.cookies.Initiator, err = env.newCookie(); err != nil {
		return nil, err
	}
	sa.sai = payload.Body(sa.offer)
	sa.negotiated("started", nil)
	ps := append([]payload.Payload{sa.offer}, env.vendorIDs()...)
	sa.send(now, &sa.last, sa.clear(payload.MainMode, 0, ps...), 1, true, "", ps...)
	return sa, nil
}

// Respond answers message 1 with message 2, or with a refusal. The result is
// dead when the message deserves neither.
func Respond(env *Env, now time.Time, local, remote netip.AddrPort, h payload.Header, raw []byte, policy ike.MainMode) *SA {
	sa := &SA{env: env, local: local, remote: remote, policy: policy, state: dead, used: map[usedID]struct{}{}, heardLast: raw}
	m := &message{Header: h, raw: raw}
	sa.cookies.Initiator = h.CookieI
	if sa.cookies.Responder = h.CookieR; h.CookieR == (payload.Cookie{}) { // else it has been given out, see ike.Config.DoSProtection
		if sa.cookies.Responder, sa.err = env.newCookie(); sa.err != nil {
			return sa
		}
	}
	offer, err := sa.message1(m)
	if err != nil {
		sa.ignore(m, 1, ike.ReasonOf(err))
		sa.err = err
		if n := ike.NotifyOf(err); n != 0 && env.MayNotify(now, remote.Addr()) {
			sa.notifyClear(now, &outgoing{}, n)
		}
		return sa
	}
	sa.heard(m, 1, "")
	sa.negotiated("started", nil)
	if sa.choice, err = ike.SelectMainMode(offer, policy, env.Config.Preference); err == nil && len(policy.PreSharedKey) == 0 {
		err = ike.Errorf(ike.CodeNoPolicy, payload.NotifyNoProposalChosen, "no pre-shared key for %v", remote.Addr())
	}
	if err != nil {
		// Remembered as refused, so that its copies do not count as new negotiations.
		sa.fail(err)
		sa.state, sa.until = refused, now.Add(ike.Linger(env.Config.Gaps()))
		if env.MayNotify(now, remote.Addr()) {
			sa.notifyClear(now, &sa.last, ike.NotifyOf(err))
		}
		return sa
	}
	sa.group = suite.GroupNumbered(sa.choice.Proposal.Group)
	sa.state = awaits3
	ps := append([]payload.Payload{sa.choice.Reply()}, env.vendorIDs()...)
	sa.send(now, &sa.last, sa.clear(payload.MainMode, 0, ps...), 2, true, "", ps...)
	return sa
}

func (sa *SA) message1(m *message) (*payload.SA, error) {
	if err := m.parse(); err != nil {
		return nil, err
	}
	offer, item, err := saFirst(m)
	sa.sai = item
	return offer, err
}

// saFirst reads the SA payload of message 1 or 2, which precedes everything else (RFC 2409, Section 5).
func saFirst(m *message) (offer *payload.SA, body []byte, err error) {
	offer, item, err := payload.One[*payload.SA](m.chain)
	if err != nil {
		return nil, nil, err
	}
	if m.chain[0].Payload != payload.Payload(offer) {
		return nil, nil, ike.Errorf(ike.CodeSAPayload, payload.NotifyPayloadMalformed, "the SA payload is not the first one")
	}
	return offer, item.Body(), nil
}

func (sa *SA) message2(now time.Time, m *message) error {
	if m.CookieR == (payload.Cookie{}) {
		return ike.Errorf(ike.CodeProcessing, 0, "message 2 without a responder's cookie")
	}
	if err := m.parse(); err != nil {
		return err
	}
	reply, _, err := saFirst(m)
	if err != nil {
		return err
	}
	choice, err := ike.MatchMainMode(reply, sa.offer)
	if err != nil {
		return err
	}
	sa.choice, sa.group = choice, suite.GroupNumbered(choice.Proposal.Group)
	sa.cookies.Responder = m.CookieR
	sa.accept(m, 2)
	ps, err := sa.keyExchange()
	if err != nil {
		sa.fail(err)
		return nil
	}
	sa.state = awaits4
	sa.send(now, &sa.last, sa.clear(payload.MainMode, 0, ps...), 3, true, "", ps...)
	return nil
}

// newCookie draws a cookie, which must not be zero: zero is "not known yet" (RFC 2408, Section 3.1).
func (env *Env) newCookie() (payload.Cookie, error) {
	for {
		b, err := env.Config.Random(len(payload.Cookie{}))
		if err != nil {
			return payload.Cookie{}, err
		}
		if c := payload.Cookie(b); c != (payload.Cookie{}) {
			return c, nil
		}
	}
}

func (env *Env) vendorIDs() []payload.Payload {
	var ps []payload.Payload
	for _, v := range env.Config.VendorIDs {
		ps = append(ps, payload.VendorID{Data: v})
	}
	return ps
}
