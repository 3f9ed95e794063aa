package ikev1

import (
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// preShared is authentication with a pre-shared key, RFC 2409, Section 5.4.
type preShared struct {
	sa  *SA
	key []byte
}

func (p *preShared) exchange(time.Time) ([]payload.Payload, error) {
	p.sa.ownID = p.sa.policy.Identity.Payload(p.sa.local.Addr())
	return p.sa.plainExchange()
}

func (p *preShared) receive(_ time.Time, m *message) (ke, nonce []byte, err error) {
	return p.sa.plainReceive(m)
}

// skeyid is prf(pre-shared-key, Ni_b | Nr_b).
func (p *preShared) skeyid(ni, nr, _ []byte) ([]byte, error) {
	return p.sa.hash().PRF(p.key, ni, nr), nil
}

func (p *preShared) prove(time.Time) ([]payload.Payload, error) {
	p.sa.showing = true
	hash := payload.Hash{Data: p.sa.ownHash()}
	if p.sa.aggressive {
		return []payload.Payload{hash}, nil
	}
	return []payload.Payload{p.sa.ownID, hash}, nil
}

// noise is what another key makes of message 5 or 6.
func (p *preShared) noise(what string) error {
	return ike.Errorf(ike.CodeAuthFailed, payload.NotifyPayloadMalformed, "%s: the pre-shared keys differ, or it was altered on the way", what)
}

func (p *preShared) check(_ time.Time, m *message) error {
	if !p.sa.aggressive {
		if err := p.sa.takeID(m); err != nil {
			return p.noise("it decrypts to a message without one identity")
		}
	}
	return p.sa.checkHash(m, p.noise)
}
