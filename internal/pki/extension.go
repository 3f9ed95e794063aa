package pki

import (
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Extension is one extension of a certificate, list or entry: RFC 5280, Section 4.1.
type Extension struct {
	ID       OID
	Critical bool
	Value    []byte // DER
}

// maxExtensions bounds the extensions of one certificate or list.
const maxExtensions = 64

func readExtensions(in *cryptobyte.String) ([]Extension, bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) {
		return nil, false
	}
	var out []Extension
	for !seq.Empty() {
		var one, value cryptobyte.String
		var e Extension
		if !seq.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&e.ID) ||
			one.PeekASN1Tag(asn1.BOOLEAN) && !one.ReadASN1Boolean(&e.Critical) ||
			!one.ReadASN1(&value, asn1.OCTET_STRING) || !one.Empty() || len(out) == maxExtensions {
			return nil, false
		}
		for _, other := range out {
			if other.ID.Equal(e.ID) { // "MUST NOT include more than one instance" (RFC 5280, Section 4.2)
				return nil, false
			}
		}
		e.Value = value
		out = append(out, e)
	}
	return out, true
}

func addExtension(b *cryptobyte.Builder, oid OID, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(asn1.OCTET_STRING, value)
	})
}

// BasicConstraints says whether the subject is an authority: RFC 5280, Section 4.2.1.9.
type BasicConstraints struct {
	IsCA bool
	// PathLen is how many intermediate authorities may follow; negative: any number.
	PathLen int
}

func readBasicConstraints(in cryptobyte.String) (*BasicConstraints, bool) {
	var seq cryptobyte.String
	out := &BasicConstraints{PathLen: -1}
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() ||
		seq.PeekASN1Tag(asn1.BOOLEAN) && !seq.ReadASN1Boolean(&out.IsCA) {
		return nil, false
	}
	if seq.PeekASN1Tag(asn1.INTEGER) && (!seq.ReadASN1Integer(&out.PathLen) || out.PathLen < 0) {
		return nil, false
	}
	return out, seq.Empty()
}

func (c BasicConstraints) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if c.IsCA {
			b.AddASN1Boolean(true)
			if c.PathLen >= 0 {
				b.AddASN1Int64(int64(c.PathLen))
			}
		}
	})
}

// KeyUsage is the set of what a key may do: RFC 5280, Section 4.2.1.3.
type KeyUsage uint16

// The bits, in their order in the RFC.
const (
	DigitalSignature KeyUsage = 1 << iota
	NonRepudiation
	KeyEncipherment
	DataEncipherment
	KeyAgreement
	CertSign
	CRLSign
	EncipherOnly
	DecipherOnly
)

var keyUsageNames = []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
	"keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}

// String lists the names of the RFC, separated by commas.
func (u KeyUsage) String() string {
	var out []string
	for i, name := range keyUsageNames {
		if u&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

// ParseKeyUsage reads a list that [KeyUsage.String] writes.
func ParseKeyUsage(s string) (KeyUsage, error) {
	var u KeyUsage
	for word := range strings.SplitSeq(s, ",") {
		found := false
		for i, name := range keyUsageNames {
			if strings.EqualFold(name, strings.TrimSpace(word)) {
				u, found = u|1<<i, true
			}
		}
		if !found {
			return 0, fmt.Errorf("pki: %q is no key usage; usages are %s", word, strings.Join(keyUsageNames, ", "))
		}
	}
	return u, nil
}

func readKeyUsage(in cryptobyte.String) (KeyUsage, bool) {
	var body cryptobyte.String
	if !in.ReadASN1(&body, asn1.BIT_STRING) || !in.Empty() || len(body) < 1 || len(body) > 3 || body[0] > 7 {
		return 0, false
	}
	var u KeyUsage
	for i, b := range body[1:] {
		u |= KeyUsage(bits.Reverse8(b)) << (8 * i)
	}
	return u, u != 0 // "at least one of the bits MUST be set to 1"
}

// add is a named bit list, whose zeros at the end are left out (X.690, Section 11.2.2).
func (u KeyUsage) add(b *cryptobyte.Builder) {
	octets := []byte{bits.Reverse8(uint8(u)), bits.Reverse8(uint8(u >> 8))}
	if octets[1] == 0 {
		octets = octets[:1]
	}
	unused := bits.TrailingZeros8(octets[len(octets)-1])
	b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) {
		b.AddUint8(uint8(unused))
		b.AddBytes(octets)
	})
}

func readExtKeyUsage(in cryptobyte.String) ([]OID, bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || seq.Empty() {
		return nil, false
	}
	var out []OID
	for !seq.Empty() {
		var oid OID
		if !seq.ReadASN1ObjectIdentifier(&oid) {
			return nil, false
		}
		out = append(out, oid)
	}
	return out, true
}

func readAuthorityKeyID(in cryptobyte.String) ([]byte, bool) {
	var seq, id cryptobyte.String
	var present bool
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadOptionalASN1(&id, &present, asn1.Tag(0).ContextSpecific()) {
		return nil, false
	}
	return id, true // an issuer and a serial number may follow; the path is built without them
}

// readCRLPoints reads the addresses of RFC 5280, Section 4.2.1.13; other forms of names are left out.
func readCRLPoints(in cryptobyte.String) ([]string, bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	tag := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific() }
	var out []string
	for !seq.Empty() {
		var point, distribution, full cryptobyte.String
		var present, named bool
		if !seq.ReadASN1(&point, asn1.SEQUENCE) || !point.ReadOptionalASN1(&distribution, &present, tag(0).Constructed()) ||
			present && !distribution.ReadOptionalASN1(&full, &named, tag(0).Constructed()) {
			return nil, false
		}
		for !full.Empty() {
			var name cryptobyte.String
			var t asn1.Tag
			if !full.ReadAnyASN1(&name, &t) {
				return nil, false
			}
			if t == tag(6) {
				out = append(out, string(name))
			}
		}
	}
	return out, true
}

func addCRLPoints(b *cryptobyte.Builder, addresses []string) {
	tag := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific() }
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range addresses {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag(0).Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(tag(0).Constructed(), func(b *cryptobyte.Builder) {
						b.AddASN1(tag(6), func(b *cryptobyte.Builder) { b.AddBytes([]byte(a)) })
					})
				})
			})
		}
	})
}
