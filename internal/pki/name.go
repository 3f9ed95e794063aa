package pki

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
)

// Name is a distinguished name, most general part first, as in DER: country,
// organization, common name. Two names are compared with [Name.Equal], never as
// texts: the same name is written in many ways (S and ST, E and emailAddress,
// either order, several string types).
type Name []RDN

// RDN is a relative distinguished name: one attribute, or several that count together.
type RDN []Attribute

// Attribute is a type and its value.
type Attribute struct {
	Type  OID
	Value string // text; with EncodingOther the DER of the value
	// Encoding is the string type of the value in DER. The zero value lets the
	// attribute's type and the characters decide.
	Encoding Encoding
}

// Encoding is the string type of an attribute's value: its ASN.1 tag.
type Encoding uint8

// String types of DirectoryString and IA5String (RFC 5280, Appendix A.1).
const (
	EncodingDefault   Encoding = 0
	EncodingUTF8      Encoding = 12
	EncodingPrintable Encoding = 19
	EncodingT61       Encoding = 20 // read as Latin 1, as is the custom
	EncodingIA5       Encoding = 22
	EncodingUniversal Encoding = 28
	EncodingBMP       Encoding = 30 // UTF-16 without surrogates; what Windows 2000 wrote beyond PrintableString
	EncodingOther     Encoding = 255
)

// Equal compares names as RFC 5280, Section 7.1, says: part by part, without
// regard to case, to the number of inner spaces, to spaces around a value and to
// string types. It leaves out Unicode's compatibility forms (NFKC).
func (n Name) Equal(o Name) bool { return n.key() == o.key() }

// Find is the value of the last attribute of a type, the most specific one, or "".
func (n Name) Find(t OID) string {
	for _, rdn := range slices.Backward(n) {
		for _, a := range rdn {
			if a.Type.Equal(t) {
				return a.Value
			}
		}
	}
	return ""
}

// key is equal for equal names. No part of it can be taken for two.
func (n Name) key() string {
	var b strings.Builder
	for _, rdn := range n {
		parts := make([]string, len(rdn))
		for i, a := range rdn {
			parts[i] = a.Type.String() + "=" + a.key() + "\x00"
		}
		slices.Sort(parts)
		for _, p := range parts {
			b.WriteString(p)
		}
		b.WriteByte(1)
	}
	return b.String()
}

func (a Attribute) key() string {
	if a.Encoding == EncodingOther {
		return "#" + hex.EncodeToString([]byte(a.Value))
	}
	var b strings.Builder
	for i, word := range strings.FieldsFunc(a.Value, func(r rune) bool { return unicode.IsSpace(r) || r < ' ' }) {
		if i > 0 {
			b.WriteByte(' ')
		}
		for _, r := range word {
			b.WriteRune(fold(r))
		}
	}
	return "'" + b.String()
}

// fold is the same character for all cases of one.
func fold(r rune) rune {
	least := r
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		least = min(least, c)
	}
	return least
}
