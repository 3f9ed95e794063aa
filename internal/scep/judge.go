package scep

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/ipseclab/ipseclab/internal/pki"
)

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
	case ours && !covers(signer.AltNames, request.Asked.AltNames):
		return nil, refuse(BadRequest, "%s asks for alternative names that it does not have", signer.Subject)
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

// covers reports whether a certificate with these alternative names has all that are asked for. A
// renewal needs no password, so that it brings nobody another name.
func covers(have, asked pki.AltNames) bool {
	return subset(asked.DNS, have.DNS) && subset(asked.UPN, have.UPN) && subset(asked.Email, have.Email) && subset(asked.IP, have.IP)
}

func subset[T comparable](part, all []T) bool {
	return !slices.ContainsFunc(part, func(v T) bool { return !slices.Contains(all, v) })
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
