package ikev1

import (
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Aggressive mode, RFC 2409, Section 5:
//
//	1  HDR, SA, KE, Ni, IDii  -->
//	2                         <--  HDR, SA, KE, Nr, IDir, HASH_R or [CERT,] SIG_R
//	3  HDR*, HASH_I or [CERT,] SIG_I  -->
//
// With public key encryption the nonces and identities are those of Sections 5.2 and 5.3.
// Message 3 may come in the clear; ours is encrypted.

// aggressiveOffer is what message 1 has beside the SA payload. The group and the
// method are those of the first transform: neither can be negotiated where it matters.
func (sa *SA) aggressiveOffer(now time.Time) ([]payload.Payload, error) {
	sa.choice = sa.policy.First()
	sa.chosen()
	ps, err := sa.method.exchange(now)
	sa.choice = ike.MainModeChoice{}
	return ps, err
}

// aggressiveAnswer takes message 1, and makes what message 2 has beside the SA payload.
func (sa *SA) aggressiveAnswer(now time.Time, m *message) ([]payload.Payload, error) {
	ke, nonce, err := sa.method.receive(now, m)
	if err != nil {
		return nil, err
	}
	ps, err := sa.method.exchange(now)
	if err != nil {
		return nil, err
	}
	shared, err := sa.shared(ke)
	if err != nil {
		return nil, err
	}
	if err := sa.deriveKeys(ke, nonce, shared); err != nil {
		return nil, err
	}
	nat, err := sa.discovery()
	if err != nil {
		return nil, err
	}
	proof, err := sa.method.prove(now)
	return append(append(ps, nat...), proof...), err
}

// aggressive2 takes message 2. Until its proof verifies, nothing tells it from one
// that somebody else made: whatever it has changed is taken back.
func (sa *SA) aggressive2(now time.Time, m *message, choice ike.MainModeChoice) (err error) {
	method := sa.method
	defer func() {
		if err != nil {
			sa.choice, sa.keys, sa.iv, sa.peerKE, sa.peerNonce, sa.method = ike.MainModeChoice{}, nil, nil, nil, nil, method
			sa.cookies.Responder, sa.requested = payload.Cookie{}, nil
		}
	}()
	sa.choice, sa.cookies.Responder = choice, m.CookieR
	if first := sa.policy.First(); choice.Method != first.Method || choice.Asked != first.Asked {
		sa.method = sa.newMethod()
	}
	ke, nonce, err := sa.method.receive(now, m)
	if err != nil {
		return err
	}
	shared, err := sa.shared(ke)
	if err != nil {
		return err
	}
	sa.takeRequests(m)
	if err := sa.deriveKeys(ke, nonce, shared); err != nil {
		return err
	}
	if err := sa.method.check(now, m); err != nil {
		_, err := sa.finally(now, m, 2, err)
		return err
	}
	sa.accept(m, 2)
	sa.lastHeard = now
	sa.agreeDialect()
	sa.discover(m)
	if err := sa.checkPlacement(); err != nil {
		sa.reject(now, err)
		return nil
	}
	sa.float()
	if !sa.admit(now) {
		return nil
	}
	ps, ok := sa.prove(now)
	if !ok {
		return nil
	}
	nat, err := sa.discovery()
	if err != nil {
		sa.failSaying(now, err)
		return nil
	}
	ps = append(append(nat, ps...), sa.initialContact(now)...)
	var msg []byte
	msg, sa.iv = sa.sealed(payload.Aggressive, 0, sa.iv, ps...)
	sa.send(now, &sa.last, msg, 3, false, "", ps...)
	sa.establish(now, m)
	return nil
}

// aggressive3 takes message 3, encrypted or in the clear.
func (sa *SA) aggressive3(now time.Time, m *message) error {
	err := sa.read3(m)
	if err != nil {
		m.chain, m.malformed = nil, nil
		return sa.method.noise("it decrypts to noise")
	}
	if err := sa.method.check(now, m); err != nil {
		_, err := sa.finally(now, m, 3, err)
		return err
	}
	sa.accept(m, 3)
	sa.adopt(m)
	sa.discover(m)
	sa.last = outgoing{} // the initiator answers each message 2, so that nothing may answer message 3
	if m.nextIV != nil {
		sa.iv = m.nextIV
	}
	sa.genuine(now, m)
	if !sa.admit(now) {
		return nil
	}
	sa.establish(now, m)
	return nil
}

func (sa *SA) read3(m *message) error {
	if m.Flags&payload.Encrypted == 0 {
		return m.parse()
	}
	if _, _, err := m.decrypt(sa.keys, sa.iv); err != nil {
		return err
	}
	return m.malformed
}
