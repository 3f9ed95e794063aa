package scep

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/ipseclab/ipseclab/internal/pki"
)

// MessageType is what a message is: RFC 8894, Section 3.2.1.2.
type MessageType int

// The types.
const (
	CertRep    MessageType = 3
	RenewalReq MessageType = 17
	PKCSReq    MessageType = 19
	CertPoll   MessageType = 20 // GetCertInitial in the drafts
	GetCert    MessageType = 21
	GetCRL     MessageType = 22
)

var typeNames = map[MessageType]string{
	CertRep: "CertRep", RenewalReq: "RenewalReq", PKCSReq: "PKCSReq", CertPoll: "CertPoll", GetCert: "GetCert", GetCRL: "GetCRL",
}

// String is the name of the RFC.
func (t MessageType) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("message type %d", int(t))
}

// Status is what became of a request: RFC 8894, Section 3.2.1.3.
type Status int

// The values.
const (
	Success Status = 0
	Failure Status = 2
	Pending Status = 3
)

var statusNames = map[Status]string{Success: "SUCCESS", Failure: "FAILURE", Pending: "PENDING"}

// String is the name of the RFC.
func (s Status) String() string { return statusNames[s] }

// FailInfo is why a request was refused: RFC 8894, Section 3.2.1.4.
type FailInfo int

// The values.
const (
	BadAlg FailInfo = iota
	BadMessageCheck
	BadRequest
	BadTime
	BadCertID
)

var failNames = []string{"badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId"}

// String is the name of the RFC.
func (f FailInfo) String() string {
	if f >= 0 && int(f) < len(failNames) {
		return failNames[f]
	}
	return fmt.Sprintf("failInfo %d", int(f))
}

// Protection is how messages are signed and encrypted, in the words of package pki.
type Protection struct{ Hash, Cipher string }

// Oldest is what every server knows: RFC 8894, Section 3.5.2.
var Oldest = Protection{Hash: "md5", Cipher: "des"}

// nonceLen is the length of nonces: RFC 8894, Section 3.2.1.5.
const nonceLen = 16

// maxTransaction bounds a transaction's name, in octets. Hashes in hexadecimal have 32 to 128.
const maxTransaction = 256

// Message is a pkiMessage: RFC 8894, Section 3.2.
type Message struct {
	Type        MessageType
	Transaction string
	SenderNonce []byte
	// RecipientNonce is the sender nonce of the message that a CertRep answers.
	RecipientNonce []byte
	Status         Status   // of a CertRep
	Fail           FailInfo // of a CertRep with Failure
	// Protection is how the message is signed and encrypted; a hash that is not supported is "", and so is
	// the cipher until [Message.Open] has found it.
	Protection Protection

	envelope []byte // nil: none
	signed   *pki.Signed
}

// The attributes: RFC 8894, Section 3.2.1, below an arc of VeriSign's.
var (
	oidType           = pki.OID{2, 16, 840, 1, 113733, 1, 9, 2}
	oidStatus         = pki.OID{2, 16, 840, 1, 113733, 1, 9, 3}
	oidFail           = pki.OID{2, 16, 840, 1, 113733, 1, 9, 4}
	oidSenderNonce    = pki.OID{2, 16, 840, 1, 113733, 1, 9, 5}
	oidRecipientNonce = pki.OID{2, 16, 840, 1, 113733, 1, 9, 6}
	oidTransaction    = pki.OID{2, 16, 840, 1, 113733, 1, 9, 7}
)

// Marshal signs the message and encrypts content, which nil leaves out, to the
// holder of a certificate.
func (m *Message) Marshal(rand io.Reader, signer pki.Own, to *pki.Certificate, content []byte) ([]byte, error) {
	var attributes []pki.SignedAttribute
	var err error
	text := func(id pki.OID, tag asn1.Tag, value []byte) {
		var b cryptobyte.Builder
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(value) })
		der, e := b.Bytes()
		err = errors.Join(err, e)
		attributes = append(attributes, pki.SignedAttribute{ID: id, Value: der})
	}
	text(oidTransaction, asn1.PrintableString, []byte(m.Transaction))
	text(oidType, asn1.PrintableString, strconv.AppendInt(nil, int64(m.Type), 10))
	text(oidSenderNonce, asn1.OCTET_STRING, m.SenderNonce)
	if m.Type == CertRep {
		text(oidStatus, asn1.PrintableString, strconv.AppendInt(nil, int64(m.Status), 10))
		text(oidRecipientNonce, asn1.OCTET_STRING, m.RecipientNonce)
		if m.Status == Failure {
			text(oidFail, asn1.PrintableString, strconv.AppendInt(nil, int64(m.Fail), 10))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("scep: a %v: %w", m.Type, err)
	}
	var envelope []byte
	if content != nil {
		if envelope, err = pki.MarshalEnveloped(rand, content, m.Protection.Cipher, to); err != nil {
			return nil, fmt.Errorf("scep: a %v: %w", m.Type, err)
		}
	}
	der, err := pki.MarshalSigned(envelope, attributes, m.Protection.Hash, signer)
	if err != nil {
		return nil, fmt.Errorf("scep: a %v: %w", m.Type, err)
	}
	return der, nil
}

