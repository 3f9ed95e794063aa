package ikev1

import (
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// signature is authentication with RSA or DSS signatures, RFC 2409, Section 5.1.
//
// A message whose signature fails, or that has no certificate to verify it with, may
// have been altered on the way, so that the exchange waits for another one. When it verifies with the key of the certificate
// that came with it, the message is that of the peer with which the Diffie–Hellman
// exchange was made, and what is wrong with the certificate then ends phase 1.
type signature struct {
	sa         *SA
	auth       ike.Auth
	credential *ike.Credential

	// for the trace
	requesting bool                  // the peer has been sent certificate requests
	shown      []payload.Certificate // by the peer
	key        ike.PublicKey         // of the peer
}

// own chooses what we prove who we are with, once.
func (s *signature) own(now time.Time) error {
	if s.credential != nil {
		return nil
	}
	c, err := s.auth.Certificates.Own(now, s.auth.Method, s.sa.requested)
	if err == nil {
		if wrong := s.auth.Method.CheckKey(c.Key); wrong != nil {
			err = ike.Errorf(ike.CodeNoCertificate, payload.NotifyCertificateUnavailable, "%v", wrong)
		}
	}
	if err != nil {
		return err
	}
	s.credential = &c
	if s.sa.ownID.IDType == 0 { // else message 1 of aggressive mode has named us, before the method was chosen
		s.sa.ownID = c.Identity.Payload(s.sa.local.Addr())
	}
	return nil
}

func (s *signature) exchange(now time.Time) ([]payload.Payload, error) {
	if s.sa.aggressive {
		if err := s.own(now); err != nil {
			return nil, err
		}
	}
	ps, err := s.sa.plainExchange()
	if err == nil && (s.sa.aggressive || !s.sa.initiator) { // the initiator of a main mode asks in message 5
		ps = append(ps, s.requests()...)
	}
	return ps, err
}

func (s *signature) receive(_ time.Time, m *message) (ke, nonce []byte, err error) {
	return s.sa.plainReceive(m)
}

// skeyid is prf(Ni_b | Nr_b, g^xy).
func (s *signature) skeyid(ni, nr, gxy []byte) ([]byte, error) {
	return s.sa.hash().PRF(append(append([]byte(nil), ni...), nr...), gxy), nil
}

// requests ask the peer for a certificate of each authority, in order (claim C216).
func (s *signature) requests() (ps []payload.Payload) {
	s.requesting = true
	for _, name := range s.auth.Certificates.Requests() {
		ps = append(ps, payload.CertificateRequest{Encoding: payload.CertX509Signature, Authority: name})
	}
	return ps
}

// maxRequests bounds what we remember of a peer's certificate requests.
const maxRequests = 128

// takeRequests keeps what certificates the peer asks for: it may do so in any message (RFC 2408, Section 3.10).
func (sa *SA) takeRequests(m *message) {
	for _, r := range payload.All[payload.CertificateRequest](m.chain) {
		if r.Encoding == payload.CertX509Signature && len(r.Authority) > 0 && len(sa.requested) < maxRequests {
			sa.requested = append(sa.requested, r.Authority)
		}
	}
}

func (s *signature) prove(now time.Time) ([]payload.Payload, error) {
	if err := s.own(now); err != nil {
		return nil, err
	}
	var ps []payload.Payload
	if !s.sa.aggressive {
		ps = append(ps, s.sa.ownID)
	}
	for _, c := range s.credential.Chain {
		ps = append(ps, c)
	}
	sig, err := s.credential.Key.Sign(s.sa.ownHash())
	if err != nil {
		return nil, ike.Errorf(ike.CodeNoPrivateKey, payload.NotifyCertificateUnavailable, "signing: %v", err)
	}
	s.sa.showing = true
	if s.sa.initiator && !s.sa.aggressive { // RFC 2409, Section 5.1 has no place for them; some put them behind the signature
		ps = append(ps, s.requests()...)
	}
	return append(ps, payload.Signature{Data: sig}), nil
}

func (s *signature) noise(what string) error {
	return ike.Errorf(ike.CodeAuthFailed, payload.NotifyPayloadMalformed, "%s: it was altered on the way", what)
}

func (s *signature) check(now time.Time, m *message) error {
	if !s.sa.aggressive {
		if err := s.sa.takeID(m); err != nil {
			return s.noise("it decrypts to a message without one identity")
		}
	}
	sig, _, err := payload.One[payload.Signature](m.chain)
	if err != nil {
		return s.noise("it decrypts to a message without one signature")
	}
	s.shown = payload.All[payload.Certificate](m.chain)
	key, wrong := s.auth.Certificates.Peer(now, s.auth.Method, s.sa.claimed, s.shown)
	s.key = key
	if key == nil { // nothing says that the message is of the peer
		if wrong == nil {
			wrong = ike.Errorf(ike.CodeNoPeerCertificate, payload.NotifyInvalidCertificate, "no public key of the peer")
		}
		return wrong
	}
	if err := s.auth.Method.CheckKey(key); err != nil {
		return ike.Errorf(ike.CodeAuthFailed, payload.NotifyInvalidCertificate, "the peer's certificate: %v", err)
	}
	if err := key.Verify(s.sa.peerHash(), sig.Data); err != nil {
		return ike.Errorf(ike.CodeInvalidSignature, payload.NotifyInvalidSignature, "the peer's signature does not verify with the key of its certificate")
	}
	if wrong != nil {
		return final{wrong}
	}
	return nil
}
