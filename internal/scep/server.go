package scep

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/ipseclab/ipseclab/internal/pki"
)

// ServerConfig is how an authority answers.
type ServerConfig struct {
	Rand      io.Reader
	Authority *pki.Authority
	// Above are the certificates between the authority and its root, and the root.
	Above []*pki.Certificate
	// RA are registration authorities that answer in its place: one, or one that signs and one that decrypts, as
	// Cepsetup makes them.
	RA []pki.Own
	// List is the authority's list of revoked certificates; nil: it has none to give.
	List *pki.RevocationList

	Challenge string        // the password that requests must have; "": none is asked for
	Pending   time.Duration // how long an administrator takes to decide; 0: it is decided at once
	Deny      bool          // the administrator's decision
	Announced Capabilities  // none: GetCACaps is not known, as it was not before the drafts of 2005

	Template pki.Template  // of what is issued: hash, usages, points of lists
	Validity time.Duration // of what is issued; 0: a year
}

// Server answers for an authority. It is not safe for concurrent use.
type Server struct {
	ServerConfig
	transactions map[string]*transaction
	issued       map[string]*pki.Certificate // by serial number
}

// transaction is a request that a device may ask about.
type transaction struct {
	request *pki.Request
	decided time.Time
	granted *pki.Certificate
}

// maxOpen bounds the requests that a server remembers.
const maxOpen = 4096

// clockSkew is how much earlier than now a certificate begins: what a certification
// authority of Windows allows for clocks that differ.
const clockSkew = 10 * time.Minute

// NewServer makes a server.
func NewServer(c ServerConfig) (*Server, error) {
	switch {
	case c.Rand == nil:
		return nil, errors.New("scep: there is no stream of random octets")
	case c.Authority == nil:
		return nil, errors.New("scep: there is no authority")
	case c.Authority.Key.Algorithm() != pki.RSA && len(c.RA) == 0:
		return nil, fmt.Errorf("scep: requests are encrypted to the authority, and its %s key cannot decrypt: give it registration authorities with RSA keys", c.Authority.Key.Algorithm())
	}
	for _, ra := range c.RA {
		switch {
		case ra.Key == nil || ra.Key.Algorithm() != pki.RSA:
			return nil, fmt.Errorf("scep: the registration authority %s has no RSA key", ra.Certificate.Subject)
		case ra.Certificate.CheckSignature(c.Authority.Certificate.Key) != nil:
			return nil, fmt.Errorf("scep: the registration authority %s has no certificate of %s", ra.Certificate.Subject, c.Authority.Certificate.Subject)
		}
	}
	return &Server{c, map[string]*transaction{}, map[string]*pki.Certificate{}}, nil
}

// Reply is an answer: a status of HTTP, a type of content, and the content.
type Reply struct {
	Status int
	Type   string
	Body   []byte
	// What says what was asked and answered, in words.
	What Exchange
}

// Exchange is a request and its answer as they are told of.
type Exchange struct {
	Operation   Operation
	Message     MessageType // of PKIOperation
	Transaction string
	Status      Status // of a CertRep
	Subject     string // of the request, or of whom is asked about
	Serial      string // of what is given, in hexadecimal
	Reason      string // why not
}

// Serve answers an operation with its message, which for PKIOperation is DER.
func (s *Server) Serve(now time.Time, op Operation, message []byte) Reply {
	r := Reply{Status: 200, What: Exchange{Operation: op, Status: -1}}
	no := func(status int, why string) Reply {
		r.Status, r.Type, r.Body, r.What.Reason = status, typeText, []byte(why+"\n"), why
		return r
	}
	switch {
	case op == GetCACert && len(s.RA)+len(s.Above) == 0:
		r.Type, r.Body = typeCert, s.Authority.Certificate.Raw
	case op == GetCACert:
		var all []*pki.Certificate
		for _, ra := range s.RA {
			all = append(all, ra.Certificate)
		}
		body, err := pki.MarshalPKCS7(append(append(all, s.Authority.Certificate), s.Above...), nil)
		if err != nil {
			return no(500, err.Error())
		}
		r.Type, r.Body = typeCerts, body
	case op == GetCACaps && len(s.Announced) > 0:
		r.Type, r.Body = typeText, []byte(strings.Join(s.Announced, "\n")+"\n")
	case op == GetNextCACert:
		return no(501, "GetNextCACert is not supported: the authority has no successor")
	case op == PKIOperation:
		body, err := s.operate(now, message, &r.What)
		if err != nil {
			return no(400, err.Error())
		}
		r.Type, r.Body = typeMessage, body
	default:
		return no(404, fmt.Sprintf("the operation %q is not known", op))
	}
	return r
}

