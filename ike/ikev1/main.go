package ikev1

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// mainMode takes a message of phase 1. RFC 2409, Section 5.4:
//
//	1  HDR, SA             -->
//	2                      <--  HDR, SA
//	3  HDR, KE, Ni         -->
//	4                      <--  HDR, KE, Nr
//	5  HDR*, IDii, HASH_I  -->
//	6                      <--  HDR*, IDir, HASH_R
func (sa *SA) mainMode(now time.Time, m *message) {
	if bytes.Equal(m.raw, sa.heardLast) {
		sa.mainModeCopy(now, m)
		return
	}
	var err error
	switch sa.state {
	case awaits2:
		err = sa.message2(now, m)
	case awaits3:
		err = sa.message3(now, m)
	case awaits4:
		err = sa.message4(now, m)
	case awaits5:
		err = sa.message5(now, m)
	case awaits6:
		err = sa.message6(now, m)
	case established, lingering:
		sa.heard(m, 0, "ignored: main mode is over")
		return
	default:
		sa.heard(m, 0, "ignored: the offer was refused")
		return
	}
	if err != nil {
		sa.drop(now, m, err)
	}
}

// number is the place of the awaited message in main mode.
func (s state) number() int {
	switch s {
	case awaits2, awaits3, awaits4, awaits5, awaits6:
		return int(s-awaits2) + 2
	}
	return 0
}

// mainModeCopy answers a copy of the peer's last message, see the package documentation.
func (sa *SA) mainModeCopy(now time.Time, m *message) {
	number := sa.last.record.Number - 1
	if sa.initiator {
		sa.heard(m, 0, "ignored: a copy, and our own timer is running")
		return
	}
	if sa.state == refused {
		sa.heard(m, 1, "a copy of the offer that was refused")
		if sa.last.msg != nil && sa.env.MayNotify(now) {
			sa.sendAgain(&sa.last, "refuses a copy of message 1")
		}
		return
	}
	sa.heard(m, number, fmt.Sprintf("a copy of message %d: the stored answer goes out again", number))
	sa.sendAgain(&sa.last, fmt.Sprintf("answers a copy of message %d", number))
}

// drop remembers what was wrong with a main mode message and leaves the state
// alone: nothing proves who sent it.
func (sa *SA) drop(now time.Time, m *message, err error) {
	sa.heard(m, 0, fmt.Sprintf("ignored: message %d is awaited; %s", sa.state.number(), ike.ReasonOf(err)))
	e, ok := errors.AsType[*ike.Error](err)
	if !ok {
		e = ike.Errorf(ike.CodeProcessing, ike.NotifyOf(err), "%v", err)
	}
	told := sa.problem != nil
	sa.problem = e
	if e.Notify != 0 && !told && sa.env.MayNotify(now) {
		sa.notifyClear(now, &outgoing{}, e.Notify)
	}
}

// unanswered ends a main mode whose last message got no answer.
func (sa *SA) unanswered() {
	code := ike.CodeNoResponse
	if sa.heardLast != nil {
		code = ike.CodeTimedOut
	}
	err := ike.Errorf(code, 0, "no response to message %d", sa.last.record.Number)
	if sa.problem != nil {
		err = ike.Errorf(sa.problem.Code, 0, "no response to message %d that could be used: %s", sa.last.record.Number, sa.problem.Reason)
	}
	err.Hint = sa.hint
	sa.fail(err)
}

// fail ends a main mode that has not been established.
func (sa *SA) fail(err error) {
	sa.state, sa.err = dead, err
	sa.last.timer.Stop()
	sa.negotiated("failed", err)
}

