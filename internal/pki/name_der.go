package pki

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Marshal is the DER of the name (RFC 5280, Section 4.1.2.4), as certificates
// and certificate requests of IKE carry it.
func (n Name) Marshal() ([]byte, error) {
	var b cryptobyte.Builder
	n.add(&b)
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pki: encode the name %s: %w", n, err)
	}
	return der, nil
}

func (n Name) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, rdn := range n {
			b.AddASN1(asn1.SET, rdn.addSorted)
		}
	})
}

// addSorted adds the attributes in the order that DER demands of a SET OF.
func (r RDN) addSorted(b *cryptobyte.Builder) {
	if len(r) == 0 {
		b.SetError(errors.New("a part of the name has no attribute"))
		return
	}
	parts := make([][]byte, len(r))
	for i, a := range r {
		value, err := a.value()
		if err != nil {
			b.SetError(err)
			return
		}
		var one cryptobyte.Builder
		one.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(a.Type)
			b.AddBytes(value)
		})
		if parts[i], err = one.Bytes(); err != nil {
			b.SetError(err)
			return
		}
	}
	slices.SortFunc(parts, bytes.Compare)
	for _, p := range parts {
		b.AddBytes(p)
	}
}

// value is the DER of the attribute's value.
func (a Attribute) value() ([]byte, error) {
	encoding := a.Encoding
	if encoding == EncodingOther {
		return []byte(a.Value), nil
	}
	if encoding == EncodingDefault {
		encoding = EncodingPrintable
		if t := typeOf(a.Type); t != nil {
			encoding = t.encoding
		}
		if encoding == EncodingPrintable && !isPrintable(a.Value) || encoding == EncodingIA5 && !isASCII(a.Value) {
			encoding = EncodingUTF8
		}
	}
	content, err := encodeText(a.Value, encoding)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.Tag(encoding), func(b *cryptobyte.Builder) { b.AddBytes(content) })
	return b.Bytes()
}

func encodeText(s string, encoding Encoding) ([]byte, error) {
	var out []byte
	switch encoding {
	case EncodingUTF8:
		return []byte(s), nil
	case EncodingBMP:
		for _, r := range s {
			if r > 0xFFFF {
				return nil, fmt.Errorf("%q does not fit a BMPString", s)
			}
			out = append(out, byte(r>>8), byte(r))
		}
		return out, nil
	case EncodingUniversal:
		for _, r := range s {
			out = append(out, byte(r>>24), byte(r>>16), byte(r>>8), byte(r))
		}
		return out, nil
	case EncodingPrintable, EncodingIA5, EncodingT61:
		for _, r := range s {
			if r > 0xFF {
				return nil, fmt.Errorf("%q does not fit a string of single octets", s)
			}
			out = append(out, byte(r))
		}
		return out, nil
	}
	return nil, fmt.Errorf("%d is no string type of names", encoding)
}

// decodeValue reads the value of an attribute. What is no text stays as it is.
func decodeValue(element cryptobyte.String, tag asn1.Tag) (string, Encoding) {
	other := string(element)
	var content cryptobyte.String
	in := element
	if !in.ReadASN1(&content, tag) {
		return other, EncodingOther
	}
	switch e := Encoding(tag); e {
	case EncodingUTF8:
		if utf8.Valid(content) {
			return string(content), e
		}
	case EncodingPrintable, EncodingIA5, EncodingT61:
		var b strings.Builder
		for _, c := range content {
			b.WriteRune(rune(c))
		}
		return b.String(), e
	case EncodingBMP:
		if len(content)%2 != 0 {
			break
		}
		var b strings.Builder
		for i := 0; i < len(content); i += 2 {
			r := rune(content[i])<<8 | rune(content[i+1])
			if utf16.IsSurrogate(r) {
				return other, EncodingOther
			}
			b.WriteRune(r)
		}
		return b.String(), e
	case EncodingUniversal:
		if len(content)%4 != 0 {
			break
		}
		var b strings.Builder
		for i := 0; i < len(content); i += 4 {
			r := rune(content[i])<<24 | rune(content[i+1])<<16 | rune(content[i+2])<<8 | rune(content[i+3])
			if !utf8.ValidRune(r) {
				return other, EncodingOther
			}
			b.WriteRune(r)
		}
		return b.String(), e
	}
	return other, EncodingOther
}

// ParseNameDER reads a name from DER, for instance from a certificate request of IKE.
func ParseNameDER(der []byte) (Name, error) {
	in := cryptobyte.String(der)
	n, err := readName(&in)
	if err == nil && !in.Empty() {
		err = errors.New("pki: octets follow the DER of a name")
	}
	return n, err
}

var errName = errors.New("pki: a name is not the DER of a distinguished name")

func readName(in *cryptobyte.String) (Name, error) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) {
		return nil, errName
	}
	n := Name{}
	for !seq.Empty() {
		var set cryptobyte.String
		if !seq.ReadASN1(&set, asn1.SET) || set.Empty() {
			return nil, errName
		}
		var rdn RDN
		for !set.Empty() {
			var pair, element cryptobyte.String
			var tag asn1.Tag
			var a Attribute
			if !set.ReadASN1(&pair, asn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&a.Type) ||
				!pair.ReadAnyASN1Element(&element, &tag) || !pair.Empty() {
				return nil, errName
			}
			a.Value, a.Encoding = decodeValue(element, tag)
			rdn = append(rdn, a)
		}
		n = append(n, rdn)
	}
	return n, nil
}

func isPrintable(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(" '()+,-./:=?", c) >= 0:
		default:
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7F }) < 0
}