// operate answers a message. An error is a message that has not enough in it to be answered.
func (s *Server) operate(now time.Time, der []byte, what *Exchange) ([]byte, error) {
	m, err := Parse(der)
	if err != nil {
		return nil, err
	}
	what.Message, what.Transaction = m.Type, m.Transaction
	signer := m.Signer()
	if signer == nil {
		return nil, errors.New("scep: the message does not have its signer's certificate")
	}
	if signer.Key == nil || signer.Key.Algorithm() != pki.RSA {
		return nil, errors.New("scep: the signer's certificate has no RSA key, to which the answer could be encrypted")
	}
	certificates, lists, fail := s.judge(now, m, signer, what)
	reply := Message{Type: CertRep, Transaction: m.Transaction, SenderNonce: make([]byte, nonceLen), RecipientNonce: m.SenderNonce, Status: Success}
	if _, err := io.ReadFull(s.Rand, reply.SenderNonce); err != nil {
		return nil, fmt.Errorf("scep: a nonce: %w", err)
	}
	var content []byte
	switch {
	case fail != nil && fail.pending:
		reply.Status = Pending
	case fail != nil:
		reply.Status, reply.Fail, what.Reason = Failure, fail.info, fmt.Sprintf("%v: %s", fail.info, fail.why)
	default:
		if content, err = pki.MarshalPKCS7(certificates, lists); err != nil {
			return nil, err
		}
	}
	what.Status = reply.Status
	reply.Protection = m.Protection // what the asker knows (RFC 8894, Section 3.5.2)
	if reply.Protection.Hash == "" {
		reply.Protection.Hash = Oldest.Hash
	}
	return reply.Marshal(s.Rand, s.signer(), signer, content)
}

// signer is what answers are signed with.
func (s *Server) signer() pki.Own {
	for _, ra := range s.RA {
		if ra.Certificate.Usage == 0 || ra.Certificate.Usage&pki.DigitalSignature != 0 {
			return ra
		}
	}
	return pki.Own{Certificate: s.Authority.Certificate, Key: s.Authority.Key}
}

// recipient is what decrypts messages.
func (s *Server) recipient() pki.Own {
	for _, ra := range s.RA {
		if ra.Certificate.Usage == 0 || ra.Certificate.Usage&pki.KeyEncipherment != 0 {
			return ra
		}
	}
	return pki.Own{Certificate: s.Authority.Certificate, Key: s.Authority.Key}
}

// refusal is why a message is not granted, or not yet.
type refusal struct {
	pending bool
	info    FailInfo
	why     string
}

func refuse(info FailInfo, format string, args ...any) *refusal {
	return &refusal{info: info, why: fmt.Sprintf(format, args...)}
}

// judge decides about a message.
func (s *Server) judge(now time.Time, m *Message, signer *pki.Certificate, what *Exchange) ([]*pki.Certificate, []*pki.RevocationList, *refusal) {
	if m.Protection.Hash == "" {
		return nil, nil, refuse(BadAlg, "the hash of the signature is not supported")
	}
	if err := m.CheckSignature(signer); err != nil {
		return nil, nil, refuse(BadMessageCheck, "%s", trim(err))
	}
	content, err := m.Open(s.recipient())
	switch {
	case errors.Is(err, pki.ErrContentCipher):
		return nil, nil, refuse(BadAlg, "%s", trim(err))
	case err != nil:
		return nil, nil, refuse(BadMessageCheck, "%s", trim(err))
	}
	switch m.Type {
	case PKCSReq, RenewalReq:
		c, no := s.enrol(now, m, signer, content, what)
		return one(c), nil, no
	case CertPoll:
		c, no := s.poll(now, m, signer, content, what)
		return one(c), nil, no
	case GetCRL, GetCert:
		return s.known(m.Type, content, what)
	}
	return nil, nil, refuse(BadRequest, "a %v is not for an authority", m.Type)
}

func one(c *pki.Certificate) []*pki.Certificate {
	if c == nil {
		return nil
	}
	return []*pki.Certificate{c}
}

func trim(err error) string { return strings.TrimPrefix(err.Error(), "scep: ") }