// Initiate starts a main mode: it sends message 1.
func Initiate(env *Env, now time.Time, local, remote netip.AddrPort, policy ike.MainMode) (*SA, error) {
	sa := &SA{env: env, local: local, remote: remote, initiator: true, policy: policy, state: awaits2, used: map[uint32]struct{}{}}
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
	sa := &SA{env: env, local: local, remote: remote, policy: policy, state: dead, used: map[uint32]struct{}{}, heardLast: raw}
	m := &message{Header: h, raw: raw}
	sa.cookies.Initiator = h.CookieI
	if sa.cookies.Responder, sa.err = env.newCookie(); sa.err != nil {
		return sa
	}
	offer, err := sa.message1(m)
	if err != nil {
		sa.heard(m, 1, "ignored: "+ike.ReasonOf(err))
		sa.err = err
		if n := ike.NotifyOf(err); n != 0 && env.MayNotify(now) {
			sa.notifyClear(now, &outgoing{}, n)
		}
		return sa
	}
	sa.heard(m, 1, "")
	sa.negotiated("started", nil)
	if sa.choice, err = ike.SelectMainMode(offer, policy); err == nil && len(policy.PreSharedKey) == 0 {
		err = ike.Errorf(ike.CodeNoPolicy, payload.NotifyNoProposalChosen, "no pre-shared key for %v", remote.Addr())
	}
	if err != nil {
		// Remembered as refused, so that its copies do not count as new negotiations.
		sa.fail(err)
		sa.state, sa.until = refused, now.Add(ike.Linger(env.Config.Gaps()))
		if env.MayNotify(now) {
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

// accept takes note of a message that is what was awaited.
func (sa *SA) accept(m *message, number int) {
	sa.heard(m, number, "")
	sa.heardLast, sa.problem = m.raw, nil
	sa.last.timer.Stop()
}

// keyExchange draws our private key and nonce and makes the payloads of message 3 or 4.
func (sa *SA) keyExchange() ([]payload.Payload, error) {
	var err error
	if sa.private, err = sa.group.GenerateKey(sa.env.Config.Rand); err != nil {
		return nil, err
	}
	if sa.ownNonce, err = sa.env.Config.Random(sa.env.Config.NonceLength()); err != nil {
		return nil, err
	}
	return []payload.Payload{payload.KeyExchange{Data: sa.private.Public()}, payload.Nonce{Data: sa.ownNonce}}, nil
}

// peerKeys reads the peer's public value and nonce from message 3 or 4.
func (sa *SA) peerKeys(m *message) (ke, nonce []byte, err error) {
	if err := m.parse(); err != nil {
		return nil, nil, err
	}
	k, _, err := payload.One[payload.KeyExchange](m.chain)
	if err != nil {
		return nil, nil, err
	}
	n, _, err := payload.One[payload.Nonce](m.chain)
	return k.Data, n.Data, err
}

func (sa *SA) message3(now time.Time, m *message) error {
	ke, nonce, err := sa.peerKeys(m)
	if err != nil {
		return err
	}
	ps, err := sa.keyExchange()
	if err != nil {
		sa.heard(m, 3, "")
		sa.fail(err)
		return nil
	}
	shared, err := sa.private.Shared(ke)
	if err != nil {
		return ike.Errorf(ike.CodeKEPayload, payload.NotifyInvalidKeyInformation, "%v", err)
	}
	sa.accept(m, 3)
	sa.peerKE, sa.peerNonce = ke, nonce
	if err := sa.deriveKeys(nonce, sa.ownNonce, ke, sa.private.Public(), shared); err != nil {
		sa.fail(err)
		return nil
	}
	sa.state = awaits5
	sa.send(now, &sa.last, sa.clear(payload.MainMode, 0, ps...), 4, true, "", ps...)
	return nil
}

// deriveKeys makes the keys of phase 1 and its first IV, and gives the cipher
// key to the trace at once: a capture of a negotiation that fails from here on
// can be decrypted too.
func (sa *SA) deriveKeys(ni, nr, gxi, gxr, gxy []byte) error {
	var err error
	if sa.keys, err = newKeys(sa.choice.Proposal, sa.policy.PreSharedKey, ni, nr, gxy, sa.cookies); err != nil {
		return err
	}
	sa.iv = sa.keys.iv(gxi, gxr)
	sa.env.Config.Record(trace.IKEKeys{
		CookieI: append([]byte(nil), sa.cookies.Initiator[:]...), CookieR: append([]byte(nil), sa.cookies.Responder[:]...),
		Cipher: sa.choice.Proposal.Cipher, Key: append([]byte(nil), sa.keys.cipherKey...),
	})
	return nil
}

func (sa *SA) message4(now time.Time, m *message) error {
	ke, nonce, err := sa.peerKeys(m)
	if err != nil {
		return err
	}
	shared, err := sa.private.Shared(ke)
	if err != nil {
		return ike.Errorf(ike.CodeKEPayload, payload.NotifyInvalidKeyInformation, "%v", err)
	}
	sa.accept(m, 4)
	sa.peerKE, sa.peerNonce = ke, nonce
	if err := sa.deriveKeys(sa.ownNonce, nonce, sa.private.Public(), ke, shared); err != nil {
		sa.fail(err)
		return nil
	}
	ps := sa.proof()
	if sa.env.Alone(now, sa) {
		ps = append(ps, payload.Notify{
			DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: sa.spi(),
		})
	}
	var msg []byte
	msg, sa.iv = sa.sealed(payload.MainMode, 0, sa.iv, ps...)
	sa.state = awaits6
	sa.send(now, &sa.last, msg, 5, true, "", ps...)
	return nil
}

// proof is our identity and HASH_I or HASH_R, RFC 2409, Section 5.
func (sa *SA) proof() []payload.Payload {
	id := sa.policy.Identity.Payload(sa.local.Addr())
	own, other := sa.cookies.Initiator, sa.cookies.Responder
	if !sa.initiator {
		own, other = other, own
	}
	h := sa.keys.authHash(sa.private.Public(), sa.peerKE, own, other, sa.sai, payload.Body(id))
	return []payload.Payload{id, payload.Hash{Data: h}}
}

// checkProof decrypts message 5 or 6 and checks the peer's hash.
func (sa *SA) checkProof(m *message) error {
	if m.Flags&payload.Encrypted == 0 {
		return ike.Errorf(ike.CodeProcessing, 0, "it is not encrypted")
	}
	differ := func(what string) error {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyPayloadMalformed, "%s: the pre-shared keys differ, or it was altered on the way", what)
	}
	_, _, err := m.decrypt(sa.keys, sa.iv)
	if err == nil {
		err = m.malformed
	}
	if err != nil {
		m.chain, m.malformed = nil, nil // noise, not worth showing
		return differ("it decrypts to noise")
	}
	_, id, err := payload.One[payload.ID](m.chain)
	if err != nil {
		return differ("it decrypts to a message without one identity")
	}
	hash, _, err := payload.One[payload.Hash](m.chain)
	if err != nil {
		return differ("it decrypts to a message without one hash")
	}
	own, other := sa.cookies.Responder, sa.cookies.Initiator
	if !sa.initiator {
		own, other = other, own
	}
	// RFC 2408, Section 5.11 names the notification for a hash that fails.
	if !hmac.Equal(hash.Data, sa.keys.authHash(sa.peerKE, sa.private.Public(), own, other, sa.sai, id.Body())) {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyAuthenticationFailed, "the peer's hash does not verify")
	}
	return nil
}

// checkID applies RFC 2407, Section 4.6.2 to the identity of an authenticated peer.
func (sa *SA) checkID(m *message) error {
	id, _, _ := payload.One[payload.ID](m.chain)
	if id.Protocol == 0 && id.Port == 0 || id.Protocol == ipsec.ProtoUDP && id.Port == 500 {
		return nil
	}
	return ike.Errorf(ike.CodeIDPayload, payload.NotifyInvalidIDInformation, "phase 1 identity %v has a protocol or port that is not UDP 500", id)
}

func (sa *SA) message5(now time.Time, m *message) error {
	if err := sa.checkProof(m); err != nil {
		return err
	}
	sa.accept(m, 5)
	sa.iv, sa.lastHeard = m.nextIV, now
	if err := sa.checkID(m); err != nil {
		sa.sendNotify(now, ike.NotifyOf(err), payload.ProtocolISAKMP, sa.spi())
		sa.fail(err)
		return nil
	}
	ps := sa.proof()
	if own := sa.policy.Life(); own < sa.choice.Lifetime {
		ps = append(ps, ike.ResponderLifetime(payload.ProtocolISAKMP, sa.spi(), ipsec.Lifetime{Duration: own}))
		sa.choice.Lifetime = own
	}
	var msg []byte
	msg, sa.iv = sa.sealed(payload.MainMode, 0, sa.iv, ps...)
	sa.send(now, &sa.last, msg, 6, false, "", ps...)
	sa.establish(now)
	sa.statusNotifies(m)
	return nil
}

func (sa *SA) message6(now time.Time, m *message) error {
	if err := sa.checkProof(m); err != nil {
		return err
	}
	sa.accept(m, 6)
	sa.iv, sa.lastHeard = m.nextIV, now
	if err := sa.checkID(m); err != nil {
		sa.sendNotify(now, ike.NotifyOf(err), payload.ProtocolISAKMP, sa.spi())
		sa.sendDelete(now, payload.ProtocolISAKMP, sa.spi()) // the responder takes the SA for established
		sa.fail(err)
		return nil
	}
	sa.establish(now)
	sa.statusNotifies(m)
	return nil
}

// establish ends phase 1. Its secrets that nothing needs any more are dropped.
func (sa *SA) establish(now time.Time) {
	sa.state = established
	sa.since, sa.lifetime = now, sa.choice.Lifetime
	sa.expires = now.Add(sa.lifetime)
	sa.private, sa.offer, sa.sai = nil, nil, nil
	sa.negotiated("established", nil)
	sa.emit(ike.EventMainMode{
		Local: sa.local.Addr(), Remote: sa.remote.Addr(), Cookies: sa.cookies, Initiator: sa.initiator, Expires: sa.expires,
	})
}

// statusNotifies takes what the peer put beside its proof.
func (sa *SA) statusNotifies(m *message) {
	for _, n := range payload.All[payload.Notify](m.chain) {
		sa.status(n)
	}
}

// spi names the ISAKMP SA in notifications: both cookies.
func (sa *SA) spi() []byte {
	return append(append([]byte(nil), sa.cookies.Initiator[:]...), sa.cookies.Responder[:]...)
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
