package pki

import (
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ListTemplate is what a revocation list says.
type ListTemplate struct {
	Number     int64
	ThisUpdate time.Time
	NextUpdate time.Time // zero: it does not say
	Hash       string    // of the signature, as [SignatureWith] names it
	Entries    []Revocation
	Extensions []Extension // are added as they are
}

// IssueList makes a revocation list, of version 2.
func (a *Authority) IssueList(t ListTemplate) (*RevocationList, error) {
	fail := func(err error) (*RevocationList, error) {
		return nil, fmt.Errorf("pki: issue a revocation list of %s: %w", a.Certificate.Subject, err)
	}
	algorithm, err := SignatureWith(a.Key.Public(), t.Hash)
	if err != nil {
		return fail(err)
	}
	issuerID, err := keyID(a.Key.Public())
	if err != nil {
		return fail(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		algorithm.add(b)
		a.Certificate.Subject.add(b)
		addTime(b, t.ThisUpdate)
		if !t.NextUpdate.IsZero() {
			addTime(b, t.NextUpdate)
		}
		if len(t.Entries) > 0 { // "MUST be absent" otherwise (RFC 5280, Section 5.1.2.6)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, r := range t.Entries {
					r.add(b)
				}
			})
		}
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addExtension(b, oidAuthorityKeyID, false, func(b *cryptobyte.Builder) { addAuthorityKeyID(b, issuerID) })
				addExtension(b, oidCRLNumber, false, func(b *cryptobyte.Builder) { b.AddASN1BigInt(big.NewInt(t.Number)) })
				for _, e := range t.Extensions {
					addExtension(b, e.ID, e.Critical, func(b *cryptobyte.Builder) { b.AddBytes(e.Value) })
				}
			})
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return fail(err)
	}
	der, err := addSigned(tbs, algorithm, a.Key)
	if err != nil {
		return fail(err)
	}
	l, err := ParseRevocationList(der)
	if err != nil {
		return fail(err)
	}
	return l, nil
}

func (r Revocation) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r.Serial)
		addTime(b, r.At)
		if r.Reason != Unspecified {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addExtension(b, oidReasonCode, false, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(r.Reason)) })
			})
		}
	})
}
