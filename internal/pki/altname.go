package pki

import (
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// AltNames are the alternative names of a subject that the lab knows (RFC 5280,
// Section 4.2.1.6); other forms are read over.
type AltNames struct {
	DNS   []string
	UPN   []string // user principal names, otherName 1.3.6.1.4.1.311.20.2.3
	Email []string
	IP    []netip.Addr
	// Others counts names of forms that are read over.
	Others int
}

func (a AltNames) empty() bool {
	return len(a.DNS)+len(a.UPN)+len(a.Email)+len(a.IP) == 0
}

const (
	tagOtherName = asn1.Tag(0 | 0x80 | 0x20)
	tagEmail     = asn1.Tag(1 | 0x80)
	tagDNS       = asn1.Tag(2 | 0x80)
	tagIP        = asn1.Tag(7 | 0x80)
)

func (a *AltNames) read(in cryptobyte.String) bool {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() {
		return false
	}
	for !seq.Empty() {
		var name cryptobyte.String
		var tag asn1.Tag
		if !seq.ReadAnyASN1(&name, &tag) {
			return false
		}
		switch tag {
		case tagDNS:
			a.DNS = append(a.DNS, string(name))
		case tagEmail:
			a.Email = append(a.Email, string(name))
		case tagIP:
			ip, ok := netip.AddrFromSlice(name)
			if !ok {
				return false
			}
			a.IP = append(a.IP, ip)
		case tagOtherName:
			upn, known, ok := readOtherName(name)
			if !ok {
				return false
			}
			if known {
				a.UPN = append(a.UPN, upn)
			} else {
				a.Others++
			}
		default:
			a.Others++
		}
	}
	return true
}

// readOtherName reads type and value; known is true for a user principal name.
func readOtherName(in cryptobyte.String) (upn string, known, ok bool) {
	var oid OID
	var explicit, text cryptobyte.String
	var tag asn1.Tag
	if !in.ReadASN1ObjectIdentifier(&oid) || !in.ReadASN1(&explicit, asn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return "", false, false
	}
	if !oid.Equal(oidUPN) {
		return "", false, true
	}
	if !explicit.ReadAnyASN1Element(&text, &tag) || !explicit.Empty() {
		return "", false, false
	}
	upn, encoding := decodeValue(text, tag)
	return upn, true, encoding != EncodingOther
}

func (a AltNames) add(b *cryptobyte.Builder) {
	text := func(tag asn1.Tag, s string) {
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
	}
	b.AddASN1(asn1.SEQUENCE, func(seq *cryptobyte.Builder) {
		b = seq
		for _, upn := range a.UPN {
			b.AddASN1(tagOtherName, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidUPN)
				b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(upn)) })
				})
			})
		}
		for _, s := range a.DNS {
			text(tagDNS, s)
		}
		for _, s := range a.Email {
			text(tagEmail, s)
		}
		for _, ip := range a.IP {
			text(tagIP, string(ip.AsSlice()))
		}
	})
}
