package pki

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// String is the name as RFC 4514 writes it, most specific part first, without
// spaces after commas. Types beyond its table that LDAP names are named.
func (n Name) String() string {
	parts := make([]string, 0, len(n))
	for _, rdn := range slices.Backward(n) {
		parts = append(parts, rdn.join("+", Attribute.rfc4514))
	}
	return strings.Join(parts, ",")
}

// Windows is the name as Windows writes it in the rules of IPsec: most general
// part first, S for the state, E for the mail address, quotes where a value
// needs them. A backslash is doubled, which Windows does not do, so that
// [ParseName] reads it back.
func (n Name) Windows() string {
	parts := make([]string, 0, len(n))
	for _, rdn := range n {
		parts = append(parts, rdn.join(" + ", Attribute.windows))
	}
	return strings.Join(parts, ", ")
}

func (r RDN) join(plus string, print func(Attribute) string) string {
	parts := make([]string, len(r))
	for i, a := range r {
		parts[i] = print(a)
	}
	return strings.Join(parts, plus)
}

func (a Attribute) rfc4514() string {
	t := typeOf(a.Type)
	if t == nil || a.Encoding == EncodingOther {
		label := a.Type.String()
		if t != nil {
			label = t.rfc
		}
		return label + "=" + a.hex()
	}
	var b strings.Builder
	for i, c := range []byte(a.Value) {
		switch {
		case c < ' ' || c == 0x7F:
			fmt.Fprintf(&b, `\%02X`, c)
		case strings.IndexByte(`"+,;<>\`, c) >= 0, i == 0 && c == '#', c == ' ' && (i == 0 || i == len(a.Value)-1):
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(c)
		}
	}
	return t.rfc + "=" + b.String()
}

func (a Attribute) windows() string {
	label := "OID." + a.Type.String()
	if t := typeOf(a.Type); t != nil {
		label = t.windows
	}
	if a.Encoding == EncodingOther {
		return label + "=" + a.hex()
	}
	v := a.Value
	if v == "" || v != strings.TrimSpace(v) || strings.ContainsAny(v, ",+=\"\n\r<>#;\\") {
		v = `"` + strings.NewReplacer(`"`, `""`, `\`, `\\`).Replace(v) + `"`
	}
	return label + "=" + v
}

// hex is # and the DER of the value.
func (a Attribute) hex() string {
	der, err := a.value()
	if err != nil { // a text that its string type cannot hold
		der, err = Attribute{Type: a.Type, Value: a.Value, Encoding: EncodingUTF8}.value()
	}
	if err != nil {
		return "#"
	}
	return "#" + hex.EncodeToString(der)
}
