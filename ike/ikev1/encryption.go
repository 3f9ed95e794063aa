package ikev1

import (
	"bytes"
	"crypto/hmac"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// encryption is authentication with public key encryption, in the first form
// (RFC 2409, Section 5.2) and in the revised one (Section 5.3): whoever can
// decrypt what was encrypted for a key has it.
//
// Nothing is said to the peer of a message that does not decrypt, nor of what it
// decrypts to: that would make us an oracle for whoever wants something decrypted.
type encryption struct {
	sa          *SA
	auth        ike.Auth
	revised     bool
	credential  *ike.Credential
	peer        ike.PublicKey
	certificate []byte // of peer
}

// skeyid is prf(hash(Ni_b | Nr_b), CKY-I | CKY-R).
func (e *encryption) skeyid(ni, nr, _ []byte) ([]byte, error) {
	h, c := e.sa.hash(), e.sa.cookies
	return h.PRF(h.Sum(ni, nr), c.Initiator[:], c.Responder[:]), nil
}

// own chooses what we prove who we are with, once.
func (e *encryption) own(now time.Time) error {
	if e.credential != nil {
		return nil
	}
	c, err := e.auth.Certificates.Own(now, e.auth.Method, nil)
	if err == nil {
		if wrong := e.auth.Method.CheckKey(c.Key); wrong != nil {
			err = ike.Errorf(ike.CodeNoCertificate, payload.NotifyCertificateUnavailable, "%v", wrong)
		}
	}
	if err != nil {
		return err
	}
	e.credential = &c
	e.sa.ownID = c.Identity.Payload(e.sa.local.Addr())
	return nil
}

// known finds the peer's key. The initiator needs it before the peer has given an
// identity. It has used that key when the peer gives one, and whoever has the key
// proves nothing about a name that goes with another.
func (e *encryption) known(now time.Time, id *payload.ID) error {
	key, certificate, err := e.auth.Certificates.Known(now, e.sa.remote.Addr(), id)
	if err != nil {
		return err
	}
	if err := e.auth.Method.CheckKey(key); err != nil {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyInvalidCertificate, "the peer's key: %v", err)
	}
	if e.sa.initiator && e.peer != nil && !sameKey(e.peer, key) {
		return ike.Errorf(ike.CodeAuthFailed, 0, "the peer calls itself %v, whose key is another one than that of its address", id)
	}
	e.peer, e.certificate = key, certificate
	return nil
}

// exchange is, of the first form, KE, [HASH(1)], <ID_b>Pub, <N_b>Pub, and of the
// revised one [HASH(1)], <N_b>Pub, <KE_b>Ke, <ID_b>Ke.
func (e *encryption) exchange(now time.Time) ([]payload.Payload, error) {
	if err := e.own(now); err != nil {
		return nil, err
	}
	if e.sa.initiator {
		if err := e.known(now, nil); err != nil {
			return nil, err
		}
	}
	if err := e.sa.drawKeys(); err != nil {
		return nil, err
	}
	var hash []payload.Payload
	if e.sa.initiator && e.certificate != nil {
		// It tells a responder with several keys which of them was used.
		hash = []payload.Payload{payload.Hash{Data: e.sa.hash().Sum(e.certificate)}}
	}
	nonce, err := e.seal(payload.TypeNonce, e.sa.ownNonce)
	if err != nil {
		return nil, err
	}
	ke := payload.KeyExchange{Data: e.sa.private.Public()}
	if e.revised {
		c := newRevised(e.sa, e.sa.ownNonce, e.sa.initiator)
		if c == nil {
			return nil, ike.Errorf(ike.CodeProcessing, 0, "no key of %s for the revised mode", e.sa.choice.Proposal.Cipher)
		}
		return append(hash, nonce, c.seal(ke), c.seal(e.sa.ownID)), nil
	}
	id, err := e.seal(payload.TypeID, payload.Body(e.sa.ownID))
	if err != nil {
		return nil, err
	}
	return append(append([]payload.Payload{ke}, hash...), id, nonce), nil
}

// seal encrypts the body of a payload with the peer's key.
func (e *encryption) seal(t payload.Type, body []byte) (payload.Payload, error) {
	b, err := e.peer.Encrypt(e.sa.env.Config.Rand, body)
	if err != nil {
		return nil, ike.Errorf(ike.CodeProcessing, 0, "encrypting the %v payload with the peer's key: %v", t, err)
	}
	return payload.Raw{T: t, Data: b}, nil
}

// sealedTypes are the payloads of which the body may be encrypted.
var sealedTypes = []payload.Type{payload.TypeID, payload.TypeNonce, payload.TypeKE, payload.TypeCert}

