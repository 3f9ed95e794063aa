package ikev1

import (
	"errors"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// checkProof decrypts message 5 or 6 and checks the peer's proof. done reports that
// the exchange is over: what was wrong is final.
func (sa *SA) checkProof(now time.Time, m *message, number int) (done bool, err error) {
	if m.Flags&payload.Encrypted == 0 {
		return false, ike.Errorf(ike.CodeProcessing, 0, "it is not encrypted")
	}
	if _, _, err = m.decrypt(sa.keys, sa.iv); err == nil {
		err = m.malformed
	}
	if err != nil {
		m.chain, m.malformed = nil, nil // noise, not worth showing
		return false, sa.method.noise("it decrypts to noise")
	}
	if err = sa.method.check(now, m); err != nil {
		return sa.finally(now, m, number, err)
	}
	return false, nil
}

// finally ends phase 1 where a fault of the peer's proof is final, and tells the peer.
func (sa *SA) finally(now time.Time, m *message, number int, err error) (done bool, _ error) {
	f, ok := errors.AsType[final](err)
	if !ok {
		return false, err
	}
	sa.accept(m, number)
	if !sa.initiator {
		sa.adopt(m)
	}
	if m.nextIV != nil {
		sa.iv = m.nextIV
	}
	sa.reject(now, f.error)
	return true, nil
}

// reject ends phase 1 because of who the peer has proved to be. A peer that has sent
// the last message takes the SA for established.
func (sa *SA) reject(now time.Time, err error) {
	if n := ike.NotifyOf(err); n != 0 {
		sa.sendNotify(now, n, payload.ProtocolISAKMP, sa.spi())
	}
	if sa.initiator != sa.aggressive {
		sa.sendDelete(now, payload.ProtocolISAKMP, sa.spi())
	}
	sa.fail(err)
}

// identified takes note of who an authenticated peer is, and applies RFC 2407, Section 4.6.2 to its identity.
func (sa *SA) identified() error {
	id := sa.claimed
	sa.peerID = ike.DescribeID(id)
	switch {
	case id.Protocol == 0 && id.Port == 0, id.Protocol == ipsec.ProtoUDP && id.Port == 500:
		return nil
	case sa.natt.dialect != 0 && id.Protocol == ipsec.ProtoUDP && (id.Port == 0 || id.Port == ike.NATPort):
		return nil // "the port … MUST be set to 0", RFC 3947, Section 4; of the protocol it says nothing
	}
	return ike.Errorf(ike.CodeIDPayload, payload.NotifyInvalidIDInformation, "phase 1 identity %v has a protocol or port that is not UDP 500", id)
}

// admit ends phase 1 with a peer that has proved who it is and gives an identity that is none; false: it is over.
func (sa *SA) admit(now time.Time) bool {
	err := sa.identified()
	if err != nil {
		sa.reject(now, err)
	}
	return err == nil
}

// prove makes our proof; false: there is none, and phase 1 is over.
func (sa *SA) prove(now time.Time) ([]payload.Payload, bool) {
	ps, err := sa.method.prove(now)
	if err != nil {
		sa.failSaying(now, err)
	}
	return ps, err == nil
}

func (sa *SA) message5(now time.Time, m *message) error {
	if done, err := sa.checkProof(now, m, 5); done || err != nil {
		return err
	}
	sa.accept(m, 5)
	sa.adopt(m)
	sa.iv = m.nextIV
	sa.genuine(now, m)
	sa.takeRequests(m)
	if !sa.admit(now) {
		return nil
	}
	ps, ok := sa.prove(now)
	if !ok {
		return nil
	}
	ps = append(ps, sa.shortened()...)
	var msg []byte
	msg, sa.iv = sa.sealed(payload.MainMode, 0, sa.iv, ps...)
	sa.send(now, &sa.last, msg, 6, false, "", ps...)
	sa.establish(now, m)
	return nil
}

// shortened is the notification that we keep to a shorter lifetime than was offered, if we do.
func (sa *SA) shortened() []payload.Payload {
	offered := ipsec.Lifetime{Duration: sa.choice.Lifetime, Kilobytes: sa.choice.Kilobytes}
	l := ike.Shorter(offered, ipsec.Lifetime{Duration: sa.policy.Life(), Kilobytes: sa.policy.Kilobytes})
	if !sa.env.Config.ShortenMainMode || l == offered {
		return nil
	}
	sa.offered = offered
	sa.choice.Lifetime, sa.choice.Kilobytes = l.Duration, l.Kilobytes
	return []payload.Payload{sa.env.Config.ResponderLifetime(payload.ProtocolISAKMP, sa.spi(), l)}
}

func (sa *SA) message6(now time.Time, m *message) error {
	if done, err := sa.checkProof(now, m, 6); done || err != nil {
		return err
	}
	sa.accept(m, 6)
	sa.arrived(now, m)
	sa.iv = m.nextIV
	sa.genuine(now, m)
	if !sa.admit(now) {
		return nil
	}
	sa.establish(now, m)
	return nil
}
