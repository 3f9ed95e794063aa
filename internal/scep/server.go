package scep

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

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
