package ikev1

import (
	"crypto/hmac"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

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
	if p, ok := id.Payload.(payload.ID); ok {
		sa.peerID = p.String()
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
	sa.iv = m.nextIV
	sa.genuine(now, m)
	if err := sa.checkID(m); err != nil {
		sa.sendNotify(now, ike.NotifyOf(err), payload.ProtocolISAKMP, sa.spi())
		sa.fail(err)
		return nil
	}
	ps := sa.proof()
	offered := ipsec.Lifetime{Duration: sa.choice.Lifetime, Kilobytes: sa.choice.Kilobytes}
	l := ike.Shorter(offered, ipsec.Lifetime{Duration: sa.policy.Life(), Kilobytes: sa.policy.Kilobytes})
	if sa.env.Config.ShortenMainMode && l != offered {
		ps = append(ps, ike.ResponderLifetime(payload.ProtocolISAKMP, sa.spi(), l))
		sa.choice.Lifetime, sa.choice.Kilobytes = l.Duration, l.Kilobytes
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
	sa.iv = m.nextIV
	sa.genuine(now, m)
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