// enrol takes a request for a certificate.
func (s *Server) enrol(now time.Time, m *Message, signer *pki.Certificate, content []byte, what *Exchange) (*pki.Certificate, *refusal) {
	request, err := pki.ParseRequest(content)
	if err != nil {
		return nil, refuse(BadRequest, "%v", err)
	}
	what.Subject = request.Subject.String()
	if err := request.CheckSignature(); err != nil {
		return nil, refuse(BadMessageCheck, "the request of %s: %v", request.Subject, err)
	}
	ours := signer.CheckSignature(s.Authority.Certificate.Key) == nil && signer.Issuer.Equal(s.Authority.Certificate.Subject)
	switch {
	case ours && !signer.ValidAt(now):
		return nil, refuse(BadCertID, "the certificate to renew is not valid now")
	case ours && !signer.Subject.Equal(request.Subject):
		return nil, refuse(BadRequest, "%s asks for a certificate of %s", signer.Subject, request.Subject)
	case ours && s.List != nil && s.List.Find(signer.Serial) != nil:
		return nil, refuse(BadCertID, "the certificate to renew is revoked")
	case m.Type == RenewalReq && !ours:
		return nil, refuse(BadCertID, "the certificate to renew is not of this authority")
	case !ours && !pki.SameKey(signer.Key, request.Key):
		// RFC 8894, Section 2.3: who has no certificate yet signs with the key of the request.
		return nil, refuse(BadMessageCheck, "the message is signed with another key than that of the request")
	case !ours && s.Challenge != "" && subtle.ConstantTimeCompare([]byte(s.Challenge), []byte(request.Challenge)) != 1:
		return nil, refuse(BadRequest, "the challenge password is wrong")
	}
	t := s.transactions[m.Transaction]
	switch {
	case t != nil && !pki.SameKey(t.request.Key, request.Key):
		return nil, refuse(BadRequest, "the transaction is that of another key")
	case t == nil && len(s.transactions) >= maxOpen:
		return nil, refuse(BadRequest, "the authority has %d requests already", maxOpen)
	case t == nil:
		t = &transaction{request: request, decided: now.Add(s.Pending)}
		s.transactions[m.Transaction] = t
	}
	return s.decide(now, t, what)
}

// poll answers who asks about a request.
func (s *Server) poll(now time.Time, m *Message, signer *pki.Certificate, content []byte, what *Exchange) (*pki.Certificate, *refusal) {
	in := cryptobyte.String(content)
	var seq, issuer, subject cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Element(&issuer, asn1.SEQUENCE) ||
		!seq.ReadASN1Element(&subject, asn1.SEQUENCE) || !seq.Empty() {
		return nil, refuse(BadRequest, "the question does not name issuer and subject")
	}
	from, err := pki.ParseNameDER(issuer)
	if err != nil || !from.Equal(s.Authority.Certificate.Subject) {
		return nil, refuse(BadCertID, "the question is to another authority")
	}
	name, err := pki.ParseNameDER(subject)
	if err != nil {
		return nil, refuse(BadRequest, "the subject is no name")
	}
	what.Subject = name.String()
	t := s.transactions[m.Transaction]
	if t == nil || !t.request.Subject.Equal(name) || !signer.Subject.Equal(name) {
		return nil, refuse(BadCertID, "no such request is known")
	}
	return s.decide(now, t, what)
}

// decide is what has become of a request: the same certificate, however often it is asked for.
func (s *Server) decide(now time.Time, t *transaction, what *Exchange) (*pki.Certificate, *refusal) {
	switch {
	case t.granted != nil:
	case now.Before(t.decided):
		return nil, &refusal{pending: true}
	case s.Deny:
		return nil, refuse(BadRequest, "the administrator has denied it")
	default:
		validity := s.Validity
		if validity == 0 {
			validity = 365 * 24 * time.Hour
		}
		template := s.Template
		template.NotBefore, template.NotAfter = now.Add(-clockSkew), now.Add(validity)
		c, err := s.Authority.IssueRequest(s.Rand, t.request, template)
		if err != nil {
			return nil, refuse(BadRequest, "%v", err)
		}
		t.granted = c
		s.issued[hexOf(c.Serial)] = c
	}
	what.Serial = hexOf(t.granted.Serial)
	return t.granted, nil
}

// known gives a certificate, or the list that says whether one is revoked.
func (s *Server) known(kind MessageType, content []byte, what *Exchange) ([]*pki.Certificate, []*pki.RevocationList, *refusal) {
	in := cryptobyte.String(content)
	issuer, serial, ok := pki.ReadIssuerAndSerial(&in)
	if !ok || !in.Empty() {
		return nil, nil, refuse(BadRequest, "the question does not name issuer and serial number")
	}
	what.Subject, what.Serial = issuer.String(), hexOf(serial)
	switch c := s.issued[hexOf(serial)]; {
	case !issuer.Equal(s.Authority.Certificate.Subject):
		return nil, nil, refuse(BadCertID, "%s is another authority", issuer)
	case kind == GetCRL && s.List == nil:
		return nil, nil, refuse(BadCertID, "the authority has no list of revoked certificates")
	case kind == GetCRL:
		return nil, []*pki.RevocationList{s.List}, nil
	case c == nil:
		return nil, nil, refuse(BadCertID, "no certificate has the serial number %s", hexOf(serial))
	default:
		return one(c), nil, nil
	}
}

func hexOf(n *big.Int) string { return n.Text(16) }

func addSequence(b *cryptobyte.Builder, parts ...[]byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(parts, nil)) })
}
