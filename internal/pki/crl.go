package pki

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Reason is why a certificate was revoked: RFC 5280, Section 5.3.1.
type Reason int

// The reasons; 7 is not used.
const (
	Unspecified Reason = iota
	KeyCompromise
	CACompromise
	AffiliationChanged
	Superseded
	CessationOfOperation
	CertificateHold
	_
	RemoveFromCRL
	PrivilegeWithdrawn
	AACompromise
)

var reasonNames = []string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}

// String is the name of the RFC.
func (r Reason) String() string {
	if r < 0 || int(r) >= len(reasonNames) || reasonNames[r] == "" {
		return fmt.Sprintf("reason %d", int(r))
	}
	return reasonNames[r]
}

// ParseReason reads a name of the RFC, in any case.
func ParseReason(s string) (Reason, error) {
	for i, name := range reasonNames {
		if name != "" && strings.EqualFold(name, s) {
			return Reason(i), nil
		}
	}
	return 0, fmt.Errorf("pki: %q is no reason of a revocation; reasons are unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation, certificateHold, removeFromCRL, privilegeWithdrawn and aACompromise", s)
}

// Revocation is an entry of a revocation list.
type Revocation struct {
	Serial *big.Int
	At     time.Time
	Reason Reason // Unspecified is left out of the entry
}

// RevocationList is an X.509 certificate revocation list (RFC 5280, Section 5), read.
type RevocationList struct {
	Raw        []byte
	Algorithm  SignatureAlgorithm
	Issuer     Name
	ThisUpdate time.Time
	NextUpdate time.Time // zero: it does not say
	Number     *big.Int  // nil: it does not say
	Entries    []Revocation
	// UnknownCritical are critical extensions of the list or its entries that the
	// lab does not process: delta lists and lists of some certificates only among them.
	UnknownCritical []OID

	tbs, signature []byte
	issuerKey      string
	bySerial       map[string]int // index of the entry
}

// maxList bounds what is read as a revocation list, in octets.
const maxList = 1 << 22

// ParseRevocationList reads a list in DER. Errors are of kind [BadEncoding].
func ParseRevocationList(der []byte) (*RevocationList, error) {
	l, what := parseList(der)
	if what != "" {
		return nil, &Error{Kind: BadEncoding, Detail: "a revocation list has " + what}
	}
	return l, nil
}

func parseList(der []byte) (_ *RevocationList, wrong string) {
	if len(der) > maxList {
		return nil, fmt.Sprintf("%d octets; at most %d are read", len(der), maxList)
	}
	p, ok := readSigned(bytes.Clone(der))
	if !ok {
		return nil, "not the form SEQUENCE { tbsCertList, algorithm, signature }"
	}
	l := &RevocationList{Raw: p.raw, Algorithm: p.algorithm, tbs: p.tbs, signature: p.value, bySerial: map[string]int{}}
	in := p.body
	var inner, entries, explicit cryptobyte.String
	version := 0
	if in.PeekASN1Tag(asn1.INTEGER) && (!in.ReadASN1Integer(&version) || version != 1) {
		return nil, "no version 1 or 2"
	}
	if _, ok := readSignatureAlgorithm(&in, &inner); !ok || !bytes.Equal(inner, p.outer) {
		return nil, "a signature algorithm inside that differs from the one outside"
	}
	var err error
	if l.Issuer, err = readName(&in); err != nil {
		return nil, "an issuer that is no name"
	}
	l.issuerKey = l.Issuer.key()
	if !readTime(&in, &l.ThisUpdate) {
		return nil, "no time of this update"
	}
	if in.PeekASN1Tag(asn1.UTCTime) || in.PeekASN1Tag(asn1.GeneralizedTime) {
		if !readTime(&in, &l.NextUpdate) {
			return nil, "a bad time of the next update"
		}
	}
	var present bool
	if !in.ReadOptionalASN1(&entries, &present, asn1.SEQUENCE) {
		return nil, "bad entries"
	}
	for !entries.Empty() {
		if !l.readEntry(&entries) {
			return nil, "a bad entry"
		}
	}
	if !in.ReadOptionalASN1(&explicit, &present, asn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return nil, "something after its entries that is not its extensions"
	}
	if !present {
		return l, ""
	}
	extensions, ok := readExtensions(&explicit)
	if !ok || !explicit.Empty() || version == 0 {
		return nil, "extensions that are not well formed"
	}
	for _, e := range extensions {
		in := cryptobyte.String(e.Value)
		switch {
		case e.ID.Equal(oidCRLNumber):
			l.Number = new(big.Int)
			if !readInteger(&in, l.Number) || !in.Empty() {
				return nil, "a bad number"
			}
		case e.ID.Equal(oidAuthorityKeyID):
		default: // a delta list or an issuing point makes it another list, and is critical
			if e.Critical || e.ID.Equal(oidDeltaCRL) || e.ID.Equal(oidIssuingPoint) {
				l.UnknownCritical = append(l.UnknownCritical, e.ID)
			}
		}
	}
	return l, ""
}

func (l *RevocationList) readEntry(in *cryptobyte.String) bool {
	var seq cryptobyte.String
	r := Revocation{Serial: new(big.Int)}
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !readInteger(&seq, r.Serial) || !readTime(&seq, &r.At) {
		return false
	}
	if !seq.Empty() {
		extensions, ok := readExtensions(&seq)
		if !ok || !seq.Empty() {
			return false
		}
		for _, e := range extensions {
			value := cryptobyte.String(e.Value)
			if e.ID.Equal(oidReasonCode) {
				var reason int
				if !value.ReadASN1Enum(&reason) || !value.Empty() {
					return false
				}
				r.Reason = Reason(reason)
			} else if e.Critical {
				l.UnknownCritical = append(l.UnknownCritical, e.ID)
			}
		}
	}
	l.bySerial[serialKey(r.Serial)] = len(l.Entries)
	l.Entries = append(l.Entries, r)
	return true
}

// Find is the entry of a serial number, or nil.
func (l *RevocationList) Find(serial *big.Int) *Revocation {
	if i, ok := l.bySerial[serialKey(serial)]; ok {
		return &l.Entries[i]
	}
	return nil
}

// CheckSignature verifies the list's signature with its issuer's key.
func (l *RevocationList) CheckSignature(issuer PublicKey) error {
	return l.Algorithm.verify(issuer, l.tbs, l.signature)
}

func serialKey(serial *big.Int) string {
	return string(append([]byte{byte(serial.Sign())}, serial.Bytes()...))
}
