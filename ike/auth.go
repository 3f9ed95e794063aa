package ike

import (
	"crypto/hmac"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// AuthMethod is how the two sides of a phase 1 prove who they are: the value of
// the Authentication Method attribute (RFC 2409, Appendix A).
type AuthMethod uint16

// Authentication methods, RFC 2409, Appendix A.
const (
	PreSharedKey         = AuthMethod(payload.AuthPSK)
	DSSSignature         = AuthMethod(payload.AuthDSS)
	RSASignature         = AuthMethod(payload.AuthRSASignature)
	RSAEncryption        = AuthMethod(payload.AuthRSAEncryption)
	RevisedRSAEncryption = AuthMethod(payload.AuthRevisedRSAEncryption)
)

// String is the name that RFC 2409 has for it.
func (m AuthMethod) String() string {
	if m == GSSAPI {
		return "GSS-API"
	}
	_, value := payload.AttributeName(payload.ProtocolISAKMP, payload.BasicAttribute(payload.AttrAuthMethod, uint16(m)))
	return value
}

// Signature reports whether the proof is a signature, RFC 2409, Section 5.1.
func (m AuthMethod) Signature() bool { return m == RSASignature || m == DSSSignature }

// Encryption reports whether the proof is that one can decrypt, RFC 2409, Sections 5.2 and 5.3.
func (m AuthMethod) Encryption() bool { return m == RSAEncryption || m == RevisedRSAEncryption }

// Auth is one way of authentication with what it takes.
type Auth struct {
	Method       AuthMethod
	PreSharedKey []byte       // of PreSharedKey: chosen by address, as main mode must (RFC 2409, Section 5.4)
	Certificates Certificates // of signatures and public key encryption
	GSS          GSS          // of GSSAPI
	XAuth        *XAuth       // a user's name and password after it; nil: none
}

// Same reports whether whoever has proved itself by one has done so by the other: the
// method, and the key, the judge of certificates or the mechanism, are the same.
func (a Auth) Same(b Auth) bool {
	return a.Method == b.Method && hmac.Equal(a.PreSharedKey, b.PreSharedKey) &&
		reflect.DeepEqual(a.Certificates, b.Certificates) && reflect.DeepEqual(a.GSS, b.GSS) && reflect.DeepEqual(a.XAuth, b.XAuth)
}

// Check reports what the method lacks, or that the engine does not know it.
func (a Auth) Check() error {
	if a.XAuth != nil {
		if err := a.XAuth.Check(); err != nil {
			return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "%v", err)
		}
	}
	switch {
	case a.Method == PreSharedKey && len(a.PreSharedKey) == 0:
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "the pre-shared key is empty")
	case a.Method == PreSharedKey:
		return nil
	case a.Method == GSSAPI && a.XAuth != nil:
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "XAUTH has no method for after GSS-API")
	case a.Method == GSSAPI && a.GSS == nil:
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "authentication by GSS-API without a mechanism")
	case a.Method == GSSAPI && (a.GSS.Identity() == "" || len(GSSName(a.GSS.Identity())) > 2*maxGSSIdentity):
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "GSS identity name of %d characters, must have 1 to %d", len(a.GSS.Identity()), maxGSSIdentity)
	case a.Method == GSSAPI:
		return nil
	case !a.Method.Signature() && !a.Method.Encryption():
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "authentication by %v is unsupported", a.Method)
	case a.Certificates == nil:
		return Errorf(CodeNoPolicy, payload.NotifyNoProposalChosen, "authentication by %v without a store of certificates", a.Method)
	}
	return nil
}

// Certificates answer an engine's questions about the certificates of its host,
// for one peer. Errors should be of type *Error: they end the negotiation with
// their code and tell the peer their notification.
type Certificates interface {
	// Requests are the names of the certification authorities from which the peer's
	// certificate may come, in DER and in order of preference. The peer is asked for
	// each of them by a certificate request. None: the peer is not asked.
	Requests() [][]byte
	// Own is what we prove who we are with, to a peer that accepts certificates of the
	// authorities requested; none: the peer did not say.
	Own(at time.Time, m AuthMethod, requested [][]byte) (Credential, error)
	// Peer judges the certificates of a peer that calls itself id, and gives its public key, beside
	// an error too, unless nobody vouches that it is the key of the certificate: that may have been
	// altered on the way, since no signature of phase 1 covers it.
	Peer(at time.Time, m AuthMethod, id payload.ID, sent []payload.Certificate) (PublicKey, error)
	// Known is the public key of a peer that public key encryption has to know before
	// the peer has sent anything (RFC 2409, Section 5.2), by its address, and by its
	// identity where the peer has given one. Certificate is what it comes from, or nil.
	Known(at time.Time, remote netip.Addr, id *payload.ID) (key PublicKey, certificate []byte, err error)
}

// Credential is what we prove who we are with.
type Credential struct {
	Identity Identity
	Chain    []payload.Certificate // what the peer is shown, our own certificate first
	Key      PrivateKey

	// Explanation says in sentences, for the trace, why it is this certificate, and what
	// was wrong with others.
	Explanation []string
}

// Explained may be implemented by the PublicKey of a peer: sentences for the trace that say by
// what its certificate was judged.
type Explained interface{ Explain() []string }

// PrivateKey is a key of ours.
type PrivateKey interface {
	// Algorithm is rsa, dsa or ecdsa.
	Algorithm() string
	// Sign makes the contents of a Signature payload of a hash. With RSA that is PKCS #1
	// without the name of the hash in front of it; with DSA r and s of 20 bytes each (RFC 2409, Section 5.1).
	Sign(hash []byte) ([]byte, error)
	// Decrypt undoes PublicKey.Encrypt. It must take the same time for all that is wrong.
	Decrypt(ciphertext []byte) ([]byte, error)
}

// PublicKey is a key of a peer.
type PublicKey interface {
	Algorithm() string
	// Verify checks what Sign has made.
	Verify(hash, signature []byte) error
	// Encrypt is PKCS #1, block type 2, with padding from rand (RFC 2409, Section 5.2).
	Encrypt(rand io.Reader, plaintext []byte) ([]byte, error)
}

// algorithm is the kind of key that a method signs or decrypts with.
func (m AuthMethod) algorithm() string {
	if m == DSSSignature {
		return "dsa"
	}
	return "rsa"
}

// CheckKey reports a key that is not of the kind that the method takes.
func (m AuthMethod) CheckKey(k interface{ Algorithm() string }) error {
	if k.Algorithm() != m.algorithm() {
		return fmt.Errorf("%v takes a key of the kind %s, not %s", m, m.algorithm(), k.Algorithm())
	}
	return nil
}