var errSealed = ike.Errorf(ike.CodeAuthFailed, 0, "what should be encrypted with our public key does not decrypt")

// open undoes the peer's seal.
func (e *encryption) open(m *message, t payload.Type) ([]byte, error) {
	item, err := m.only(t)
	if err != nil {
		return nil, err
	}
	plain, err := e.credential.Key.Decrypt(item.Body())
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// openNonce takes a nonce that nobody knows for one that does not decrypt, or is none: an
// answer to what decrypts, and silence to what does not, would tell the one from the other to
// whoever tries ciphertexts, which is all that the attack on PKCS #1 needs (D. Bleichenbacher,
// CRYPTO '98; on IKE, D. Felsch et al., "The Dangers of Key Reuse", USENIX Security 2018). Phase 1
// then fails for want of a proof. With an identity that does not decrypt there is no key to answer with; few
// plaintexts are one that is known.
func (e *encryption) openNonce(m *message) ([]byte, error) {
	item, err := m.only(payload.TypeNonce)
	if err != nil {
		return nil, err
	}
	other, err := e.sa.env.Config.Random(e.sa.env.Config.NonceLength())
	if err != nil {
		return nil, err
	}
	nonce, err := e.credential.Key.Decrypt(item.Body())
	if err != nil || len(nonce) < payload.MinNonce || len(nonce) > payload.MaxNonce {
		return other, nil
	}
	return nonce, nil
}

func (e *encryption) receive(now time.Time, m *message) (ke, nonce []byte, err error) {
	if err := m.parseAround(sealedTypes...); err != nil {
		return nil, nil, err
	}
	if err := e.own(now); err != nil {
		return nil, nil, err
	}
	if err := e.checkUsed(m); err != nil {
		return nil, nil, err
	}
	if nonce, err = e.openNonce(m); err != nil {
		return nil, nil, err
	}
	var body []byte
	if e.revised {
		c := newRevised(e.sa, nonce, !e.sa.initiator)
		if c == nil {
			return nil, nil, errSealed
		}
		if ke, body, err = c.open(m); err != nil {
			return nil, nil, err
		}
	} else {
		item, err := m.only(payload.TypeKE)
		if err != nil {
			return nil, nil, err
		}
		ke = item.Body()
		if body, err = e.open(m, payload.TypeID); err != nil {
			return nil, nil, err
		}
	}
	id, err := payload.ParseID(body)
	if err != nil {
		return nil, nil, errSealed
	}
	if err := e.known(now, &id); err != nil {
		return nil, nil, silently(err)
	}
	e.sa.claimed, e.sa.claimedBody = id, func() []byte { return body }
	return ke, nonce, nil
}

// sameKey tells by what the keys make of one plaintext, which is all that they show of themselves.
func sameKey(a, b ike.PublicKey) bool {
	var made [2][]byte
	for i, k := range []ike.PublicKey{a, b} {
		var err error
		if made[i], err = k.Encrypt(ones{}, []byte("the same key")); err != nil {
			return false
		}
	}
	return bytes.Equal(made[0], made[1])
}

// ones is a stream of ones.
type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 1
	}
	return len(b), nil
}

// silently is a fault of which the peer is told nothing.
func silently(err error) error {
	return ike.Errorf(ike.CodeOf(err), 0, "%s", ike.ReasonOf(err))
}

// checkUsed reads the hash by which the initiator says which of our keys it has used.
func (e *encryption) checkUsed(m *message) error {
	hash, err := m.only(payload.TypeHash)
	if e.sa.initiator || err != nil || e.sa.aggressive && !e.sa.initiator && len(e.credential.Chain) == 0 {
		return nil
	}
	if len(e.credential.Chain) > 0 && !hmac.Equal(hash.Body(), e.sa.hash().Sum(e.credential.Chain[0].Data)) {
		return ike.Errorf(ike.CodeNoPrivateKey, payload.NotifyCertificateUnavailable, "the peer has encrypted with the key of another certificate than ours")
	}
	return nil
}

// prove is a hash alone: the identities have been exchanged.
func (e *encryption) prove(time.Time) ([]payload.Payload, error) {
	e.sa.showing = true
	return []payload.Payload{payload.Hash{Data: e.sa.ownHash()}}, nil
}

func (e *encryption) noise(what string) error {
	return ike.Errorf(ike.CodeAuthFailed, payload.NotifyPayloadMalformed, "%s: one side could not decrypt, or it was altered on the way", what)
}

func (e *encryption) check(_ time.Time, m *message) error { return e.sa.checkHash(m, e.noise) }
