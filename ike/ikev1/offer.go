package ikev1

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Initiate starts a main mode, or an aggressive mode where the policy says so: it sends message 1.
func Initiate(env *Env, now time.Time, local, remote netip.AddrPort, policy ike.MainMode) (*SA, error) {
	sa := &SA{
		env: env, local: local, remote: remote, initiator: true, aggressive: policy.Aggressive, policy: policy, state: awaits2, used: map[usedID]struct{}{},
	}
	var err error
	if sa.offer, err = ike.OfferMainMode(policy); err != nil {
		return nil, err
	}
	env.Config.Form(sa.offer)
	if sa.cookies.Initiator, err = env.newCookie(); err != nil {
		return nil, err
	}
	sa.sai = payload.Body(sa.offer)
	sa.negotiated("started", nil)
	ps := []payload.Payload{sa.offer}
	if sa.aggressive {
		more, err := sa.aggressiveOffer(now)
		if err != nil {
			sa.fail(err)
			return nil, err
		}
		ps = append(ps, more...)
	}
	ps = append(ps, sa.firstVendorIDs()...)
	sa.send(now, &sa.last, sa.clear(sa.phase1(), 0, ps...), 1, true, "", ps...)
	return sa, nil
}

// Respond answers message 1 with message 2, or with a refusal. The result is
// dead when the message deserves neither.
func Respond(env *Env, now time.Time, local, remote netip.AddrPort, h payload.Header, raw []byte, policy ike.MainMode) *SA {
	sa := &SA{
		env: env, local: local, remote: remote, aggressive: h.Exchange == payload.Aggressive, policy: policy, state: dead, used: map[usedID]struct{}{}, heardLast: raw,
	}
	m := &message{Header: h, raw: raw, local: local, remote: remote}
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
	sa.choice, err = ike.SelectMainMode(offer, sa.vendors, policy, env.Config.Preference)
	sa.judged(offer)
	if err == nil && sa.aggressive && sa.choice.Method == ike.GSSAPI {
		err = ike.Errorf(ike.CodePolicyMatch, payload.NotifyInvalidExchangeType, "aggressive mode with GSS-API is unsupported") // racoon's answer, too
	}
	if err != nil {
		sa.refuse(now, err)
		return sa
	}
	sa.chosen()
	ps := []payload.Payload{sa.choice.Reply()}
	if sa.aggressive {
		more, err := sa.aggressiveAnswer(now, m)
		if err != nil {
			sa.refuse(now, err)
			return sa
		}
		ps = append(ps, more...)
	}
	sa.state = awaits3
	ps = append(ps, sa.vendorIDs()...)
	sa.send(now, &sa.last, sa.clear(sa.phase1(), 0, ps...), 2, true, "", ps...)
	return sa
}

// chosen follows the choice of a transform.
func (sa *SA) chosen() {
	sa.group, sa.method = suite.GroupNumbered(sa.choice.Proposal.Group), sa.newMethod()
}

// refuse ends an SA of which message 1 was refused. It is remembered, so that copies
// of the message do not count as new negotiations.
func (sa *SA) refuse(now time.Time, err error) {
	sa.fail(err)
	sa.state, sa.until = refused, now.Add(ike.Linger(sa.env.Config.Gaps()))
	if n := ike.NotifyOf(err); n != 0 && sa.env.MayNotify(now, sa.remote.Addr()) {
		sa.notifyClear(now, &sa.last, n)
	}
}

func (sa *SA) message1(m *message) (*payload.SA, error) {
	if err := sa.parseOffer(m); err != nil {
		return nil, err
	}
	offer, item, err := saFirst(m)
	sa.sai = item
	sa.vendors.learn(m)
	sa.agreeDialect()
	sa.takeRequests(m)
	return offer, err
}

// parseOffer reads message 1 or 2. In aggressive mode the method of authentication
// stands in the SA payload, and says whether the bodies of others are encrypted.
func (sa *SA) parseOffer(m *message) error {
	if sa.aggressive {
		return m.parseAround(sealedTypes...)
	}
	return m.parse()
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
	if err := sa.parseOffer(m); err != nil {
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
	if sa.aggressive {
		return sa.aggressive2(now, m, choice)
	}
	sa.choice = choice
	sa.chosen()
	sa.cookies.Responder = m.CookieR
	sa.accept(m, 2)
	sa.agreeDialect()
	sa.takeRequests(m)
	ps, err := sa.exchange(now)
	if err != nil {
		sa.failSaying(now, err)
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

// vidInitialContact is the vendor ID of MS-IKEE, 3.5.4: MD5 of its name.
var vidInitialContact = []byte{0x26, 0x24, 0x4d, 0x38, 0xed, 0xdb, 0x61, 0xb3, 0x17, 0x2a, 0x36, 0xe3, 0xd0, 0xcf, 0xb8, 0x19}

// firstVendorIDs are those of message 1. Windows XP was seen to have Vid-Initial-Contact last.
func (sa *SA) firstVendorIDs() []payload.Payload {
	ps := sa.vendorIDs()
	if sa.env.Config.FastFailover && !sa.env.Known(sa.remote.Addr()) {
		ps = append(ps, payload.VendorID{Data: vidInitialContact})
	}
	return ps
}

// vendorIDs are ours for the peer: XAUTH and GSSAPI are for those with whom there may be some.
func (sa *SA) vendorIDs() []payload.Payload {
	var ps []payload.Payload
	for _, v := range sa.env.Config.Vendors() {
		ps = append(ps, payload.VendorID{Data: v})
	}
	add := func(wanted bool, id []byte) {
		if wanted && !slices.ContainsFunc(ps, func(p payload.Payload) bool { return bytes.Equal(p.(payload.VendorID).Data, id) }) {
			ps = append(ps, payload.VendorID{Data: id})
		}
	}
	add(sa.policy.GSS(), ike.GSSVendorID)
	add(sa.policy.XAUTH(), ike.XAUTHVendorID)
	return ps
}
