package ikev1

import (
	"crypto/hmac"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// method is one way of authentication at work in a phase 1: what its messages
// carry beside the proposals, and SKEYID (RFC 2409, Sections 5.1 to 5.4).
//
// Message numbers in the comments are those of main mode. In aggressive mode
// exchange and receive are for messages 1 and 2, prove and check for 2 and 3.
type method interface {
	// exchange are the payloads with our public value and nonce, of message 3 or 4.
	exchange(now time.Time) ([]payload.Payload, error)
	// receive reads the peer's public value and nonce from such a message.
	receive(now time.Time, m *message) (ke, nonce []byte, err error)
	// skeyid is SKEYID of the nonces and the shared secret.
	skeyid(ni, nr, gxy []byte) ([]byte, error)
	// prove are the payloads of message 5 or 6 that prove who we are.
	prove(now time.Time) ([]payload.Payload, error)
	// noise is the fault of a peer whose message 5 or 6 decrypts to something that is no proof.
	noise(what string) error
	// check judges the payloads with which the peer proves who it is. An error that
	// is not final leaves open who has altered the message.
	check(now time.Time, m *message) error
	// explain fills in for the trace with what each side has proved who it is so far.
	explain(a *trace.Authentication)
}

// final is a fault of which no copy of the message can be free, and that nobody
// can have caused who has no part in the Diffie–Hellman exchange: it ends phase 1 at once.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// newMethod is the method that both sides agreed on.
func (sa *SA) newMethod() method {
	switch a, _ := sa.policy.Of(sa.choice, sa.initiator); { // it was offered, or chosen
	case a.Method.Signature():
		return &signature{sa: sa, auth: a}
	case a.Method == ike.GSSAPI:
		return &gssAPI{sa: sa, auth: a}
	case a.Method.Encryption():
		return &encryption{sa: sa, auth: a, revised: a.Method == ike.RevisedRSAEncryption}
	default:
		return &preShared{sa: sa, key: a.PreSharedKey}
	}
}

// drawKeys draws our private key and nonce.
func (sa *SA) drawKeys() (err error) {
	if sa.private, err = sa.group.GenerateKey(sa.env.Config.Rand); err != nil {
		return err
	}
	sa.ownNonce, err = sa.env.Config.Random(sa.env.Config.NonceLength())
	return err
}

// plainExchange are our public value and nonce, and in aggressive mode our identity: RFC 2409, Sections 5.1 and 5.4.
func (sa *SA) plainExchange() ([]payload.Payload, error) {
	if err := sa.drawKeys(); err != nil {
		return nil, err
	}
	ps := []payload.Payload{payload.KeyExchange{Data: sa.private.Public()}, payload.Nonce{Data: sa.ownNonce}}
	if sa.aggressive {
		ps = append(ps, sa.ownID)
	}
	return ps, nil
}

// plainReceive reads the counterpart of plainExchange.
func (sa *SA) plainReceive(m *message) (ke, nonce []byte, err error) {
	if err := m.parse(); err != nil {
		return nil, nil, err
	}
	k, _, err := payload.One[payload.KeyExchange](m.chain)
	if err != nil {
		return nil, nil, err
	}
	n, _, err := payload.One[payload.Nonce](m.chain)
	if err != nil {
		return nil, nil, err
	}
	if sa.aggressive {
		err = sa.takeID(m)
	}
	return k.Data, n.Data, err
}

// takeID keeps the identity that the peer claims. Nothing proves it yet.
func (sa *SA) takeID(m *message) error {
	id, item, err := payload.One[payload.ID](m.chain)
	sa.claimed, sa.claimedBody = id, item.Body
	return err
}

// ownHash is HASH_I of the initiator and HASH_R of the responder, RFC 2409, Section 5.
func (sa *SA) ownHash() []byte {
	own, other := sa.cookies.Initiator, sa.cookies.Responder
	if !sa.initiator {
		own, other = other, own
	}
	return sa.keys.authHash(sa.private.Public(), sa.peerKE, own, other, sa.sai, payload.Body(sa.ownID))
}

// peerHash is what the peer's hash has to be, over the identity as it has sent it.
func (sa *SA) peerHash() []byte {
	own, other := sa.cookies.Responder, sa.cookies.Initiator
	if !sa.initiator {
		own, other = other, own
	}
	return sa.keys.authHash(sa.peerKE, sa.private.Public(), own, other, sa.sai, sa.claimedBody())
}

// checkHash compares the peer's Hash payload with what it has to be.
func (sa *SA) checkHash(m *message, noise func(what string) error) error {
	hash, _, err := payload.One[payload.Hash](m.chain)
	if err != nil {
		return noise("it decrypts to a message without one hash")
	}
	if !hmac.Equal(hash.Data, sa.peerHash()) {
		// RFC 2408, Section 5.11 names the notification for a hash that fails.
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyAuthenticationFailed, "the peer's hash does not verify")
	}
	return nil
}