// Parse reads a message. What a signature is worth, and what is in the envelope, say
// [Message.CheckSignature] and [Message.Open].
func Parse(der []byte) (*Message, error) {
	signed, err := pki.ParseSigned(der)
	if err != nil {
		return nil, fmt.Errorf("scep: a message: %w", err)
	}
	m := &Message{signed: signed, Status: -1, Fail: -1, Protection: Protection{Hash: signed.Hash}}
	if len(signed.Content) > 0 { // a signature without content and one of no octets are the same
		m.envelope = signed.Content
	}
	bad := func(what string) (*Message, error) { return nil, fmt.Errorf("scep: a message has %s", what) }
	number, ok := readText(signed.Find(oidType))
	n, err := strconv.ParseUint(number, 10, 8)
	if !ok || err != nil {
		return bad("no message type")
	}
	m.Type = MessageType(n)
	if typeNames[m.Type] == "" {
		return bad("an unknown type " + number)
	}
	if m.Transaction, ok = readText(signed.Find(oidTransaction)); !ok || m.Transaction == "" || len(m.Transaction) > maxTransaction {
		return bad(fmt.Sprintf("no transaction of 1 to %d octets", maxTransaction))
	}
	if m.SenderNonce, ok = readOctets(signed.Find(oidSenderNonce)); !ok || len(m.SenderNonce) != nonceLen {
		return bad("no sender nonce of 16 octets")
	}
	if m.Type != CertRep {
		return m, nil
	}
	if m.RecipientNonce, ok = readOctets(signed.Find(oidRecipientNonce)); !ok || len(m.RecipientNonce) != nonceLen {
		return bad("no recipient nonce of 16 octets")
	}
	number, _ = readText(signed.Find(oidStatus))
	n, err = strconv.ParseUint(number, 10, 8)
	if m.Status = Status(n); err != nil || statusNames[m.Status] == "" {
		return bad("no status")
	}
	if m.Status == Failure {
		number, _ = readText(signed.Find(oidFail))
		if n, err = strconv.ParseUint(number, 10, 8); err != nil || n >= uint64(len(failNames)) {
			return bad("no reason of a failure")
		}
		m.Fail = FailInfo(n)
	}
	return m, nil
}

// Signer is the certificate that came with the message, of who signed it; nil: none did.
func (m *Message) Signer() *pki.Certificate { return m.signed.Signer() }

// CheckSignature verifies that the holder of a certificate signed the message, and that the
// message says so.
func (m *Message) CheckSignature(signer *pki.Certificate) error {
	if !m.signed.By(signer) {
		return fmt.Errorf("scep: the %v is not signed by %s", m.Type, signer.Subject)
	}
	if signer.Key == nil {
		return fmt.Errorf("scep: the %v is signed with a key that is not supported: %w", m.Type, signer.KeyError)
	}
	if err := m.signed.CheckSignature(signer.Key); err != nil {
		return fmt.Errorf("scep: the %v of %s: %w", m.Type, signer.Subject, err)
	}
	return nil
}

// Open decrypts what is in the envelope.
func (m *Message) Open(own pki.Own) ([]byte, error) {
	if m.envelope == nil {
		return nil, fmt.Errorf("scep: the %v has no envelope", m.Type)
	}
	content, cipher, err := pki.OpenEnveloped(m.envelope, own)
	if err != nil {
		return nil, fmt.Errorf("scep: the envelope of the %v: %w", m.Type, err)
	}
	m.Protection.Cipher = cipher
	return content, nil
}

// readText reads a PrintableString: the digits and hexadecimal of attributes.
func readText(der []byte) (string, bool) {
	in := cryptobyte.String(der)
	var value cryptobyte.String
	ok := in.ReadASN1(&value, asn1.PrintableString) && in.Empty()
	return string(value), ok
}

func readOctets(der []byte) ([]byte, bool) {
	in := cryptobyte.String(der)
	var value cryptobyte.String
	ok := in.ReadASN1(&value, asn1.OCTET_STRING) && in.Empty()
	return value, ok
}
