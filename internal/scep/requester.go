package scep

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/ipseclab/ipseclab/internal/pki"
)

// Requester makes the messages of a device that wants a certificate, or a list, and
// judges the answers.
type Requester struct {
	Authorities  Authorities
	Capabilities Capabilities
	// Identity signs the messages: a certificate that the device has made itself, or the one that is renewed.
	Identity pki.Own
	// Transaction is the same for the request and all questions about it.
	Transaction string
	Request     *pki.Request
	Renews      bool

	key   pki.PrivateKey // for the certificate that is wanted
	nonce []byte
}

// selfSignedFor is how long the certificate counts that a device makes itself for a request.
const selfSignedFor = 7 * 24 * time.Hour

// NewRequester makes a request for a key: the template's subject, names and usages and a challenge
// password. renew is a certificate in whose place the new one comes; nil: there is none.
func NewRequester(rand io.Reader, at time.Time, a Authorities, c Capabilities, t pki.Template, challenge string, key pki.PrivateKey, renew *pki.Own) (*Requester, error) {
	r := &Requester{Authorities: a, Capabilities: c, key: key}
	if t.Hash == "" {
		t.Hash = c.Protection().Hash
	}
	var err error
	if r.Request, err = pki.NewRequest(t, challenge, key); err != nil {
		return nil, fmt.Errorf("scep: %w", err)
	}
	der, err := pki.MarshalPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("scep: %w", err)
	}
	// RFC 8894, Section 3.2.1.1: a hash of the public key; IOS took MD5.
	id := md5.Sum(der)
	r.Transaction = hex.EncodeToString(id[:])
	if renew != nil {
		r.Identity, r.Renews = *renew, true
		return r, nil
	}
	r.Identity, err = selfSigned(rand, at, t.Subject, c.Protection().Hash, key)
	return r, err
}

// NewReader makes a requester that asks without wanting a certificate, in the name of one that it has.
func NewReader(rand io.Reader, a Authorities, c Capabilities, own pki.Own) (*Requester, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(rand, id); err != nil {
		return nil, fmt.Errorf("scep: a transaction: %w", err)
	}
	return &Requester{Authorities: a, Capabilities: c, Identity: own, Transaction: hex.EncodeToString(id)}, nil
}

// selfSigned is a certificate of RFC 8894, Section 2.3: the subject of the request, its key, and the
// usages that the messages need.
func selfSigned(rand io.Reader, at time.Time, subject pki.Name, hash string, key pki.PrivateKey) (pki.Own, error) {
	t := pki.Template{
		Subject: subject, NotBefore: at, NotAfter: at.Add(selfSignedFor), Hash: hash,
		Usage: pki.DigitalSignature | pki.KeyEncipherment, Authority: &pki.BasicConstraints{PathLen: -1},
	}
	made, err := pki.NewRoot(rand, t, key)
	if err != nil {
		return pki.Own{}, fmt.Errorf("scep: %w", err)
	}
	return pki.Own{Certificate: made.Certificate, Key: key}, nil
}

// Enrol is the request itself, and may be sent again while the transaction lasts.
func (r *Requester) Enrol(rand io.Reader) ([]byte, error) {
	kind := PKCSReq
	if r.Renews && r.Capabilities.Has(CapRenewal) {
		kind = RenewalReq
	}
	return r.message(rand, kind, r.Request.Raw)
}

// Poll asks what has become of a request that is pending: RFC 8894, Section 3.3.3.
func (r *Requester) Poll(rand io.Reader) ([]byte, error) {
	issuer, err := r.Authorities.CA.Subject.Marshal()
	if err != nil {
		return nil, err
	}
	subject, err := r.Request.Subject.Marshal()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	addSequence(&b, issuer, subject)
	return r.message(rand, CertPoll, b.BytesOrPanic())
}

// List asks for the list of revoked certificates that says whether one is revoked: RFC 8894, Section 3.3.4.
func (r *Requester) List(rand io.Reader, c *pki.Certificate) ([]byte, error) {
	return r.named(rand, GetCRL, c)
}

// Certificate asks for a certificate of which issuer and serial number are known: RFC 8894, Section 3.3.4.
func (r *Requester) Certificate(rand io.Reader, c *pki.Certificate) ([]byte, error) {
	return r.named(rand, GetCert, c)
}

func (r *Requester) named(rand io.Reader, kind MessageType, c *pki.Certificate) ([]byte, error) {
	var b cryptobyte.Builder
	pki.AddIssuerAndSerial(&b, c.Issuer, c.Serial)
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("scep: a %v: %w", kind, err)
	}
	return r.message(rand, kind, der)
}

func (r *Requester) message(rand io.Reader, kind MessageType, content []byte) ([]byte, error) {
	r.nonce = make([]byte, nonceLen)
	if _, err := io.ReadFull(rand, r.nonce); err != nil {
		return nil, fmt.Errorf("scep: a nonce: %w", err)
	}
	m := Message{Type: kind, Transaction: r.Transaction, SenderNonce: r.nonce, Protection: r.Capabilities.Protection()}
	return m.Marshal(rand, r.Identity, r.Authorities.Recipient(), content)
}

// Answer is what a server has answered.
type Answer struct {
	Status      Status
	Fail        FailInfo         // with Failure
	Certificate *pki.Certificate // with Success: that was wanted; nil where a list was
	Lists       []*pki.RevocationList
}

// Answer judges the answer to the message made last: who signed it, that it belongs to the
// message, and what it brings.
func (r *Requester) Answer(der []byte) (Answer, error) {
	m, err := Parse(der)
	if err != nil {
		return Answer{}, err
	}
	switch signer := m.Signer(); {
	case m.Type != CertRep:
		return Answer{}, fmt.Errorf("scep: the answer is a %v", m.Type)
	case signer == nil || !r.Authorities.Answers(signer):
		return Answer{}, errors.New("scep: the answer is not signed by the authority, nor by one that it has given the right to")
	case m.Transaction != r.Transaction:
		return Answer{}, errors.New("scep: the answer belongs to another transaction")
	case !bytes.Equal(m.RecipientNonce, r.nonce):
		return Answer{}, errors.New("scep: the answer is to another message: its recipient nonce is not the one that was sent")
	}
	if err := m.CheckSignature(m.Signer()); err != nil {
		return Answer{}, err
	}
	a := Answer{Status: m.Status, Fail: m.Fail}
	if m.Status != Success {
		return a, nil
	}
	content, err := m.Open(r.Identity)
	if err != nil {
		return Answer{}, err
	}
	certificates, lists, err := pki.ParsePKCS7(content)
	if err != nil {
		return Answer{}, fmt.Errorf("scep: what the authority gives: %w", err)
	}
	a.Lists = lists
	for _, l := range lists {
		if err := l.CheckSignature(r.Authorities.CA.Key); err != nil {
			return Answer{}, fmt.Errorf("scep: the list of revoked certificates: %w", err)
		}
	}
	if r.Request == nil {
		if len(certificates) > 0 {
			a.Certificate = certificates[0]
		}
		return a, nil
	}
	for _, c := range certificates {
		if pki.SameKey(c.Key, r.key.Public()) {
			if err := c.CheckSignature(r.Authorities.CA.Key); err != nil {
				return Answer{}, fmt.Errorf("scep: the certificate that came: %w", err)
			}
			a.Certificate = c
			return a, nil
		}
	}
	return Answer{}, errors.New("scep: the authority has granted the request, and gives no certificate of its key")
}
